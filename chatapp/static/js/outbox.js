// Messages that the server hasn't acknowledged: said in their order, each once, and storage over a lost
// connection and a reload. Each has a key, so that to say it again is to say it once.
import { randomId } from "./identity.js";
import { isTemporary, retryDelay } from "./wire.js";

const STORAGE_KEY = "chat.unsent";
const MOST_CHARS = 16000; // a frame's bound holds more, but for what isn't text (docs/wire.md, Bounds)
const KEY = /^[\w-]{8,64}$/;
const NOT_YET = ["name_required", "not_in_room"];

// An item is {room, message, key, state: "waiting" | "sending" | "failed", refusal?}.
export class Outbox {
  #store;
  #storage;
  #say;
  #onFailed;
  #sending = new Set();
  #wait;

  // `say(room, message, key)` resolves to the server's answer, or to null if none came;
  // `onFailed(refusal)` is called where that is no.
  constructor(store, storage, { say, onFailed = () => {} }, wait = (ms) => new Promise((resume) => setTimeout(resume, ms))) {
    this.#store = store;
    this.#storage = storage;
    this.#say = say;
    this.#onFailed = onFailed;
    this.#wait = wait;
    this.#change(() => storage.read(STORAGE_KEY, []).filter(isItem).map(waiting));
  }

  get items() {
    return this.#store.state.unsent;
  }

  add(room, message) {
    this.#change((items) => [...items, waiting({ room, message, key: randomId() })]);
    this.send(room);
  }

  again(item) {
    this.#change((items) => [...items.filter(({ key }) => key !== item.key), waiting(item)]);
    this.send(item.room);
  }

  remove(key) {
    this.#change((items) => items.filter((item) => item.key !== key));
  }

  // One leaves the room.
  removeAll(room) {
    this.#change((items) => items.filter((item) => item.room !== room));
  }

  // Say all that waits for a room; called whenever the server may take it.
  async send(room) {
    if (this.#sending.has(room)) return;
    this.#sending.add(room);
    try {
      let item;
      while ((item = this.#next(room)) && (await this.#sends(item)));
    } finally {
      this.#sending.delete(room);
    }
  }

  #next(room) {
    return this.items.find((item) => item.room === room && item.state === "waiting");
  }

  // False if it's no use to go on now.
  async #sends(item) {
    this.#mark(item, { state: "sending" });
    let answer;
    try {
      answer = await this.#say(item.room, item.message, item.key);
    } catch (error) {
      this.#mark(item, { state: "waiting" });
      throw error;
    }
    if (answer === null || NOT_YET.includes(answer.code)) {
      this.#mark(item, { state: "waiting" });
      return false;
    }
    if (isTemporary(answer)) {
      await this.#wait(retryDelay(answer));
      this.#mark(item, { state: "waiting" });
    } else if (answer.ok) this.remove(item.key);
    else {
      this.#mark(item, { state: "failed", refusal: answer });
      this.#onFailed(answer);
    }
    return true;
  }

  #mark({ key }, change) {
    this.#change((items) => items.map((item) => (item.key === key ? { ...item, ...change } : item)));
  }

  #change(make) {
    this.#store.change((state) => {
      state.unsent = make(state.unsent ?? []);
    });
    this.#storage.write(STORAGE_KEY, this.items);
  }
}

const waiting = ({ room, message, key }) => ({ room, message, key, state: "waiting" });

function isItem(item) {
  const hasAll = [item?.room, item?.message, item?.key].every((value) => typeof value === "string");
  return hasAll && item.message.length < MOST_CHARS && KEY.test(item.key);
}
