// The user's rooms: opens, joins and leaves them, applies the server's events to them, and stores them
// by the user's name.
import { canonicalName } from "./identity.js";
import { RoomSync } from "./room-sync.js";
import { Room } from "./room.js";
import { isString, isUnsignedInteger, parseEntry, parseLeaveAnswer, parsePeopleEvent } from "./wire.js";

export const LOBBY = "lobby";
export const ROOM = /^[a-z0-9_-]{1,64}$/;
const STORAGE_KEY = "chat.rooms";
const MOST_KEPT = 49;
const SAVE_DELAY_MS = 300;

export class Rooms {
  #store;
  #connection;
  #storage;
  #sync;
  #onMessage;
  #saveTimer;

  // `onJoined(name)` is called once a room has been joined, `onMessage(room, entry)` for each message.
  constructor({ store, connection, storage, onJoined, onMessage }) {
    this.#store = store;
    this.#connection = connection;
    this.#storage = storage;
    this.#sync = new RoomSync({ store, connection, onJoined, onMessage });
    this.#onMessage = onMessage;
    window.addEventListener("pagehide", () => this.#save());
  }

  listen() {
    const on = (event, listener) => this.#connection.on(event, listener);
    on("newmsg", (said, number) => this.#receive(parseEntry(said, number)));
    on("userTyping", (payload) => {
      const { room: name, user } = parsePeopleEvent(payload, { user: isString });
      const room = this.#joinedRoom(name);
      if (room) this.#store.change(() => room.setTyping(user, Date.now()));
    });
    const onPeople = (event, fields, toChange) =>
      on(event, (payload) => {
        const change = parsePeopleEvent(payload, fields);
        const room = this.#joinedRoom(change.room);
        if (room) this.#changePeople(room, toChange(change));
      });
    onPeople("userJoined", { user: isString }, ({ user }) => ({ joined: user }));
    onPeople("userLeft", { user: isString }, ({ user }) => ({ left: user }));
    onPeople("userRenamed", { from: isString, to: isString }, ({ from, to }) => ({ from, to }));
    onPeople("presence", { count: isUnsignedInteger }, ({ count }) => ({ count }));
  }

  // Add the room to the user's rooms, and join it if possible now.
  open(name) {
    const { rooms } = this.#store.state;
    if (!rooms.has(name)) {
      this.#store.change(() => rooms.set(name, new Room(name)));
      this.#saveSoon();
    }
    const room = rooms.get(name);
    if (this.#connection.isConnected && this.#mayJoin(room) && !room.isJoined) this.#sync.join(room);
    return room;
  }

  async leave(name) {
    const { rooms } = this.#store.state;
    const room = rooms.get(name);
    this.#store.change(() => rooms.delete(name));
    this.#saveSoon();
    if (room?.isJoined) await this.#connection.request("leave", parseLeaveAnswer, { room: name });
  }

  setMuted(room, isMuted) {
    this.#store.change(() => (room.isMuted = isMuted));
    this.#saveSoon();
  }

  // The user has seen all messages of a room.
  markRead(room) {
    if (room.lastRead === room.lastId) return;
    this.#store.change(() => {
      room.trim();
      room.lastRead = room.lastId;
    });
    this.#saveSoon();
  }

  // Show the "new" divider after the last message read.
  placeDivider(room) {
    this.#store.change(() => (room.dividerAfter = room.lastRead));
  }

  removeDivider(room) {
    this.#store.change(() => (room.dividerAfter = null));
  }

  // Join all rooms after a new connection, the room in view first.
  async joinAll() {
    const { rooms, view } = this.#store.state;
    this.#store.change(() => rooms.forEach((room) => (room.isJoined = this.#sync.isJoining(room))));
    const inOrder = [...rooms.values()].sort((a, b) => (b.name === view) - (a.name === view));
    for (const room of inOrder) {
      // An error in one room must not keep the user out of the others.
      if (this.#mayJoin(room) && !room.isJoined) await this.#sync.join(room).catch(reportError);
    }
  }

  loadOlder(room) {
    return this.#sync.loadOlder(room);
  }

  // Add the rooms that this browser has stored for a name, and store the present ones for it.
  restore(user) {
    const stored = this.#storage.read(STORAGE_KEY)[canonicalName(user)];
    this.#saveSoon();
    if (typeof stored !== "object" || stored === null) return;
    this.#store.change(({ rooms }) => {
      for (const [name, details] of Object.entries(stored).slice(0, MOST_KEPT)) {
        if (!ROOM.test(name)) continue;
        const { read, epoch, muted } = details ?? {};
        const room = rooms.get(name) ?? new Room(name);
        if (Number.isSafeInteger(read) && !room.isLoaded) Object.assign(room, { lastRead: read, epoch });
        room.isMuted ||= muted === true;
        rooms.set(name, room);
      }
    });
  }

  // Delay the write: in a busy room each message is marked as read at once.
  #saveSoon() {
    this.#saveTimer ??= setTimeout(() => this.#save(), SAVE_DELAY_MS);
  }

  #save() {
    clearTimeout(this.#saveTimer);
    this.#saveTimer = undefined;
    const { me, rooms } = this.#store.state;
    if (!me.name) return;
    const list = [...rooms.values()].slice(-MOST_KEPT);
    const mine = list.map(({ name, lastRead, epoch, isMuted }) => [name, { read: lastRead, epoch, muted: isMuted }]);
    const all = this.#storage.read(STORAGE_KEY);
    this.#storage.write(STORAGE_KEY, { ...all, [canonicalName(me.name)]: Object.fromEntries(mine) });
  }

  #mayJoin(room) {
    return room.name === LOBBY || this.#store.state.me.name !== "";
  }

  #joinedRoom(name) {
    const room = this.#store.state.rooms.get(name);
    return room?.isJoined ? room : null;
  }

  #changePeople(room, change) {
    let isComplete;
    this.#store.change(() => (isComplete = room.applyPeopleChange(change)));
    if (!isComplete) this.#sync.join(room, true);
  }

  #receive(entry) {
    const room = this.#joinedRoom(entry.room);
    if (!room) return;
    const isNew = entry.id > room.lastId;
    let isComplete;
    this.#store.change(({ view }) => {
      isComplete = room.receive(entry);
      if (room.name !== view) room.trim();
    });
    if (!isComplete) this.#sync.fillGap(room);
    if (isNew && room.isLoaded) this.#onMessage(room, entry);
  }
}
