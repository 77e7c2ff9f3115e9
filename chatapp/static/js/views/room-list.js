// A list of rooms, each with its unread messages and mentions.
import { bdi, h, icon } from "../dom.js";
import { currentLanguage, formatNumber, translate } from "../i18n.js";
import { LOBBY } from "../rooms.js";

export const roomTitle = (name) => (name === LOBBY ? translate("room.lobby") : name);

export class RoomList {
  #list;
  #pathOf;
  #renderedKey = "";

  // `pathOf(name)`: the path of a room's page.
  constructor(list, pathOf) {
    this.#list = list;
    this.#pathOf = pathOf;
  }

  render({ rooms, view, me, ignored }) {
    const items = [...rooms.values()].map((room) => ({
      name: room.name,
      title: roomTitle(room.name),
      unread: room.countUnread(me.name, ignored),
      mentions: room.countMentions(me.name, ignored),
      isMuted: room.isMuted,
      isInView: room.name === view,
    }));
    const key = JSON.stringify([items, currentLanguage()]);
    if (key === this.#renderedKey) return;
    this.#renderedKey = key;
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    this.#list.replaceChildren(...items.map((item) => this.#render(item)));
    if (focused) this.#list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }

  #render({ name, title, unread, mentions, isMuted, isInView }) {
    const badges = [];
    if (mentions > 0) badges.push(badge("@", "mention", translate("room.mentions", { count: mentions })));
    if (unread > 0) badges.push(badge(formatNumber(Math.min(unread, 999)), "unread", translate("room.unread", { count: unread })));
    if (isMuted) badges.push(h("span", { class: "muted", title: translate("room.muted") }, icon("mute"), unseen(translate("room.muted"))));
    const link = { href: this.#pathOf(name), dataset: { room: name }, "aria-current": isInView ? "page" : null };
    const kind = unread > 0 && !isMuted ? "has-unread" : "";
    return h("li", {}, h("a", { ...link, class: kind }, h("span", { class: "name" }, bdi(title)), ...badges));
  }
}

const unseen = (label) => h("span", { class: "unseen" }, ` ${label}`);

function badge(text, kind, label) {
  return h("span", { class: `badge ${kind}`, title: label }, h("span", { "aria-hidden": "true" }, text), unseen(label));
}
