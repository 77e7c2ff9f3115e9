// Joins rooms, and reads the parts of their logs that the page lacks: what was missed while offline, a
// gap before a new message, older messages.
import { isTemporary, parsePage, retryDelay } from "./wire.js";

const PAGE = 200;
const OLDER_PAGE = 100; // smaller than the maximum, so that the user sees the first of them sooner
const MAX_PAGES = 5; // to fill a gap; after a longer absence the room starts again at the newest messages

export class RoomSync {
  #store;
  #connection;
  #onJoined;
  #onMessage;
  #joining = new Map();
  #reading = new Set();

  // `onJoined(name)` is called once a room has been joined, `onMessage(room, entry)` for each message
  // that was missed.
  constructor({ store, connection, onJoined, onMessage }) {
    this.#store = store;
    this.#connection = connection;
    this.#onJoined = onJoined;
    this.#onMessage = onMessage;
  }

  // Join a room. `isForced` asks for its users again, even while another join is running.
  join(room, isForced = false) {
    const running = this.#joining.get(room);
    if (running && !isForced) return running;
    const joining = this.#join(room).finally(() => this.#joining.delete(room));
    this.#joining.set(room, joining);
    return joining;
  }

  // Whether a join is waiting for its answer. None outlives its connection.
  isJoining(room) {
    return this.#joining.has(room);
  }

  // Load older messages than those the room has.
  async loadOlder(room) {
    if (room.hasOlder) await this.#readExclusively(room, () => this.#readOlder(room));
  }

  // Load the messages between the room's last one and those that are pending.
  fillGap(room) {
    return this.#readExclusively(room, async () => {
      const page = await this.#request("history", { room: room.name, since: room.lastId, limit: PAGE });
      if (page?.ok) await this.#catchUp(room, page);
    });
  }

  // Call `read`, unless another read of the room's log is running.
  async #readExclusively(room, read) {
    if (this.#reading.has(room)) return;
    this.#reading.add(room);
    try {
      await read();
    } finally {
      this.#reading.delete(room);
    }
  }

  async #readOlder(room) {
    const page = await this.#request("history", { room: room.name, before: room.firstId, limit: OLDER_PAGE });
    if (page?.ok && page.epoch === room.epoch) this.#store.change(() => room.prepend(page.entries, page.more));
  }

  async #join(room) {
    const since = room.isLoaded ? room.lastId : undefined;
    this.#store.change(() => (room.isJoined = true)); // messages may arrive before the answer
    this.#reading.add(room);
    try {
      let page = await this.#request("join", { room: room.name, since });
      if (page?.ok && room.isLoaded && page.epoch !== room.epoch) {
        this.#store.change(() => room.reset());
        page = await this.#request("join", { room: room.name });
      }
      if (!page?.ok) {
        this.#store.change(() => Object.assign(room, { isJoined: false, refusal: page }));
        return;
      }
      await this.#catchUp(room, page);
    } catch (error) {
      this.#store.change(() => (room.isJoined = false));
      throw error;
    } finally {
      this.#reading.delete(room);
    }
    this.#onJoined(room.name);
  }

  async #catchUp(room, first) {
    let page = first;
    for (let pages = 1; page?.ok; pages += 1) {
      const { isLoaded, lastId } = room;
      this.#store.change(() => this.#applyPage(room, page, page === first));
      if (!isLoaded) return;
      for (const entry of page.entries) if (entry.id > lastId) this.#onMessage(room, entry);
      if (!page.more) return;
      if (pages >= MAX_PAGES) {
        this.#store.change(() => room.reset());
        page = await this.#request("history", { room: room.name });
      } else page = await this.#request("history", { room: room.name, since: room.lastId, limit: PAGE });
    }
  }

  #applyPage(room, page, isAnswer) {
    if (room.epoch !== page.epoch) Object.assign(room, { epoch: page.epoch, lastRead: null });
    if (!room.isLoaded) room.hasOlder = page.more;
    room.append(page.entries);
    room.lastRead ??= room.lastId; // messages from before the user's first visit aren't unread
    room.refusal = null;
    if (isAnswer && page.users.length + page.count > 0) room.setPeople(page.count, page.users);
  }

  async #request(event, argument) {
    for (;;) {
      const answer = await this.#connection.request(event, parsePage, argument);
      if (answer === null || !isTemporary(answer)) return answer;
      await new Promise((resolve) => setTimeout(resolve, retryDelay(answer)));
    }
  }
}
