import assert from "node:assert/strict";
import { test } from "node:test";
import { Store } from "../../chatapp/static/js/store.js";

// A store whose next frame comes when `paint()` is called.
function createStore(state) {
  let calls = [];
  const store = new Store(state, (call) => calls.push(call));
  const paint = () => {
    const due = calls;
    calls = [];
    for (const call of due) call();
    return due.length;
  };
  return { store, paint };
}

test("a new subscriber gets the state at once", () => {
  const { store } = createStore({ a: 1 });
  const seen = [];
  store.subscribe(({ a }) => seen.push(a));
  assert.deepEqual(seen, [1]);
});

test("a change is in the state at once", () => {
  const { store } = createStore({ a: 1 });
  store.change((state) => (state.a = 2));
  assert.equal(store.state.a, 2);
});

test("subscribers get a change before the next frame, not at once", () => {
  const { store, paint } = createStore({ a: 1 });
  const seen = [];
  store.subscribe(({ a }) => seen.push(a));
  store.change((state) => (state.a = 2));
  assert.deepEqual(seen, [1]);
  paint();
  assert.deepEqual(seen, [1, 2]);
});

test("several changes before a frame notify subscribers once", () => {
  const { store, paint } = createStore({ a: 0 });
  const seen = [];
  store.subscribe(({ a }) => seen.push(a));
  for (let n = 1; n <= 3; n += 1) store.change((state) => (state.a = n));
  paint();
  assert.deepEqual(seen, [0, 3]);
});

test("subscribers are notified in the order in which they subscribed", () => {
  const { store, paint } = createStore({});
  const seen = [];
  store.subscribe(() => seen.push("first"));
  store.subscribe(() => seen.push("second"));
  store.change(() => {});
  paint();
  assert.deepEqual(seen.slice(2), ["first", "second"]);
});

test("a subscriber's own change is notified in the next frame", () => {
  const { store, paint } = createStore({ a: 0 });
  const seen = [];
  store.subscribe(({ a }) => {
    seen.push(a);
    if (a === 1) store.change((state) => (state.a = 2));
  });
  store.change((state) => (state.a = 1));
  paint();
  paint();
  assert.deepEqual(seen, [0, 1, 2]);
});

test("a subscriber that throws doesn't block later notifications", () => {
  const { store, paint } = createStore({ fails: false });
  let shown = 0;
  store.subscribe(({ fails }) => {
    if (fails) throw new Error("a view");
    shown += 1;
  });
  store.change((state) => (state.fails = true));
  assert.throws(paint);
  store.change((state) => (state.fails = false));
  paint();
  assert.equal(shown, 2);
});

test("without a change nothing is scheduled", () => {
  const { store, paint } = createStore({});
  store.subscribe(() => {});
  assert.equal(paint(), 0);
});
