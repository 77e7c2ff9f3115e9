// The dialog for the user's settings.
import { bdi, h } from "../dom.js";
import { LANGUAGES, translate } from "../i18n.js";
import { CHOICES } from "../settings.js";

const SELECTS = ["theme", "size", "clock"];

export class SettingsDialog {
  #dialog;
  #settings;
  #renderedKey = "";

  constructor(dialog, settings) {
    this.#dialog = dialog;
    this.#settings = settings;
  }

  render({ settings }) {
    const key = JSON.stringify([settings.ignored, translate("settings.title"), settings.notices && notificationPermission()]);
    if (key !== this.#renderedKey) this.#build(settings);
    this.#renderedKey = key;
    for (const [name, value] of Object.entries(settings)) {
      const field = document.getElementById(`setting-${name}`);
      if (field?.type === "checkbox") field.checked = value;
      else if (field) field.value = value;
    }
  }

  #build(settings) {
    const fields = this.#dialog.querySelector(".fields");
    const focused = fields.contains(document.activeElement) ? document.activeElement.id : null;
    fields.replaceChildren(
      this.#select("language", { "": translate("settings.browserLanguage"), ...LANGUAGES }),
      ...SELECTS.map((name) => this.#select(name, optionLabels(name, CHOICES[name]))),
      this.#checkbox("compact"),
      h(
        "fieldset",
        {},
        h("legend", {}, translate("settings.attention")),
        this.#checkbox("sound"),
        this.#checkbox("notices"),
        settings.notices && notificationPermission() === "denied" && h("p", { class: "wrong" }, translate("settings.noticesBlocked")),
        this.#checkbox("onlyMentions"),
      ),
      ...this.#ignored(settings.ignored),
    );
    if (focused !== null) (document.getElementById(focused) ?? this.#dialog.querySelector(".dialog-foot button")).focus();
  }

  #select(name, options) {
    const id = `setting-${name}`;
    const items = Object.entries(options).map(([key, label]) => h("option", { value: key }, label));
    const onchange = (event) => this.#settings.set(name, event.target.value);
    return h("div", { class: "field" }, h("label", { for: id }, translate(`settings.${name}`)), h("select", { id, onchange }, items));
  }

  #checkbox(name) {
    const id = `setting-${name}`;
    const onchange = (event) => this.#setChecked(name, event.target.checked);
    const box = h("input", { type: "checkbox", id, onchange });
    return h("div", { class: "field check" }, box, h("label", { for: id }, translate(`settings.${name}`)));
  }

  // Ask for the permission to show notifications only when the user switches them on.
  async #setChecked(name, isOn) {
    this.#settings.set(name, isOn);
    if (name === "notices" && isOn) {
      await globalThis.Notification?.requestPermission();
      this.#settings.set(name, isOn);
    }
  }

  #ignored(users) {
    if (users.length === 0) return [];
    const items = users.map((user) => {
      const label = translate("people.unignore", { name: user });
      return h("li", {}, bdi(user), h("button", { type: "button", class: "link", onclick: () => this.#settings.unignore(user) }, label));
    });
    return [h("fieldset", {}, h("legend", {}, translate("settings.ignored")), h("ul", { class: "plain" }, items))];
  }
}

function optionLabels(name, choices) {
  return Object.fromEntries(choices.map((choice) => [choice, translate(`settings.${name}.${choice}`)]));
}

const notificationPermission = () => globalThis.Notification?.permission ?? "denied";
