// Messages that the server hasn't acknowledged. They are sent in order and survive a lost connection
// and a reload. Each has a key by which the server drops duplicates (docs/wire.md, Messages).
import { randomId } from "./identity.js";
import { isTemporary, retryDelay } from "./wire.js";

const STORAGE_KEY = "chat.unsent";
const MAX_CHARS = 16000; // in UTF-8, at most 48,000 bytes: less than a frame's bound (docs/wire.md, Bounds)
const KEY = /^[\w-]{8,64}$/;
const NOT_JOINED_CODES = ["name_required", "not_in_room"];

// An item is {room, message, key, state: "waiting" | "sending" | "failed", refusal?}.
export class Outbox {
  #store;
  #storage;
  #sendMessage;
  #onFailed;
  #sending = new Set();
  #wait;

  // `sendMessage(room, message, key)` resolves to the server's answer, or to null if none came;
  // `onFailed(refusal)` is called when the server refuses a message for good.
  constructor(store, storage, { sendMessage, onFailed = () => {} }, wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))) {
    this.#store = store;
    this.#storage = storage;
    this.#sendMessage = sendMessage;
    this.#onFailed = onFailed;
    this.#wait = wait;
    this.#change(() => storage.read(STORAGE_KEY, []).filter(isItem).map(asWaiting));
  }

  get items() {
    return this.#store.state.unsent;
  }

  add(room, message) {
    this.#change((items) => [...items, asWaiting({ room, message, key: randomId() })]);
    this.flush(room);
  }

  retry(item) {
    this.#change((items) => [...items.filter(({ key }) => key !== item.key), asWaiting(item)]);
    this.flush(item.room);
  }

  remove(key) {
    this.#change((items) => items.filter((item) => item.key !== key));
  }

  // Drop a room's messages when the user leaves it.
  removeRoom(room) {
    this.#change((items) => items.filter((item) => item.room !== room));
  }

  // Send the waiting messages of a room, one after the other.
  async flush(room) {
    if (this.#sending.has(room)) return;
    this.#sending.add(room);
    try {
      let item;
      while ((item = this.#next(room)) && (await this.#send(item)));
    } finally {
      this.#sending.delete(room);
    }
  }

  #next(room) {
    return this.items.find((item) => item.room === room && item.state === "waiting");
  }

  // Resolve to whether the next message may be sent now.
  async #send(item) {
    this.#update(item, { state: "sending" });
    let answer;
    try {
      answer = await this.#sendMessage(item.room, item.message, item.key);
    } catch (error) {
      this.#update(item, { state: "waiting" });
      throw error;
    }
    if (answer === null || NOT_JOINED_CODES.includes(answer.code)) {
      this.#update(item, { state: "waiting" });
      return false;
    }
    if (isTemporary(answer)) {
      await this.#wait(retryDelay(answer));
      this.#update(item, { state: "waiting" });
    } else if (answer.ok) this.remove(item.key);
    else {
      this.#update(item, { state: "failed", refusal: answer });
      this.#onFailed(answer);
    }
    return true;
  }

  #update({ key }, change) {
    this.#change((items) => items.map((item) => (item.key === key ? { ...item, ...change } : item)));
  }

  #change(change) {
    this.#store.change((state) => {
      state.unsent = change(state.unsent ?? []);
    });
    this.#storage.write(STORAGE_KEY, this.items);
  }
}

const asWaiting = ({ room, message, key }) => ({ room, message, key, state: "waiting" });

function isItem(item) {
  const hasAll = [item?.room, item?.message, item?.key].every((value) => typeof value === "string");
  return hasAll && item.message.length < MAX_CHARS && KEY.test(item.key);
}
