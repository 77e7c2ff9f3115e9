// The start page: creates a room, opens one by its name, and lists the user's rooms.
import { translate } from "../i18n.js";
import { LOBBY, ROOM } from "../rooms.js";
import { RoomList } from "./room-list.js";

export class StartPage {
  #section;
  #rooms;

  // `actions`: createRoom(), open(name); `pathOf(name)`: the path of a room's page.
  constructor(section, actions, pathOf) {
    this.#section = section;
    this.#rooms = new RoomList(section.querySelector("ul"), pathOf);
    for (const button of document.querySelectorAll(".new-room")) button.addEventListener("click", () => actions.createRoom());
    const lobby = section.querySelector(".lobby");
    lobby.href = pathOf(LOBBY);
    lobby.dataset.room = LOBBY;
    const form = section.querySelector("form");
    const input = form.querySelector("input");
    const error = form.querySelector("[role=alert]");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = input.value.trim().toLowerCase();
      const isName = ROOM.test(name);
      error.textContent = isName ? "" : translate("start.badRoom");
      input.setAttribute("aria-invalid", String(!isName));
      if (isName) actions.open(name);
    });
  }

  render(state) {
    this.#section.hidden = state.view !== null;
    if (state.view !== null) return;
    const others = new Map([...state.rooms].filter(([name]) => name !== LOBBY));
    this.#section.querySelector(".your-rooms").hidden = others.size === 0;
    this.#rooms.render({ ...state, rooms: others });
  }
}
