// The line that says who is typing.
import { formatNames, translate } from "../i18n.js";

const MAX_NAMES = 3;

export class TypingLine {
  #element;
  #timer;

  constructor(element) {
    this.#element = element;
  }

  render(state) {
    clearTimeout(this.#timer);
    const room = state.rooms.get(state.view);
    const typingUsers = room ? room.typingUsers(Date.now()) : [];
    this.#element.textContent = textFor(typingUsers);
    if (typingUsers.length > 0) this.#timer = setTimeout(() => this.render(state), 1000); // they expire
  }
}

function textFor(users) {
  if (users.length === 0) return "";
  if (users.length > MAX_NAMES) return translate("people.manyTyping");
  return translate("people.typing", { names: formatNames(users), count: users.length });
}
