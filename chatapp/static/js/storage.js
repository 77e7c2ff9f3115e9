// What is kept in the browser. Where that is damaged, full or forbidden, it's kept in memory, and
// `onTrouble()` is told once.
export class Kept {
  #place;
  #memory = new Map();
  #onTrouble;

  // `open()` gives a Storage, or throws where there may be none.
  constructor(open, onTrouble = () => {}) {
    this.#onTrouble = onTrouble;
    try {
      this.#place = open();
    } catch {
      this.#troubled();
    }
  }

  // The object kept under `name`, or `fallback` if it's none.
  read(name, fallback = {}) {
    try {
      const text = this.#memory.get(name) ?? this.#place?.getItem(name);
      const value = JSON.parse(text ?? "null");
      return isAlike(value, fallback) ? value : fallback;
    } catch {
      return fallback;
    }
  }

  write(name, value) {
    const text = JSON.stringify(value);
    try {
      if (!this.#place) throw new Error("no storage");
      this.#place.setItem(name, text);
      this.#memory.delete(name);
    } catch {
      this.#memory.set(name, text);
      this.#troubled();
    }
  }

  #troubled() {
    const tell = this.#onTrouble;
    this.#onTrouble = () => {};
    tell();
  }
}

function isAlike(value, fallback) {
  if (typeof value !== "object" || value === null) return false;
  return Array.isArray(value) === Array.isArray(fallback);
}
