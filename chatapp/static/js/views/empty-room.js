// The text in place of messages: why there are none in the room in view.
import { translate, translateRefusal } from "../i18n.js";
import { LOBBY } from "../rooms.js";

export class EmptyRoom {
  #element;

  constructor(element) {
    this.#element = element;
  }

  render({ view, rooms }) {
    const text = textFor(rooms.get(view));
    if (this.#element.textContent !== text) this.#element.textContent = text;
    this.#element.hidden = text === "";
  }
}

function textFor(room) {
  if (!room) return "";
  if (room.refusal) return translateRefusal(room.refusal);
  if (!room.isLoaded) return translate("room.reading");
  if (room.entries.length > 0) return "";
  return translate(room.count < 2 && room.name !== LOBBY ? "room.emptyAlone" : "room.empty");
}
