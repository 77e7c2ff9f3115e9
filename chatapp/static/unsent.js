// Messages that the server hasn't acknowledged: sent in their order, each once, and kept over a lost
// connection and a reload. Each has a key, so that to say it again is to say it once.
const RETRY_MS = 1000;

export class Unsent {
  #list;
  #storage;
  #place;
  #say;
  #refused;
  #messages;
  #sending = false;

  // `say(message, key)` resolves to the server's answer, or to null if there's none.
  constructor(list, storage, room, say, refused) {
    this.#list = list;
    this.#storage = storage;
    this.#place = `chat.unsent.${room}`;
    this.#say = say;
    this.#refused = refused;
    this.#messages = JSON.parse(storage.getItem(this.#place) ?? "[]");
    this.#draw();
  }

  add(message) {
    this.#messages.push({ message, key: newKey() });
    this.#keep();
    this.send();
  }

  // Send all that waits; called again whenever the server may take it.
  async send() {
    if (this.#sending) return;
    this.#sending = true;
    while (this.#messages.length > 0) {
      const [{ message, key }] = this.#messages;
      const answer = await this.#say(message, key);
      if (answer === null || answer.code === "name_required" || answer.code === "not_in_room") break;
      if (answer.code === "rate_limited" || answer.code === "unavailable") {
        await new Promise((resume) => setTimeout(resume, answer.retryAfter ?? RETRY_MS));
        continue;
      }
      this.#messages.shift();
      this.#keep();
      if (!answer.ok) this.#refused(answer.message, message);
    }
    this.#sending = false;
  }

  #keep() {
    this.#storage.setItem(this.#place, JSON.stringify(this.#messages));
    this.#draw();
  }

  #draw() {
    const items = this.#messages.map(({ message }) => {
      const item = document.createElement("li");
      item.dir = "auto";
      item.textContent = message;
      return item;
    });
    this.#list.replaceChildren(...items);
  }
}

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
