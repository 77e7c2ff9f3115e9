import assert from "node:assert/strict";
import { test } from "node:test";
import { SafeStorage } from "../../chatapp/static/js/storage.js";

// A Storage that is full while `hasSpace()` is false.
function fakeStorage(hasSpace = () => true) {
  const items = new Map();
  return {
    getItem: (name) => items.get(name) ?? null,
    setItem(name, text) {
      if (!hasSpace()) throw new DOMException("full", "QuotaExceededError");
      items.set(name, text);
    },
  };
}

const forbidden = () => {
  throw new DOMException("no storage here", "SecurityError");
};

test("a written value is read, also through another SafeStorage", () => {
  const backend = fakeStorage();
  new SafeStorage(() => backend).write("a", { b: 1 });
  assert.deepEqual(new SafeStorage(() => backend).read("a"), { b: 1 });
});

test("a value that was never written reads as the fallback", () => {
  const fallback = { c: 2 };
  assert.equal(new SafeStorage(() => fakeStorage()).read("a", fallback), fallback);
});

for (const damaged of ["{", "", "1", '"text"', "null", "[1]"]) {
  test(`${JSON.stringify(damaged)} isn't an object and reads as the fallback`, () => {
    const backend = fakeStorage();
    backend.setItem("a", damaged);
    assert.deepEqual(new SafeStorage(() => backend).read("a"), {});
  });
}

test("an object in place of a list reads as the fallback", () => {
  const backend = fakeStorage();
  backend.setItem("a", "{}");
  assert.deepEqual(new SafeStorage(() => backend).read("a", []), []);
});

test("forbidden storage keeps values in memory", () => {
  const storage = new SafeStorage(forbidden);
  storage.write("a", { b: 1 });
  assert.deepEqual(storage.read("a"), { b: 1 });
});

test("forbidden storage is reported once", () => {
  let reports = 0;
  const storage = new SafeStorage(forbidden, () => (reports += 1));
  storage.write("a", {});
  storage.write("a", {});
  assert.equal(reports, 1);
});

test("full storage is reported once", () => {
  let reports = 0;
  const storage = new SafeStorage(
    () => fakeStorage(() => false),
    () => (reports += 1),
  );
  storage.write("a", {});
  storage.write("b", {});
  assert.equal(reports, 1);
});

test("working storage isn't reported", () => {
  let reports = 0;
  const storage = new SafeStorage(
    () => fakeStorage(),
    () => (reports += 1),
  );
  storage.write("a", {});
  storage.read("b");
  assert.equal(reports, 0);
});

test("a value that full storage refused hides the older one", () => {
  let hasRoom = true;
  const storage = new SafeStorage(() => fakeStorage(() => hasRoom));
  storage.write("a", { b: 1 });
  hasRoom = false;
  storage.write("a", { b: 2 });
  assert.deepEqual(storage.read("a"), { b: 2 });
});

test("once storage accepts values again, another tab's value is read", () => {
  let hasRoom = false;
  const backend = fakeStorage(() => hasRoom);
  const storage = new SafeStorage(() => backend);
  storage.write("a", { b: 1 });
  hasRoom = true;
  storage.write("a", { b: 2 });
  new SafeStorage(() => backend).write("a", { b: 3 });
  assert.deepEqual(storage.read("a"), { b: 3 });
});

test("a read value is a copy", () => {
  const storage = new SafeStorage(forbidden);
  storage.write("a", { b: 1 });
  storage.read("a").b = 2;
  assert.deepEqual(storage.read("a"), { b: 1 });
});
