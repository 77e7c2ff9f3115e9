// Fakes of the browser's storage and of the server, for the tests of the page's modules in tests/js.
import assert from "node:assert/strict";
import { SafeStorage } from "../../chatapp/static/js/storage.js";
import { Store } from "../../chatapp/static/js/store.js";

// A SafeStorage that keeps its items in memory.
export function memoryStorage() {
  const items = new Map();
  return new SafeStorage(() => ({ getItem: (name) => items.get(name) ?? null, setItem: (name, text) => items.set(name, text) }));
}

// A connection without a server. `answers` maps each event to its answer, or to a function that returns
// one. `deliver(event, …)` delivers an event from the server.
export class FakeConnection {
  isConnected = true;
  answers = {};
  #listeners = {};

  on(event, listener) {
    this.#listeners[event] = listener;
  }

  deliver(event, ...args) {
    this.#listeners[event](...args);
  }

  async request(event, parse, ...args) {
    const answer = this.answers[event] ?? null;
    const given = typeof answer === "function" ? await answer(...args) : answer;
    return given === null ? null : parse(given);
  }
}

// A store that fails the test if a room is changed outside `change`.
export class GuardedStore extends Store {
  #known;
  #depth = 0;

  constructor(state) {
    super(state, () => {});
    this.#known = snapshot(state);
  }

  change(mutate) {
    if (this.#depth === 0) this.check();
    this.#depth += 1;
    super.change(mutate);
    this.#depth -= 1;
    this.#known = snapshot(this.state);
  }

  check() {
    assert.deepEqual(snapshot(this.state), this.#known, "a room was changed outside store.change");
  }
}

function snapshot({ rooms }) {
  return [...rooms.values()].map((room) => {
    const ownedNames = ["Ann", "Anna"].filter((user) => room.isOwn({ user, id: 0 }, ""));
    return structuredClone({ ...room, ownedNames });
  });
}
