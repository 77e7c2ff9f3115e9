import assert from "node:assert/strict";
import { test } from "node:test";
import { SafeStorage } from "../../chatapp/static/js/storage.js";

// A Storage; `allows()` says whether it takes what is written.
function fakeStorage(allows = () => true) {
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

test("what is written is read, by another SafeStorage of the same storage too", () => {
  const place = fakeStorage();
  new SafeStorage(() => place).write("a", { b: 1 });
  assert.deepEqual(new SafeStorage(() => place).read("a"), { b: 1 });
});

test("what was never written reads as the fallback", () => {
  const fallback = { c: 2 };
  assert.equal(new SafeStorage(() => fakeStorage()).read("a", fallback), fallback);
});

for (const damaged of ["{", "", "1", '"text"', "null", "[1]"]) {
  test(`${JSON.stringify(damaged)} is no object, and reads as the fallback`, () => {
    const place = fakeStorage();
    place.setItem("a", damaged);
    assert.deepEqual(new SafeStorage(() => place).read("a"), {});
  });
}

test("an object where a list should be reads as the fallback", () => {
  const place = fakeStorage();
  place.setItem("a", "{}");
  assert.deepEqual(new SafeStorage(() => place).read("a", []), []);
});

test("where there may be no storage, what is written is storage in memory", () => {
  const storage = new SafeStorage(forbidden);
  storage.write("a", { b: 1 });
  assert.deepEqual(storage.read("a"), { b: 1 });
});

test("a storage that is forbidden is told of once", () => {
  let told = 0;
  const storage = new SafeStorage(forbidden, () => (told += 1));
  storage.write("a", {});
  storage.write("a", {});
  assert.equal(told, 1);
});

test("a storage that is full is told of once", () => {
  let told = 0;
  const storage = new SafeStorage(
    () => fakeStorage(() => false),
    () => (told += 1),
  );
  storage.write("a", {});
  storage.write("b", {});
  assert.equal(told, 1);
});

test("a storage that works is not told of", () => {
  let told = 0;
  const storage = new SafeStorage(
    () => fakeStorage(),
    () => (told += 1),
  );
  storage.write("a", {});
  storage.read("b");
  assert.equal(told, 0);
});

test("what the full storage didn't take hides what it had before", () => {
  let hasRoom = true;
  const storage = new SafeStorage(() => fakeStorage(() => hasRoom));
  storage.write("a", { b: 1 });
  hasRoom = false;
  storage.write("a", { b: 2 });
  assert.deepEqual(storage.read("a"), { b: 2 });
});

test("once the storage takes things again, what another window writes is read", () => {
  let hasRoom = false;
  const place = fakeStorage(() => hasRoom);
  const storage = new SafeStorage(() => place);
  storage.write("a", { b: 1 });
  hasRoom = true;
  storage.write("a", { b: 2 });
  new SafeStorage(() => place).write("a", { b: 3 });
  assert.deepEqual(storage.read("a"), { b: 3 });
});

test("what is read is a copy", () => {
  const storage = new SafeStorage(forbidden);
  storage.write("a", { b: 1 });
  storage.read("a").b = 2;
  assert.deepEqual(storage.read("a"), { b: 1 });
});
