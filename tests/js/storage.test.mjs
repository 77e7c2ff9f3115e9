import assert from "node:assert/strict";
import { test } from "node:test";
import { Kept } from "../../chatapp/static/js/storage.js";

// A Storage; `allows()` says whether it takes what is written.
function storage(allows = () => true) {
  const items = new Map();
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem(name, text) {
      if (!allows()) throw new DOMException("full", "QuotaExceededError");
      items.set(name, text);
    },
  };
}

const forbidden = () => {
  throw new DOMException("no storage here", "SecurityError");
};

test("what is written is read, by another Kept of the same storage too", () => {
  const place = storage();
  new Kept(() => place).write("a", { b: 1 });
  assert.deepEqual(new Kept(() => place).read("a"), { b: 1 });
});

test("what was never written reads as the fallback", () => {
  const fallback = { c: 2 };
  assert.equal(new Kept(() => storage()).read("a", fallback), fallback);
});

for (const damaged of ["{", "", "1", '"text"', "null", "[1]"]) {
  test(`${JSON.stringify(damaged)} is no object, and reads as the fallback`, () => {
    const place = storage();
    place.setItem("a", damaged);
    assert.deepEqual(new Kept(() => place).read("a"), {});
  });
}

test("an object where a list should be reads as the fallback", () => {
  const place = storage();
  place.setItem("a", "{}");
  assert.deepEqual(new Kept(() => place).read("a", []), []);
});

test("where there may be no storage, what is written is kept in memory", () => {
  const kept = new Kept(forbidden);
  kept.write("a", { b: 1 });
  assert.deepEqual(kept.read("a"), { b: 1 });
});

test("a storage that is forbidden is told of once", () => {
  let told = 0;
  const kept = new Kept(forbidden, () => (told += 1));
  kept.write("a", {});
  kept.write("a", {});
  assert.equal(told, 1);
});

test("a storage that is full is told of once", () => {
  let told = 0;
  const kept = new Kept(
    () => storage(() => false),
    () => (told += 1),
  );
  kept.write("a", {});
  kept.write("b", {});
  assert.equal(told, 1);
});

test("a storage that works is not told of", () => {
  let told = 0;
  const kept = new Kept(
    () => storage(),
    () => (told += 1),
  );
  kept.write("a", {});
  kept.read("b");
  assert.equal(told, 0);
});

test("what the full storage didn't take hides what it had before", () => {
  let hasRoom = true;
  const kept = new Kept(() => storage(() => hasRoom));
  kept.write("a", { b: 1 });
  hasRoom = false;
  kept.write("a", { b: 2 });
  assert.deepEqual(kept.read("a"), { b: 2 });
});

test("once the storage takes things again, what another window writes is read", () => {
  let hasRoom = false;
  const place = storage(() => hasRoom);
  const kept = new Kept(() => place);
  kept.write("a", { b: 1 });
  hasRoom = true;
  kept.write("a", { b: 2 });
  new Kept(() => place).write("a", { b: 3 });
  assert.deepEqual(kept.read("a"), { b: 3 });
});

test("what is read is a copy", () => {
  const kept = new Kept(forbidden);
  kept.write("a", { b: 1 });
  kept.read("a").b = 2;
  assert.deepEqual(kept.read("a"), { b: 1 });
});
