// Announces messages to screen readers. Messages within a short time are announced together.
import { formatNames, translate } from "../i18n.js";

const FIRST_DELAY_MS = 300;
const MIN_INTERVAL_MS = 3000;
const MAX_CHARS = 200;

export class Announcer {
  #region;
  #messages = [];
  #timer = null;

  constructor(region) {
    this.#region = region;
  }

  addMessage({ user, message }) {
    this.#messages.push({ user, message });
    if (this.#timer === null) this.#timer = setTimeout(() => this.#flush(), FIRST_DELAY_MS);
  }

  // Announce a text now. The added space makes a repeated text a change, which is announced again.
  announce(text) {
    this.#region.textContent = this.#region.textContent === text ? `${text}\u00a0` : text;
  }

  #flush() {
    const messages = this.#messages;
    this.#messages = [];
    if (messages.length === 1) {
      const [{ user, message }] = messages;
      this.announce(translate("announce.message", { name: user, text: message.slice(0, MAX_CHARS) }));
    } else if (messages.length > 1) {
      const names = formatNames([...new Set(messages.map(({ user }) => user))]);
      this.announce(translate("announce.many", { count: messages.length, names }));
    }
    this.#timer = messages.length > 0 ? setTimeout(() => this.#flush(), MIN_INTERVAL_MS) : null;
  }
}
