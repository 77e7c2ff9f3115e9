// The quiet line on the connection, who is typing, and what went wrong.
import { h, iconButton } from "../dom.js";
import { formatNames, translate } from "../i18n.js";

export class ConnectionLine {
  #place;
  #text;
  #retryButton;
  #timer;

  constructor(place, reconnect) {
    this.#place = place;
    this.#text = h("span");
    this.#retryButton = h("button", { type: "button", class: "link", hidden: true, onclick: reconnect });
    place.append(this.#text, " ", this.#retryButton);
  }

  render({ connection: { phase, retryAt } }) {
    clearTimeout(this.#timer);
    const count = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
    this.#text.textContent = translate(`connection.${phase}`, { count });
    this.#retryButton.textContent = translate("connection.now");
    this.#retryButton.hidden = phase !== "waiting";
    this.#place.dataset.phase = phase;
    if (phase === "waiting") this.#timer = setTimeout(() => this.render({ connection: { phase, retryAt } }), 1000);
  }
}

export class TypingLine {
  #place;
  #timer;

  constructor(place) {
    this.#place = place;
  }

  render(state) {
    clearTimeout(this.#timer);
    const room = state.rooms.get(state.view);
    const typingUsers = room ? room.typingUsers(Date.now()) : [];
    const text = typingUsers.length > 3 ? translate("people.manyTyping") : translate("people.typing", { names: formatNames(typingUsers), count: typingUsers.length });
    this.#place.textContent = typingUsers.length > 0 ? text : "";
    if (typingUsers.length > 0) this.#timer = setTimeout(() => this.render(state), 1000);
  }
}

// What went wrong, or was done: said once, and put away by hand.
export class Alerts {
  #place;

  constructor(place) {
    this.#place = place;
  }

  // `lasts`: it isn't over when one goes on.
  show(text, { isPersistent = false } = {}) {
    const isShown = [...this.#place.children].some((item) => item.firstChild.textContent === text);
    if (isShown) return;
    const item = h("p", { class: isPersistent ? "trouble lasts" : "trouble" }, h("span", {}, text));
    item.append(iconButton("close", translate("notice.dismiss"), () => item.remove()));
    this.#place.append(item);
  }

  // One goes on.
  clear() {
    for (const item of this.#place.querySelectorAll(".trouble:not(.lasts)")) item.remove();
  }
}
