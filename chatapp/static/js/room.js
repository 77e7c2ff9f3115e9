// One room: its log in the order of its ids, its users, and what the user has read.
import { canonicalName } from "./identity.js";
import { mentions } from "./markdown.js";

const MAX_ENTRIES = 2000; // in memory, unless the user is reading older ones
const MAX_NOTES = 50;
const TYPING_MS = 6000;

export class Room {
  entries = []; // by id, oldest first
  epoch = null;
  hasOlder = false;
  isJoined = false;
  isLoaded = false; // whether a page of the log has been read
  count = 0;
  users = new Set();
  typing = new Map(); // names to the time at which they expire
  notes = []; // users who joined, left or were renamed; one note after an entry
  lastRead = null; // the id of the last entry that the user has seen, if known
  dividerAfter = null; // the id of the entry before the "new" divider
  isMuted = false;
  refusal = null;
  #pending = new Map(); // entries received while earlier ones are missing, by id
  #keys = new Set();
  #formerNames = []; // the user's earlier names, each with the last entry that may be under it

  constructor(name) {
    this.name = name;
  }

  get lastId() {
    return this.entries.at(-1)?.id ?? 0;
  }

  get firstId() {
    return this.entries[0]?.id ?? 0;
  }

  // Whether the user sent an entry, under the present name or a former one.
  isOwn({ user, id }, ownName) {
    return user === ownName || this.#formerNames.some(({ name, until }) => user === name && id <= until);
  }

  // The user is about to be renamed from `name`.
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

  // Add a page of the log that begins after `lastId`, or ends with the newest entry.
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

  // Add an entry that the server sent. Return false if earlier ones are missing and must be loaded.
  receive(entry) {
    this.typing.delete(entry.user);
    if (entry.id <= this.lastId) return true;
    this.#pending.set(entry.id, entry);
    if (this.isLoaded) this.#applyPending();
    return !this.isLoaded || this.#pending.size === 0;
  }

  // Drop old entries. They are loaded again when the user scrolls up to them.
  trim(max = MAX_ENTRIES) {
    if (this.entries.length <= max) return;
    this.entries = this.entries.slice(-max / 2);
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

  // Users

  setPeople(count, users) {
    this.count = count;
    this.users = new Set(users);
  }

  // Apply one change. Return false if `users` is incomplete and must be loaded: the room was too large
  // for a list of its users, and no longer is.
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

  // A user in the note's `joined` is shown there under the new name.
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

  // The users who type at the time `now`.
  typingUsers(now) {
    return [...this.typing].filter(([, until]) => until > now).map(([user]) => user);
  }

  // Unread messages

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
