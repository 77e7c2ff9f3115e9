// The rooms that one is in: opened, entered, read, left, and remembered for one's name.
import { folded } from "./identity.js";
import { Room } from "./room.js";
import { changeOf, entryOf, leftOf, pageOf } from "./wire.js";

export const LOBBY = "lobby";
export const ROOM = /^[a-z0-9_-]{1,64}$/;
const PLACE = "chat.rooms";
const PAGE = 200;
const MOST_PAGES = 5; // that are read to fill a gap; whoever was away for longer begins at the newest
const MOST_KEPT = 49;
const KEEP_WITHIN_MS = 300;

export class Rooms {
  #store;
  #connection;
  #kept;
  #entering = new Map();
  #filling = new Set();
  #onEntered;
  #onHeard;
  #later;

  // `onEntered(name)` is called once a room has been entered, `onHeard(room, entry)` for each message.
  constructor({ store, connection, kept, onEntered, onHeard }) {
    this.#store = store;
    this.#connection = connection;
    this.#kept = kept;
    this.#onEntered = onEntered;
    this.#onHeard = onHeard;
    window.addEventListener("pagehide", () => this.#keep());
  }

  listen() {
    const hear = (event, listener) => this.#connection.on(event, listener);
    hear("newmsg", (said, number) => this.#heard(entryOf(said, number)));
    hear("userTyping", (change) => {
      const { room, user } = changeOf(change);
      this.#in(room, (found) => found.types(user, Date.now()));
    });
    const people = (event, make) =>
      hear(event, (told) => {
        const change = changeOf(told);
        this.#in(change.room, (room) => room.people(make(change)) || this.#enter(room, true));
      });
    people("userJoined", ({ user }) => ({ joined: user }));
    people("userLeft", ({ user }) => ({ left: user }));
    people("userRenamed", ({ from, to }) => ({ from, to }));
    people("presence", ({ count }) => ({ count }));
  }

  // The room of that name, which one is in from now on.
  open(name) {
    const { rooms } = this.#store.state;
    if (!rooms.has(name)) {
      this.#store.change(() => rooms.set(name, new Room(name)));
      this.#remember();
    }
    const room = rooms.get(name);
    if (this.#connection.isUp && this.#mayEnter(room) && !room.isIn) this.#enter(room);
    return room;
  }

  async leave(name) {
    const { rooms } = this.#store.state;
    const room = rooms.get(name);
    this.#store.change(() => rooms.delete(name));
    this.#remember();
    if (room?.isIn) await this.#connection.ask("leave", leftOf, { room: name });
  }

  mute(room, isMuted) {
    this.#store.change(() => (room.isMuted = isMuted));
    this.#remember();
  }

  // All up to the newest has been seen.
  seen(room) {
    if (room.read === room.last) return;
    this.#store.change(() => (room.read = room.last));
    this.#remember();
  }

  // After a new connection nobody is anywhere; the room in view comes first.
  async enterAll() {
    const { rooms, view } = this.#store.state;
    this.#store.change(() => rooms.forEach((room) => (room.isIn = false)));
    const inOrder = [...rooms.values()].sort((a, b) => (b.name === view) - (a.name === view));
    for (const room of inOrder) if (this.#mayEnter(room) && !room.isIn) await this.#enter(room);
  }

  // The older messages of a room, before those that are here.
  async readOlder(room) {
    if (!room.hasOlder || this.#filling.has(room)) return;
    this.#filling.add(room);
    try {
      const page = await this.#ask("history", { room: room.name, before: room.first, limit: PAGE });
      if (page?.ok) this.#store.change(() => room.prepend(page.entries, page.more));
    } finally {
      this.#filling.delete(room);
    }
  }

  // The rooms that a name was in, in this browser.
  recall(user) {
    const kept = this.#kept.read(PLACE)[folded(user)];
    if (typeof kept !== "object" || kept === null) return;
    this.#store.change(({ rooms }) => {
      for (const [name, known] of Object.entries(kept)) {
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
    const all = this.#kept.read(PLACE);
    this.#kept.write(PLACE, { ...all, [folded(me.name)]: Object.fromEntries(mine) });
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
      const isWhole = room.hear(entry);
      if (isNew && room.isKnown) this.#onHeard(room, entry);
      if (!isWhole && !this.#filling.has(room)) this.#fill(room);
    });
  }

  async #fill(room) {
    this.#filling.add(room);
    try {
      const page = await this.#ask("history", { room: room.name, since: room.last, limit: PAGE });
      if (page?.ok) await this.#readOn(room, page);
    } finally {
      this.#filling.delete(room);
    }
  }

  // A second entering of the same room while the first is under way is the first.
  #enter(room, isAgain = false) {
    const under = this.#entering.get(room);
    if (under && !isAgain) return under;
    const entering = this.#enters(room).finally(() => this.#entering.delete(room));
    this.#entering.set(room, entering);
    return entering;
  }

  async #enters(room) {
    const since = room.isKnown ? room.last : undefined;
    room.isIn = true; // what is heard before the answer belongs here
    this.#filling.add(room);
    try {
      let page = await this.#ask("join", { room: room.name, since });
      if (page?.ok && room.isKnown && page.epoch !== room.epoch) {
        room.startAfresh();
        page = await this.#ask("join", { room: room.name });
      }
      if (!page?.ok) {
        this.#store.change(() => Object.assign(room, { isIn: false, problem: page }));
        return;
      }
      await this.#readOn(room, page);
    } finally {
      this.#filling.delete(room);
    }
    this.#onEntered(room.name);
  }

  async #readOn(room, first) {
    let page = first;
    for (let pages = 1; page?.ok; pages += 1) {
      const isFirst = !room.isKnown;
      const { last } = room;
      this.#store.change(() => this.#take(room, page, page === first));
      if (!isFirst) for (const entry of page.entries) if (entry.id > last) this.#onHeard(room, entry);
      if (isFirst || !page.more) return;
      if (pages >= MOST_PAGES) {
        room.startAfresh();
        page = await this.#ask("history", { room: room.name });
      } else page = await this.#ask("history", { room: room.name, since: room.last, limit: PAGE });
    }
  }

  #take(room, page, isAnswer) {
    if (room.epoch !== page.epoch) Object.assign(room, { epoch: page.epoch, read: null });
    if (!room.isKnown) room.hasOlder = page.more;
    room.append(page.entries);
    room.read ??= room.last; // what was said before one came isn't unread
    room.problem = null;
    if (isAnswer && page.users.length + page.count > 0) room.setPeople(page.count, page.users);
  }

  async #ask(event, argument) {
    for (;;) {
      const answer = await this.#connection.ask(event, pageOf, argument);
      if (answer?.code !== "rate_limited" && answer?.code !== "unavailable") return answer;
      await new Promise((resume) => setTimeout(resume, answer.retryAfter ?? 1000));
    }
  }
}
