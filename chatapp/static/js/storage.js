// What is kept in the browser. Where that is damaged, full or forbidden, it's kept in memory, and
// `onFailure()` is told once.
export class SafeStorage {
  #storage;
  #memory = new Map();
  #onFailure;

  // `open()` gives a Storage, or throws where there may be none.
  constructor(open, onFailure = () => {}) {
    this.#onFailure = onFailure;
    try {
      this.#storage = open();
    } catch {
      this.#reportFailure();
    }
  }

  // The object kept under `name`, or `fallback` if it's none.
  read(name, fallback = {}) {
    try {
      const text = this.#memory.get(name) ?? this.#storage?.getItem(name);
      const value = JSON.parse(text ?? "null");
      return hasSameShape(value, fallback) ? value : fallback;
    } catch {
      return fallback;
    }
  }

  write(name, value) {
    const text = JSON.stringify(value);
    try {
      if (!this.#storage) throw new Error("no storage");
      this.#storage.setItem(name, text);
      this.#memory.delete(name);
    } catch {
      this.#memory.set(name, text);
      this.#reportFailure();
    }
  }

  #reportFailure() {
    const report = this.#onFailure;
    this.#onFailure = () => {};
    report();
  }
}

function hasSameShape(value, fallback) {
  if (typeof value !== "object" || value === null) return false;
  return Array.isArray(value) === Array.isArray(fallback);
}
