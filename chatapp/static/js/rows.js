// Derives the rows of the conversation from a room's entries and notes and the unsent messages. A row
// has a unique `key` and a `fingerprint`: a row with the same fingerprint renders the same.
import { startOfDay } from "./i18n.js";
import { canonicalName } from "./identity.js";

const GROUP_MS = 5 * 60 * 1000;

// The rows for the entries from index `from` up to, but not including, `to`.
export function buildRows(room, { from, to, ownName, ignored, unsent }) {
  const rows = [];
  const notes = new Map(room.notes.filter(hasChanges).map((note) => [note.after, note]));
  const add = (row) => rows.push(row);
  let previous = null; // the message directly above
  let day = null;
  let hasDivider = false;
  if (from === 0 && room.isLoaded && !room.hasOlder) add({ kind: "beginning", key: "beginning", fingerprint: "" });
  if (notes.has(0) && from === 0) add(noteRow(notes.get(0)));
  for (const entry of room.entries.slice(from, to)) {
    if (!ignored.has(canonicalName(entry.user))) {
      if (startOfDay(entry.at) !== day) {
        day = startOfDay(entry.at);
        add({ kind: "day", key: `day ${entry.id}`, fingerprint: `${startOfDay(Date.now())}`, at: entry.at });
        previous = null;
      }
      if (!hasDivider && room.dividerAfter !== null && entry.id > room.dividerAfter && !room.isOwn(entry, ownName)) {
        hasDivider = true;
        add({ kind: "new", key: "new", fingerprint: `${entry.id}` });
        previous = null;
      }
      add(messageRow(entry, previous, room.isOwn(entry, ownName)));
      previous = entry;
    }
    if (notes.has(entry.id)) {
      add(noteRow(notes.get(entry.id)));
      previous = null;
    }
  }
  if (to === room.entries.length) {
    for (const item of unsent) {
      const { key, state, message } = item;
      add({ kind: "unsent", key: `unsent ${key}`, fingerprint: state, item, message });
    }
  }
  return rows;
}

function messageRow(entry, previous, isOwn) {
  const isFirst = previous?.user !== entry.user || entry.at - previous.at > GROUP_MS;
  return { kind: "message", key: `${entry.id}`, fingerprint: `${isFirst} ${isOwn}`, entry, isFirst, isOwn };
}

// A note is empty again if all its users left after they joined.
const hasChanges = ({ joined, left, renamed }) => joined.size + left.size + renamed.length > 0;

function noteRow(note) {
  const { joined, left, renamed } = note;
  const fingerprint = [[...joined], [...left], renamed].map((part) => part.join("\n")).join("\n\n");
  return { kind: "note", key: `note ${note.after}`, fingerprint, note };
}
