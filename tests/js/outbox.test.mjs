import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { Outbox } from "../../chatapp/static/js/outbox.js";
import { Store } from "../../chatapp/static/js/store.js";
import { memoryStorage } from "../support/page.mjs";

// An outbox whose server answers what `answers` has, one after the other; then it takes everything.
function opened({ answers = [], storage = memoryStorage() } = {}) {
  const said = [];
  const waits = [];
  const sendMessage = async (room, message, key) => {
    said.push({ room, message, key });
    const answer = answers.length > 0 ? answers.shift() : { ok: true, id: said.length };
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const wait = async (ms) => void waits.push(ms);
  const outbox = new Outbox(new Store({ unsent: [] }, () => {}), storage, { sendMessage }, wait);
  return { outbox, said, waits, storage };
}

const refused = (code, rest = {}) => ({ ok: false, code, message: "No.", ...rest });
const statesOf = ({ items }) => items.map(({ message, state }) => [message, state]);
const textsOf = (said) => said.map(({ message }) => message);

test("a message that is taken is no longer there", async () => {
  const { outbox, said } = opened();
  outbox.add("den", "hi");
  await settled();
  assert.deepEqual([textsOf(said), outbox.items], [["hi"], []]);
});

test("a message is being sent until it's answered", () => {
  const { outbox } = opened();
  outbox.add("den", "hi");
  assert.deepEqual(statesOf(outbox), [["hi", "sending"]]);
});

test("messages are said in the order in which they were written", async () => {
  const { outbox, said } = opened();
  for (const text of ["a", "b", "c"]) outbox.add("den", text);
  await settled();
  assert.deepEqual(textsOf(said), ["a", "b", "c"]);
});

test("a message is said after the answer to the one before", () => {
  const { outbox, said } = opened();
  outbox.add("den", "a");
  outbox.add("den", "b");
  assert.deepEqual(textsOf(said), ["a"]);
});

test("one room doesn't wait for another", () => {
  const { outbox, said } = opened();
  outbox.add("den", "a");
  outbox.add("attic", "b");
  assert.deepEqual(textsOf(said), ["a", "b"]);
});

test("every message has a key of its own", async () => {
  const { outbox, said } = opened();
  for (const text of ["a", "a"]) outbox.add("den", text);
  await settled();
  assert.notEqual(said[0].key, said[1].key);
});

test("a message that the connection lost waits, and those after it too", async () => {
  const { outbox, said } = opened({ answers: [null] });
  outbox.add("den", "a");
  outbox.add("den", "b");
  await settled();
  assert.deepEqual([textsOf(said), statesOf(outbox)], [["a"], [["a", "waiting"], ["b", "waiting"]]]);
});

test("after a lost connection a message is said again with its key", async () => {
  const { outbox, said } = opened({ answers: [null] });
  outbox.add("den", "a");
  await settled();
  await outbox.flush("den");
  assert.equal(said[1].key, said[0].key);
});

for (const code of ["name_required", "not_in_room"]) {
  test(`a message that comes too early (${code}) waits`, async () => {
    const { outbox } = opened({ answers: [refused(code)] });
    outbox.add("den", "a");
    await settled();
    assert.deepEqual(statesOf(outbox), [["a", "waiting"]]);
  });
}

for (const code of ["rate_limited", "unavailable"]) {
  test(`a message that is refused for now (${code}) is said again, with its key`, async () => {
    const { outbox, said } = opened({ answers: [refused(code)] });
    outbox.add("den", "a");
    await settled();
    assert.deepEqual([said.length, said[1].key], [2, said[0].key]);
  });
}

test("it's said again after as long as the server asks", async () => {
  const { outbox, waits } = opened({ answers: [refused("rate_limited", { retryAfter: 1234 })] });
  outbox.add("den", "a");
  await settled();
  assert.deepEqual(waits, [1234]);
});

test("where the server doesn't say how long, it's said again after a second", async () => {
  const { outbox, waits } = opened({ answers: [refused("unavailable")] });
  outbox.add("den", "a");
  await settled();
  assert.deepEqual(waits, [1000]);
});

test("a message that is refused for now stays before the next one", async () => {
  const { outbox, said } = opened({ answers: [refused("rate_limited")] });
  outbox.add("den", "a");
  outbox.add("den", "b");
  await settled();
  assert.deepEqual(textsOf(said), ["a", "a", "b"]);
});

test("a message that is refused for good has failed, and says why", async () => {
  const { outbox } = opened({ answers: [refused("message_empty")] });
  outbox.add("den", "a");
  await settled();
  const [{ state, refusal }] = outbox.items;
  assert.deepEqual([state, refusal.code], ["failed", "message_empty"]);
});

test("a message that failed doesn't hold up the next one", async () => {
  const { outbox, said } = opened({ answers: [refused("message_empty")] });
  outbox.add("den", "a");
  outbox.add("den", "b");
  await settled();
  assert.deepEqual(textsOf(said), ["a", "b"]);
});

test("a message that failed isn't said again by itself", async () => {
  const { outbox, said } = opened({ answers: [refused("message_empty")] });
  outbox.add("den", "a");
  await settled();
  await outbox.flush("den");
  assert.equal(said.length, 1);
});

test("a message that failed is said again when it's asked for, with its key", async () => {
  const { outbox, said } = opened({ answers: [refused("internal")] });
  outbox.add("den", "a");
  await settled();
  outbox.retry(outbox.items[0]);
  await settled();
  assert.deepEqual([said.length, said[1].key, outbox.items], [2, said[0].key, []]);
});

test("a message that is said again has no refusal any more", async () => {
  const { outbox } = opened({ answers: [refused("internal"), null] });
  outbox.add("den", "a");
  await settled();
  outbox.retry(outbox.items[0]);
  await settled();
  assert.ok(!("refusal" in outbox.items[0]));
});

test("a message that is removed isn't said", async () => {
  const { outbox, said } = opened();
  outbox.add("den", "a");
  outbox.add("den", "b");
  outbox.remove(outbox.items[1].key);
  await settled();
  assert.deepEqual(textsOf(said), ["a"]);
});

test("a message that is removed while it's sent doesn't come back", async () => {
  const { outbox } = opened({ answers: [null] });
  outbox.add("den", "a");
  outbox.remove(outbox.items[0].key);
  await settled();
  assert.deepEqual(outbox.items, []);
});

test("an answer that is odd is thrown, and the message waits", async () => {
  const storage = memoryStorage();
  storage.write("chat.unsent", [{ room: "den", message: "a", key: "key-0001" }]);
  const { outbox } = opened({ storage, answers: [new Error("odd")] });
  await assert.rejects(outbox.flush("den"), /odd/);
  assert.deepEqual(statesOf(outbox), [["a", "waiting"]]);
});

test("after an odd answer messages can be sent again", async () => {
  const storage = memoryStorage();
  storage.write("chat.unsent", [{ room: "den", message: "a", key: "key-0001" }]);
  const { outbox } = opened({ storage, answers: [new Error("odd")] });
  await outbox.flush("den").catch(() => {});
  await outbox.flush("den");
  assert.deepEqual(outbox.items, []);
});

test("what isn't sent outlives a reload, with its key, and waits", async () => {
  const { outbox, storage } = opened({ answers: [null] });
  outbox.add("den", "a");
  await settled();
  const [{ key }] = outbox.items;
  assert.deepEqual(opened({ storage }).outbox.items, [{ room: "den", message: "a", key, state: "waiting" }]);
});

test("what was being sent when the page was left waits after a reload", () => {
  const { outbox, storage } = opened();
  outbox.add("den", "a");
  assert.deepEqual(statesOf(opened({ storage }).outbox), [["a", "waiting"]]);
});

test("what was sent doesn't come back after a reload", async () => {
  const { outbox, storage } = opened();
  outbox.add("den", "a");
  await settled();
  assert.deepEqual(opened({ storage }).outbox.items, []);
});

test("what is damaged in the storage is left out", () => {
  const storage = memoryStorage();
  storage.write("chat.unsent", [null, 1, { room: "den" }, { room: "den", message: "a", key: "key-0001", state: "failed" }]);
  assert.deepEqual(opened({ storage }).outbox.items, [{ room: "den", message: "a", key: "key-0001", state: "waiting" }]);
});

test("what isn't sent yet goes with the room that one leaves, and only that", () => {
  const { outbox } = opened({ answers: [null, null] });
  outbox.add("den", "one");
  outbox.add("attic", "two");
  outbox.removeRoom("den");
  assert.deepEqual(textsOf(outbox.items), ["two"]);
});
