// The line with the state of the connection, and the button that reconnects at once.
import { h } from "../dom.js";
import { translate } from "../i18n.js";

export class ConnectionLine {
  #element;
  #text;
  #retryButton;
  #timer;

  constructor(element, reconnect) {
    this.#element = element;
    this.#text = h("span");
    this.#retryButton = h("button", { type: "button", class: "link", hidden: true, onclick: reconnect });
    element.append(this.#text, " ", this.#retryButton);
  }

  render({ connection: { phase, retryAt } }) {
    clearTimeout(this.#timer);
    const count = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
    this.#text.textContent = translate(`connection.${phase}`, { count });
    this.#retryButton.textContent = translate("connection.now");
    this.#retryButton.hidden = phase !== "waiting";
    this.#element.dataset.phase = phase;
    if (phase === "waiting") this.#timer = setTimeout(() => this.render({ connection: { phase, retryAt } }), 1000);
  }
}
