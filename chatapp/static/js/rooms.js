// The rooms that one is in: opened, left, and remembered for one's name.
import { Entering } from "./room-sync.js";
import { canonicalName } from "./identity.js";
import { Room } from "./room.js";
import { isString, isUnsignedInteger, parseEntry, parseLeaveAnswer, parsePeopleEvent } from "./wire.js";

export const LOBBY = "lobby";
export const ROOM = /^[a-z0-9_-]{1,64}$/;
const STORAGE_KEY = "chat.rooms";
const MOST_KEPT = 49;
const KEEP_WITHIN_MS = 300;

export class Rooms {
  #store;
  #connection;
  #storage;
  #entering;
  #onHeard;
  #later;

  // `onEntered(name)` is called once a room has been entered, `onHeard(room, entry)` for each message.
  constructor({ store, connection, storage, onEntered, onHeard }) {
    this.#store = store;
    this.#connection = connection;
    this.#storage = storage;
    this.#entering = new Entering({ store, connection, onEntered, onHeard });
    this.#onHeard = onHeard;
    window.addEventListener("pagehide", () => this.#keep());
  }

  listen() {
    const hear = (event, listener) => this.#connection.on(event, listener);
    hear("newmsg", (said, number) => this.#heard(parseEntry(said, number)));
    hear("userTyping", (change) => {
      const { room, user } = parsePeopleEvent(change, { user: isString });
      this.#in(room, (found) => found.types(user, Date.now()));
    });
    const people = (event, fields, make) =>
      hear(event, (told) => {
        const change = parsePeopleEvent(told, fields);
        this.#in(change.room, (room) => room.people(make(change)) || this.#entering.enter(room, true));
      });
    people("userJoined", { user: isString }, ({ user }) => ({ joined: user }));
    people("userLeft", { user: isString }, ({ user }) => ({ left: user }));
    people("userRenamed", { from: isString, to: isString }, ({ from, to }) => ({ from, to }));
    people("presence", { count: isUnsignedInteger }, ({ count }) => ({ count }));
  }

  // The room of that name, which one is in from now on.
  open(name) {
    const { rooms } = this.#store.state;
    if (!rooms.has(name)) {
      this.#store.change(() => rooms.set(name, new Room(name)));
      this.#remember();
    }
    const room = rooms.get(name);
    if (this.#connection.isConnected && this.#mayEnter(room) && !room.isIn) this.#entering.enter(room);
    return room;
  }

  async leave(name) {
    const { rooms } = this.#store.state;
    const room = rooms.get(name);
    this.#store.change(() => rooms.delete(name));
    this.#remember();
    if (room?.isIn) await this.#connection.request("leave", parseLeaveAnswer, { room: name });
  }

  mute(room, isMuted) {
    this.#store.change(() => (room.isMuted = isMuted));
    this.#remember();
  }

  // All up to the newest has been seen.
  seen(room) {
    if (room.read === room.last) return;
    room.trim();
    this.#store.change(() => (room.read = room.last));
    this.#remember();
  }

  // After a new connection nobody is anywhere; the room in view comes first.
  async enterAll() {
    const { rooms, view } = this.#store.state;
    this.#store.change(() => rooms.forEach((room) => (room.isIn = false)));
    const inOrder = [...rooms.values()].sort((a, b) => (b.name === view) - (a.name === view));
    for (const room of inOrder) {
      // What is odd in one is no reason to stay out of the others.
      if (this.#mayEnter(room) && !room.isIn) await this.#entering.enter(room).catch(reportError);
    }
  }

  readOlder(room) {
    return this.#entering.readOlder(room);
  }

  // The rooms that a name was in, in this browser; those that one is in now are kept for it, too.
  recall(user) {
    const kept = this.#storage.read(STORAGE_KEY)[canonicalName(user)];
    this.#remember();
    if (typeof kept !== "object" || kept === null) return;
    this.#store.change(({ rooms }) => {
      for (const [name, known] of Object.entries(kept).slice(0, MOST_KEPT)) {
        if (!ROOM.test(name)) continue;
        const { read, epoch, muted } = known ?? {};
        const room = rooms.get(name) ?? new Room(name);
        if (Number.isSafeInteger(read) && !room.isKnown) Object.assign(room, { read, epoch });
        room.isMuted ||= muted === true;
        rooms.set(name, room);
      }
    });
  }

  // Soon, as a crowd's messages are seen one after the other.
  #remember() {
    this.#later ??= setTimeout(() => this.#keep(), KEEP_WITHIN_MS);
  }

  #keep() {
    clearTimeout(this.#later);
    this.#later = undefined;
    const { me, rooms } = this.#store.state;
    if (!me.name) return;
    const list = [...rooms.values()].slice(-MOST_KEPT);
    const mine = list.map(({ name, read, epoch, isMuted }) => [name, { read, epoch, muted: isMuted }]);
    const all = this.#storage.read(STORAGE_KEY);
    this.#storage.write(STORAGE_KEY, { ...all, [canonicalName(me.name)]: Object.fromEntries(mine) });
  }

  #mayEnter(room) {
    return room.name === LOBBY || this.#store.state.me.name !== "";
  }

  #in(name, make) {
    const room = this.#store.state.rooms.get(name);
    if (room?.isIn) this.#store.change(() => make(room));
  }

  #heard(entry) {
    this.#in(entry.room, (room) => {
      const isNew = entry.id > room.last;
      const hasAll = room.hear(entry);
      if (!hasAll) this.#entering.fill(room);
      if (room.name !== this.#store.state.view) room.trim();
      if (isNew && room.isKnown) this.#onHeard(room, entry);
    });
  }
}
