// The dialog in which one sets one's own settings.
import { bdi, h } from "../dom.js";
import { LANGUAGES, say } from "../words.js";

const CHOICES = {
  theme: ["system", "light", "dark", "contrast"],
  size: ["small", "normal", "large", "huge"],
  clock: ["language", "12", "24"],
};

export class SettingsDialog {
  #dialog;
  #settings;
  #shown = "";

  constructor(dialog, settings) {
    this.#dialog = dialog;
    this.#settings = settings;
  }

  draw({ settings }) {
    const shown = JSON.stringify([settings, say("settings.title"), permission()]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const place = this.#dialog.querySelector(".fields");
    const focused = place.contains(document.activeElement) ? document.activeElement.id : null;
    place.replaceChildren(
      this.#select("language", settings.language, { "": say("settings.browserLanguage"), ...LANGUAGES }),
      ...Object.entries(CHOICES).map(([name, choices]) => this.#select(name, settings[name], labelled(name, choices))),
      this.#checkbox("compact", settings),
      h(
        "fieldset",
        {},
        h("legend", {}, say("settings.attention")),
        this.#checkbox("sound", settings),
        this.#checkbox("notices", settings),
        settings.notices && permission() === "denied" && h("p", { class: "wrong" }, say("settings.noticesBlocked")),
        this.#checkbox("onlyMentions", settings),
      ),
      ...this.#ignored(settings.ignored),
    );
    if (focused) document.getElementById(focused)?.focus();
  }

  #select(name, value, options) {
    const id = `setting-${name}`;
    const items = Object.entries(options).map(([key, words]) => h("option", { value: key, selected: key === value }, words));
    const onchange = (event) => this.#settings.set(name, event.target.value);
    return h("div", { class: "field" }, h("label", { for: id }, say(`settings.${name}`)), h("select", { id, onchange }, items));
  }

  #checkbox(name, settings) {
    const id = `setting-${name}`;
    const onchange = (event) => this.#check(name, event.target.checked);
    const box = h("input", { type: "checkbox", id, checked: settings[name], onchange });
    return h("div", { class: "field check" }, box, h("label", { for: id }, say(`settings.${name}`)));
  }

  // Notices are asked for only when they're switched on.
  async #check(name, isOn) {
    this.#settings.set(name, isOn);
    if (name === "notices" && isOn) {
      await globalThis.Notification?.requestPermission();
      this.#settings.set(name, isOn);
    }
  }

  #ignored(users) {
    if (users.length === 0) return [];
    const items = users.map((user) => {
      const label = say("people.unignore", { name: user });
      return h("li", {}, bdi(user), h("button", { type: "button", class: "link", onclick: () => this.#settings.unignore(user) }, label));
    });
    return [h("fieldset", {}, h("legend", {}, say("settings.ignored")), h("ul", { class: "plain" }, items))];
  }
}

function labelled(name, choices) {
  return Object.fromEntries(choices.map((choice) => [choice, say(`settings.${name}.${choice}`)]));
}

const permission = () => globalThis.Notification?.permission ?? "denied";
