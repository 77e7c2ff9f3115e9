// How one comes into a room: what it said is read, and merged with what is heard meanwhile.
import { isTemporary, parsePage, retryDelay } from "./wire.js";

const PAGE = 200;
const OLDER = 100; // less at once, as one reads on meanwhile
const MOST_PAGES = 5; // that are read to fill a gap; whoever was away for longer begins at the newest

export class Entering {
  #store;
  #connection;
  #onEntered;
  #onHeard;
  #entering = new Map();
  #reading = new Set();

  // `onEntered(name)` is called once a room has been entered, `onHeard(room, entry)` for each message
  // that was missed meanwhile.
  constructor({ store, connection, onEntered, onHeard }) {
    this.#store = store;
    this.#connection = connection;
    this.#onEntered = onEntered;
    this.#onHeard = onHeard;
  }

  // Enter a room, or learn anew who is in it. While that is under way, it's the same.
  enter(room, isAgain = false) {
    const under = this.#entering.get(room);
    if (under && !isAgain) return under;
    const entering = this.#enters(room).finally(() => this.#entering.delete(room));
    this.#entering.set(room, entering);
    return entering;
  }

  // The older messages of a room, before those that are here.
  async readOlder(room) {
    if (room.hasOlder) await this.#alone(room, () => this.#readsOlder(room));
  }

  // What is missing between those that are here and those that were heard.
  fill(room) {
    return this.#alone(room, async () => {
      const page = await this.#ask("history", { room: room.name, since: room.last, limit: PAGE });
      if (page?.ok) await this.#readOn(room, page);
    });
  }

  // Nothing else is read for a room meanwhile.
  async #alone(room, read) {
    if (this.#reading.has(room)) return;
    this.#reading.add(room);
    try {
      await read();
    } finally {
      this.#reading.delete(room);
    }
  }

  async #readsOlder(room) {
    const page = await this.#ask("history", { room: room.name, before: room.first, limit: OLDER });
    if (page?.ok && page.epoch === room.epoch) this.#store.change(() => room.prepend(page.entries, page.more));
  }

  async #enters(room) {
    const since = room.isKnown ? room.last : undefined;
    room.isIn = true; // what is heard before the answer belongs here
    this.#reading.add(room);
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
    } catch (error) {
      room.isIn = false;
      throw error;
    } finally {
      this.#reading.delete(room);
    }
    this.#onEntered(room.name);
  }

  async #readOn(room, first) {
    let page = first;
    for (let pages = 1; page?.ok; pages += 1) {
      const { isKnown, last } = room;
      this.#store.change(() => this.#take(room, page, page === first));
      if (!isKnown) return;
      for (const entry of page.entries) if (entry.id > last) this.#onHeard(room, entry);
      if (!page.more) return;
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
      const answer = await this.#connection.request(event, parsePage, argument);
      if (answer === null || !isTemporary(answer)) return answer;
      await new Promise((resume) => setTimeout(resume, retryDelay(answer)));
    }
  }
}
