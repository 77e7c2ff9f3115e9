// The user's settings, stored in this browser. All its tabs follow a change.
import { LANGUAGES } from "./i18n.js";
import { canonicalName } from "./identity.js";

const STORAGE_KEY = "chat.settings";
export const CHOICES = {
  theme: ["system", "light", "dark", "contrast"],
  size: ["small", "normal", "large", "huge"],
  clock: ["language", "12", "24"],
  language: ["", ...Object.keys(LANGUAGES)],
};
const DEFAULTS = {
  theme: "system",
  size: "normal",
  clock: "language",
  language: "",
  compact: false,
  sound: false,
  notices: false,
  onlyMentions: false,
  ignored: [],
};

// The stored settings that have valid values, and the defaults for the others.
function validSettings(stored) {
  const settings = { ...DEFAULTS };
  for (const [name, value] of Object.entries(stored)) {
    if (isValid(name, value)) settings[name] = value;
  }
  const ignored = Array.isArray(settings.ignored) ? settings.ignored : [];
  return { ...settings, ignored: ignored.filter((name) => typeof name === "string") };
}

function isValid(name, value) {
  if (Object.hasOwn(CHOICES, name)) return CHOICES[name].includes(value);
  return Object.hasOwn(DEFAULTS, name) && typeof value === typeof DEFAULTS[name];
}

export class Settings {
  #store;
  #storage;

  constructor(store, storage) {
    this.#store = store;
    this.#storage = storage;
    this.#load();
    window.addEventListener("storage", ({ key }) => key === STORAGE_KEY && this.#load());
  }

  set(name, value) {
    this.#storage.write(STORAGE_KEY, { ...this.#store.state.settings, [name]: value });
    this.#load();
  }

  ignore(user) {
    this.set("ignored", [...this.#without(user), user]);
  }

  unignore(user) {
    this.set("ignored", this.#without(user));
  }

  #without(user) {
    return this.#store.state.settings.ignored.filter((name) => canonicalName(name) !== canonicalName(user));
  }

  #load() {
    const settings = validSettings(this.#storage.read(STORAGE_KEY));
    this.#store.change((state) => Object.assign(state, { settings, ignored: new Set(settings.ignored.map(canonicalName)) }));
    window.applyAppearance(settings);
  }
}
