// Tells a screen reader what comes, in few words: several messages within a while are one.
import { formatNames, translate } from "../i18n.js";

const FIRST_MS = 300;
const EVERY_MS = 3000;
const MOST_CHARS = 200;

export class Announcer {
  #place;
  #messages = [];
  #timer = null;

  constructor(place) {
    this.#place = place;
  }

  message({ user, message }) {
    this.#messages.push({ user, message });
    if (this.#timer === null) this.#timer = setTimeout(() => this.#tell(), FIRST_MS);
  }

  // Said at once; also where it is the same again.
  now(words) {
    this.#place.textContent = this.#place.textContent === words ? `${words}\u00a0` : words;
  }

  #tell() {
    const messages = this.#messages;
    this.#messages = [];
    if (messages.length === 1) {
      const [{ user, message }] = messages;
      this.now(translate("announce.message", { name: user, text: message.slice(0, MOST_CHARS) }));
    } else if (messages.length > 1) {
      const names = formatNames([...new Set(messages.map(({ user }) => user))]);
      this.now(translate("announce.many", { count: messages.length, names }));
    }
    this.#timer = messages.length > 0 ? setTimeout(() => this.#tell(), EVERY_MS) : null;
  }
}
