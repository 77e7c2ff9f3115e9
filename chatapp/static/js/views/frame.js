// What stands around the conversation: the room's head, the drawers of a small window, the forms.
import { icon, setProperties } from "../dom.js";
import { LOBBY } from "../rooms.js";
import { translate, translateRefusal } from "../i18n.js";
import { NameForm } from "./name-form.js";
import { roomTitle } from "./room-list.js";

const byId = (id) => document.getElementById(id);

export class Frame {
  #nameForm;
  #renameForm;
  #view;
  #shownRefusal = "";
  #isAway = false;
  #focus;

  // `actions`: setName(name), resume(), copyLink(), mute(), leave(), focus().
  constructor(actions) {
    this.#focus = actions.focus;
    this.#nameForm = new NameForm(byId("name-form"), actions.setName);
    this.#renameForm = new NameForm(byId("rename-form"), async (name) => {
      if (await actions.setName(name)) byId("rename").close();
    });
    for (const place of document.querySelectorAll("[data-icon]")) place.append(icon(place.dataset.icon));
    for (const [button, drawer] of [["show-rooms", "rooms"], ["show-people", "people"]]) {
      byId(button).addEventListener("click", () => this.#toggle(drawer));
    }
    for (const button of document.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => this.closeDrawers(true));
    }
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape" && !document.querySelector("dialog[open]")) this.closeDrawers(true);
    });
    window.matchMedia("(max-width: 64rem)").addEventListener("change", () => this.closeDrawers(false));
    byId("veil").addEventListener("click", () => this.closeDrawers(true));
    byId("show-settings").addEventListener("click", () => byId("settings").showModal());
    byId("change-name").addEventListener("click", () => this.#openRename());
    byId("copy-link").addEventListener("click", actions.copyLink);
    byId("mute").addEventListener("click", actions.mute);
    byId("leave").addEventListener("click", actions.leave);
    byId("come-back").addEventListener("click", actions.resume);
    byId("away").addEventListener("close", () => this.#isAway && byId("away").showModal());
  }

  render({ view, rooms, me, connection }) {
    const room = rooms.get(view);
    const hasChanged = view !== this.#view;
    this.#view = view;
    document.body.dataset.view = view === null ? "start" : "room";
    byId("room").hidden = view === null;
    byId("room-title").textContent = view === null ? "" : roomTitle(view);
    for (const id of ["copy-link", "leave", "mute", "show-people"]) byId(id).hidden = view === null;
    byId("leave").hidden ||= view === LOBBY;
    this.#renderMute(room);
    this.#renderName(me, view, hasChanged);
    this.#renderEmpty(room);
    byId("away-text").textContent = translate("connection.awayText", { name: me.requested });
    this.#isAway = connection.phase === "away";
    if (this.#isAway && !byId("away").open) byId("away").showModal();
    if (!this.#isAway && byId("away").open) byId("away").close();
    if (hasChanged) this.closeDrawers(false);
  }

  get nameForm() {
    return this.#nameForm;
  }

  closeDrawers(returnsFocus) {
    const open = document.querySelector(".drawer.is-open");
    if (!open) return;
    this.#show(open.id, false);
    if (returnsFocus) byId(`show-${open.id}`).focus();
  }

  #renderMute(room) {
    const isMuted = room?.isMuted === true;
    const text = translate(isMuted ? "room.unmute" : "room.mute");
    byId("mute").replaceChildren(icon(isMuted ? "mute" : "bell"));
    setProperties(byId("mute"), { "aria-label": text, title: text, "aria-pressed": String(isMuted) });
  }

  #renderName(me, view, hasChanged) {
    const isNameNeeded = me.name === "" && (me.requested === "" || me.refusal !== "");
    const wasNameFocused = !isNameNeeded && byId("name-form").contains(document.activeElement);
    byId("name-form").hidden = !isNameNeeded;
    byId("message-form").hidden = isNameNeeded;
    if (wasNameFocused) this.#focus();
    const isBlocked = isNameNeeded && view !== null && view !== LOBBY;
    byId("room").classList.toggle("is-closed", isBlocked);
    byId("invitation").textContent = isBlocked ? translate("room.choose", { room: view }) : "";
    byId("own-name").textContent = me.name || me.requested;
    byId("me").hidden = (me.name || me.requested) === "";
    this.#nameForm.suggest(me.requested || me.lastUsed);
    if (me.refusal !== this.#shownRefusal) {
      this.#shownRefusal = me.refusal;
      const form = byId("rename").open ? this.#renameForm : this.#nameForm;
      form.showRefusal(me.refusal);
    }
    if (hasChanged && isNameNeeded && this.#nameForm.isShown) this.#nameForm.focus();
  }

  #renderEmpty(room) {
    const place = byId("empty");
    let text = "";
    if (room?.refusal) text = translateRefusal(room.refusal);
    else if (room && !room.isLoaded) text = translate("room.reading");
    else if (room && room.entries.length === 0) text = translate(room.count < 2 && room.name !== LOBBY ? "room.emptyAlone" : "room.empty");
    if (place.textContent !== text) place.textContent = text;
    place.hidden = text === "";
  }

  #openRename() {
    this.#renameForm.edit(byId("own-name").textContent);
    byId("rename").showModal();
  }

  #toggle(drawer) {
    const isOpen = !byId(drawer).classList.contains("is-open");
    this.closeDrawers(false);
    this.#show(drawer, isOpen);
    if (isOpen) byId(drawer).querySelector("[data-close]").focus();
  }

  #show(drawer, isOpen) {
    byId(drawer).classList.toggle("is-open", isOpen);
    byId(`show-${drawer}`).setAttribute("aria-expanded", String(isOpen));
    byId("veil").hidden = !isOpen;
    for (const part of document.querySelectorAll("main, .skip, .drawer")) part.inert = isOpen && part.id !== drawer;
  }
}

// The page's own text: `data-i18n` is an element's text, `data-i18n-X` its attribute X.
export function translatePage(root = document) {
  for (const element of root.querySelectorAll("[data-i18n]")) element.textContent = translate(element.dataset.i18n);
  for (const [attribute, key] of [["aria-label", "i18nLabel"], ["placeholder", "i18nPlaceholder"], ["title", "i18nTitle"]]) {
    const selector = `[data-${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}]`;
    for (const element of root.querySelectorAll(selector)) {
      element.setAttribute(attribute, translate(element.dataset[key]));
      if (key === "i18nLabel" && element.tagName === "BUTTON") element.title = translate(element.dataset[key]);
    }
  }
}
