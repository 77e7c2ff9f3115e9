import assert from "node:assert/strict";
import { test } from "node:test";
import { Store } from "../../chatapp/static/js/store.js";

// A store whose time to paint comes when `paint()` is called.
function painted(state) {
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

test("a view is shown the state as soon as it follows", () => {
  const { store } = painted({ a: 1 });
  const seen = [];
  store.subscribe(({ a }) => seen.push(a));
  assert.deepEqual(seen, [1]);
});

test("a change is in the state at once", () => {
  const { store } = painted({ a: 1 });
  store.change((state) => (state.a = 2));
  assert.equal(store.state.a, 2);
});

test("a change is shown before the next painting, not at once", () => {
  const { store, paint } = painted({ a: 1 });
  const seen = [];
  store.subscribe(({ a }) => seen.push(a));
  store.change((state) => (state.a = 2));
  assert.deepEqual(seen, [1]);
  paint();
  assert.deepEqual(seen, [1, 2]);
});

test("many changes before a painting are shown once", () => {
  const { store, paint } = painted({ a: 0 });
  const seen = [];
  store.subscribe(({ a }) => seen.push(a));
  for (let n = 1; n <= 3; n += 1) store.change((state) => (state.a = n));
  paint();
  assert.deepEqual(seen, [0, 3]);
});

test("all views follow, in the order that they came in", () => {
  const { store, paint } = painted({});
  const seen = [];
  store.subscribe(() => seen.push("first"));
  store.subscribe(() => seen.push("second"));
  store.change(() => {});
  paint();
  assert.deepEqual(seen.slice(2), ["first", "second"]);
});

test("a view's own change is shown at the next painting", () => {
  const { store, paint } = painted({ a: 0 });
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

test("a view that fails doesn't keep later changes from being shown", () => {
  const { store, paint } = painted({ fails: false });
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

test("without a change there is nothing to paint", () => {
  const { store, paint } = painted({});
  store.subscribe(() => {});
  assert.equal(paint(), 0);
});
