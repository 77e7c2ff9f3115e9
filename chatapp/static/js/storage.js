// A Storage that never throws. Damaged values read as the fallback. If the browser forbids storage or
// it is full, values stay in memory, and `onFailure()` is called once.
export class SafeStorage {
  #storage;
  #memory = new Map();
  #onFailure;

  // `open()` returns a Storage, or throws if the browser forbids it.
  constructor(open, onFailure = () => {}) {
    this.#onFailure = onFailure;
    try {
      this.#storage = open();
    } catch {
      this.#reportFailure();
    }
  }

  // The object or list stored under `name`, or `fallback` if the value is of another kind.
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
