// The quiet line on the connection, who is typing, and what went wrong.
import { h, iconButton } from "../dom.js";
import { formatNames, translate } from "../i18n.js";

export class ConnectionLine {
  #place;
  #words;
  #now;
  #timer;

  constructor(place, tryNow) {
    this.#place = place;
    this.#words = h("span");
    this.#now = h("button", { type: "button", class: "link", hidden: true, onclick: tryNow });
    place.append(this.#words, " ", this.#now);
  }

  draw({ connection: { phase, retryAt } }) {
    clearTimeout(this.#timer);
    const count = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
    this.#words.textContent = translate(`connection.${phase}`, { count });
    this.#now.textContent = translate("connection.now");
    this.#now.hidden = phase !== "waiting";
    this.#place.dataset.phase = phase;
    if (phase === "waiting") this.#timer = setTimeout(() => this.draw({ connection: { phase, retryAt } }), 1000);
  }
}

export class TypingLine {
  #place;
  #timer;

  constructor(place) {
    this.#place = place;
  }

  draw(state) {
    clearTimeout(this.#timer);
    const room = state.rooms.get(state.view);
    const typingUsers = room ? room.typingUsers(Date.now()) : [];
    const words = typingUsers.length > 3 ? translate("people.manyTyping") : translate("people.typing", { names: formatNames(typingUsers), count: typingUsers.length });
    this.#place.textContent = typingUsers.length > 0 ? words : "";
    if (typingUsers.length > 0) this.#timer = setTimeout(() => this.draw(state), 1000);
  }
}

// What went wrong, or was done: said once, and put away by hand.
export class Troubles {
  #place;

  constructor(place) {
    this.#place = place;
  }

  // `lasts`: it isn't over when one goes on.
  tell(words, { lasts = false } = {}) {
    const isTold = [...this.#place.children].some((item) => item.firstChild.textContent === words);
    if (isTold) return;
    const item = h("p", { class: lasts ? "trouble lasts" : "trouble" }, h("span", {}, words));
    item.append(iconButton("close", translate("notice.dismiss"), () => item.remove()));
    this.#place.append(item);
  }

  // One goes on.
  clear() {
    for (const item of this.#place.querySelectorAll(".trouble:not(.lasts)")) item.remove();
  }
}
