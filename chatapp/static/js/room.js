// One room as it is known here: its log, merged by number, and who is in it.
import { canonicalName } from "./identity.js";
import { mentions } from "./markdown.js";

const MAX_ENTRIES = 2000; // while the newest are read; whoever reads older ones keeps them all
const MAX_NOTES = 50;
const TYPING_MS = 6000;

export class Room {
  entries = []; // by number, oldest first
  epoch = null;
  hasOlder = false;
  isJoined = false;
  isLoaded = false; // whether its log has been read at all
  count = 0;
  users = new Set();
  typing = new Map(); // by name, until when
  notes = []; // who came and went, canonicalName together, after which entry
  lastRead = null; // the number up to which all was seen, once it's known
  dividerAfter = null; // where the line "new" is
  isMuted = false;
  refusal = null;
  #pending = new Map();
  #keys = new Set();
  #formerNames = []; // names that one had here, and the newest entry at that time

  constructor(name) {
    this.name = name;
  }

  get lastId() {
    return this.entries.at(-1)?.id ?? 0;
  }

  get firstId() {
    return this.entries[0]?.id ?? 0;
  }

  // Whether an entry is one's own: by one's name, or by one that one had when it was said.
  isOwn({ user, id }, ownName) {
    return user === ownName || this.#formerNames.some(({ name, until }) => user === name && id <= until);
  }

  // One goes by another name from here on.
  addFormerName(name) {
    this.#formerNames.push({ name, until: this.lastId });
  }

  reset() {
    Object.assign(this, { entries: [], notes: [], isLoaded: false, hasOlder: false, dividerAfter: null });
    this.#pending.clear();
    this.#keys.clear();
    this.#formerNames = [];
  }

  hasKey(key) {
    return this.#keys.has(key);
  }

  // What a page of the log says that begins after `last`, or is the newest.
  append(entries) {
    for (const entry of entries) if (entry.id > this.lastId) this.#add(entry);
    this.#applyPending();
    this.isLoaded = true;
  }

  prepend(entries, more) {
    const older = new Map(entries.filter(({ id }) => id < this.firstId).map((entry) => [entry.id, entry]));
    for (const { key } of older.values()) if (key) this.#keys.add(key);
    this.entries = [...[...older.values()].sort((a, b) => a.id - b.id), ...this.entries];
    this.hasOlder = more;
  }

  // An entry is heard. False if others before it are missing here, and must be asked for.
  receive(entry) {
    this.typing.delete(entry.user);
    if (entry.id <= this.lastId) return true;
    this.#pending.set(entry.id, entry);
    if (this.isLoaded) this.#applyPending();
    return !this.isLoaded || this.#pending.size === 0;
  }

  // Keep the newest only. Whoever comes to where they end asks for older ones.
  trim(most = MAX_ENTRIES) {
    if (this.entries.length <= most) return;
    this.entries = this.entries.slice(-most / 2);
    this.hasOlder = true;
  }

  #applyPending() {
    for (const id of this.#pending.keys()) if (id <= this.lastId) this.#pending.delete(id);
    while (this.#pending.has(this.lastId + 1)) {
      const entry = this.#pending.get(this.lastId + 1);
      this.#pending.delete(entry.id);
      this.#add(entry);
    }
  }

  #add(entry) {
    this.entries.push(entry);
    if (entry.key) this.#keys.add(entry.key);
  }

  // People

  setPeople(count, users) {
    this.count = count;
    this.users = new Set(users);
  }

  // False if the names known were not all: a crowd that is none any more; they must be asked for.
  applyPeopleChange({ joined, left, from, to, count }) {
    const isComplete = count !== undefined || this.users.size === this.count;
    if (joined !== undefined && !this.users.has(joined)) this.#addUser(joined);
    if (left !== undefined && this.users.has(left)) this.#removeUser(left);
    if (from !== undefined && this.users.has(from)) {
      this.users.delete(from);
      this.users.add(to);
      this.#renameUser(from, to);
    }
    this.typing.delete(left ?? from);
    if (count !== undefined) this.count = count;
    return isComplete;
  }

  #addUser(user) {
    this.users.add(user);
    this.count += 1;
    const note = this.#currentNote();
    if (!note.left.delete(user)) note.joined.add(user);
  }

  #removeUser(user) {
    this.users.delete(user);
    this.count -= 1;
    const note = this.#currentNote();
    if (!note.joined.delete(user)) note.left.add(user);
  }

  // Who has just joined, did so under the new name.
  #renameUser(from, to) {
    const note = this.#currentNote();
    if (note.joined.delete(from)) note.joined.add(to);
    else note.renamed.push([from, to]);
  }

  #currentNote() {
    const newest = this.notes.at(-1);
    if (newest?.after === this.lastId) return newest;
    const note = { after: this.lastId, joined: new Set(), left: new Set(), renamed: [] };
    this.notes = [...this.notes.slice(1 - MAX_NOTES), note];
    return note;
  }

  setTyping(user, now) {
    for (const [other, until] of this.typing) if (until <= now) this.typing.delete(other);
    this.typing.set(user, now + TYPING_MS);
  }

  // Those who type, but for whoever has stopped.
  typingUsers(now) {
    return [...this.typing].filter(([, until]) => until > now).map(([user]) => user);
  }

  // What hasn't been seen

  countUnread(ownName, ignored) {
    if (!this.isLoaded || this.lastRead === null) return 0;
    const unread = this.#unreadEntries();
    const older = Math.max(0, (unread[0]?.id ?? this.lastId + 1) - this.lastRead - 1);
    return older + unread.filter(({ user }) => user !== ownName && !ignored.has(canonicalName(user))).length;
  }

  countMentions(ownName, ignored) {
    if (!ownName || this.lastRead === null) return 0;
    return this.#unreadEntries().filter(
      ({ user, message }) => user !== ownName && !ignored.has(canonicalName(user)) && mentions(message, ownName),
    ).length;
  }

  #unreadEntries() {
    let start = this.entries.length;
    while (start > 0 && this.entries[start - 1].id > this.lastRead) start -= 1;
    return this.entries.slice(start);
  }
}
