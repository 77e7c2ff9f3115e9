// The header of the room in view: its title and its buttons.
import { icon, setProperties } from "../dom.js";
import { translate } from "../i18n.js";
import { LOBBY } from "../rooms.js";
import { roomTitle } from "./room-list.js";

const byId = (id) => document.getElementById(id);

export class RoomHeader {
  // `actions`: copyLink(), mute(), leave().
  constructor(actions) {
    byId("copy-link").addEventListener("click", actions.copyLink);
    byId("mute").addEventListener("click", actions.mute);
    byId("leave").addEventListener("click", actions.leave);
  }

  render({ view, rooms }) {
    byId("room-title").textContent = view === null ? "" : roomTitle(view);
    for (const id of ["copy-link", "leave", "mute", "show-people"]) byId(id).hidden = view === null;
    byId("leave").hidden ||= view === LOBBY;
    this.#renderMute(rooms.get(view)?.isMuted === true);
  }

  #renderMute(isMuted) {
    const text = translate(isMuted ? "room.unmute" : "room.mute");
    byId("mute").replaceChildren(icon(isMuted ? "mute" : "bell"));
    setProperties(byId("mute"), { "aria-label": text, title: text, "aria-pressed": String(isMuted) });
  }
}
