// One room as it is known here: its log, merged by number, and who is in it.
import { canonicalName } from "./identity.js";
import { mentions } from "./markdown.js";

const KEPT_ENTRIES = 2000; // while the newest are read; whoever reads older ones keeps them all
const KEPT_NOTES = 50;
export const TYPING_MS = 6000;

export class Room {
  entries = []; // by number, oldest first
  epoch = null;
  hasOlder = false;
  isIn = false;
  isKnown = false; // whether its log has been read at all
  count = 0;
  users = new Set();
  typing = new Map(); // by name, until when
  notes = []; // who came and went, canonicalName together, after which entry
  read = null; // the number up to which all was seen, once it's known
  newAfter = null; // where the line "new" is
  isMuted = false;
  problem = null;
  #ahead = new Map();
  #keys = new Set();
  #formerly = []; // names that one had here, and the newest entry at that time

  constructor(name) {
    this.name = name;
  }

  get last() {
    return this.entries.at(-1)?.id ?? 0;
  }

  get first() {
    return this.entries[0]?.id ?? 0;
  }

  // Whether an entry is one's own: by one's name, or by one that one had when it was said.
  isOwn({ user, id }, own) {
    return user === own || this.#formerly.some(({ name, until }) => user === name && id <= until);
  }

  // One goes by another name from here on.
  wasCalled(name) {
    this.#formerly.push({ name, until: this.last });
  }

  startAfresh() {
    Object.assign(this, { entries: [], notes: [], isKnown: false, hasOlder: false, newAfter: null });
    this.#ahead.clear();
    this.#keys.clear();
    this.#formerly = [];
  }

  has(key) {
    return this.#keys.has(key);
  }

  // What a page of the log says that begins after `last`, or is the newest.
  append(entries) {
    for (const entry of entries) if (entry.id > this.last) this.#push(entry);
    this.#drawUp();
    this.isKnown = true;
  }

  prepend(entries, more) {
    const older = new Map(entries.filter(({ id }) => id < this.first).map((entry) => [entry.id, entry]));
    for (const { key } of older.values()) if (key) this.#keys.add(key);
    this.entries = [...[...older.values()].sort((a, b) => a.id - b.id), ...this.entries];
    this.hasOlder = more;
  }

  // An entry is heard. False if others before it are missing here, and must be asked for.
  hear(entry) {
    this.typing.delete(entry.user);
    if (entry.id <= this.last) return true;
    this.#ahead.set(entry.id, entry);
    if (this.isKnown) this.#drawUp();
    return !this.isKnown || this.#ahead.size === 0;
  }

  // Keep the newest only. Whoever comes to where they end asks for older ones.
  trim(most = KEPT_ENTRIES) {
    if (this.entries.length <= most) return;
    this.entries = this.entries.slice(-most / 2);
    this.hasOlder = true;
  }

  #drawUp() {
    for (const id of this.#ahead.keys()) if (id <= this.last) this.#ahead.delete(id);
    while (this.#ahead.has(this.last + 1)) {
      const entry = this.#ahead.get(this.last + 1);
      this.#ahead.delete(entry.id);
      this.#push(entry);
    }
  }

  #push(entry) {
    this.entries.push(entry);
    if (entry.key) this.#keys.add(entry.key);
  }

  // People

  setPeople(count, users) {
    this.count = count;
    this.users = new Set(users);
  }

  // False if the names known were not all: a crowd that is none any more; they must be asked for.
  people({ joined, left, from, to, count }) {
    const isComplete = count !== undefined || this.users.size === this.count;
    if (joined !== undefined && !this.users.has(joined)) this.#comes(joined);
    if (left !== undefined && this.users.has(left)) this.#goes(left);
    if (from !== undefined && this.users.has(from)) {
      this.users.delete(from);
      this.users.add(to);
      this.#isRenamed(from, to);
    }
    this.typing.delete(left ?? from);
    if (count !== undefined) this.count = count;
    return isComplete;
  }

  #comes(user) {
    this.users.add(user);
    this.count += 1;
    const note = this.#note();
    if (!note.left.delete(user)) note.joined.add(user);
  }

  #goes(user) {
    this.users.delete(user);
    this.count -= 1;
    const note = this.#note();
    if (!note.joined.delete(user)) note.left.add(user);
  }

  // Who has just joined, did so under the new name.
  #isRenamed(from, to) {
    const note = this.#note();
    if (note.joined.delete(from)) note.joined.add(to);
    else note.renamed.push([from, to]);
  }

  #note() {
    const newest = this.notes.at(-1);
    if (newest?.after === this.last) return newest;
    const note = { after: this.last, joined: new Set(), left: new Set(), renamed: [] };
    this.notes = [...this.notes.slice(1 - KEPT_NOTES), note];
    return note;
  }

  types(user, now) {
    this.typing.set(user, now + TYPING_MS);
  }

  // Those who type, but for whoever has stopped.
  typists(now) {
    for (const [user, until] of this.typing) if (until <= now) this.typing.delete(user);
    return [...this.typing.keys()];
  }

  // What hasn't been seen

  unread(own, ignored) {
    if (!this.isKnown || this.read === null) return 0;
    const unseen = this.#unseen();
    const older = Math.max(0, (unseen[0]?.id ?? this.last + 1) - this.read - 1);
    return older + unseen.filter(({ user }) => user !== own && !ignored.has(canonicalName(user))).length;
  }

  mentions(own, ignored) {
    if (!own || this.read === null) return 0;
    return this.#unseen().filter(
      ({ user, message }) => user !== own && !ignored.has(canonicalName(user)) && mentions(message, own),
    ).length;
  }

  #unseen() {
    let start = this.entries.length;
    while (start > 0 && this.entries[start - 1].id > this.read) start -= 1;
    return this.entries.slice(start);
  }
}
