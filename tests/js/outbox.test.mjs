import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { Outbox } from "../../chatapp/static/js/outbox.js";
import { Store } from "../../chatapp/static/js/store.js";
import { memoryStorage } from "../support/page.mjs";

// An outbox whose server gives the `answers` in turn, and then accepts each message.
function createOutbox({ answers = [], storage = memoryStorage() } = {}) {
  const sent = [];
  const waits = [];
  const sendMessage = async (room, message, key) => {
    sent.push({ room, message, key });
    const answer = answers.length > 0 ? answers.shift() : { ok: true, id: sent.length };
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const wait = async (ms) => void waits.push(ms);
  const outbox = new Outbox(new Store({ unsent: [] }, () => {}), storage, { sendMessage }, wait);
  return { outbox, sent, waits, storage };
}

const refused = (code, rest = {}) => ({ ok: false, code, message: "No.", ...rest });
const statesOf = ({ items }) => items.map(({ message, state }) => [message, state]);
const textsOf = (sent) => sent.map(({ message }) => message);

test("an accepted message is removed", async () => {
  const { outbox, sent } = createOutbox();
  outbox.add("den", "hi");
  await settled();
  assert.deepEqual([textsOf(sent), outbox.items], [["hi"], []]);
});

test("a message is in the state `sending` until its answer", () => {
  const { outbox } = createOutbox();
  outbox.add("den", "hi");
  assert.deepEqual(statesOf(outbox), [["hi", "sending"]]);
});

test("messages are sent in the order in which they were added", async () => {
  const { outbox, sent } = createOutbox();
  for (const text of ["a", "b", "c"]) outbox.add("den", text);
  await settled();
  assert.deepEqual(textsOf(sent), ["a", "b", "c"]);
});

test("a message is sent after the answer to the one before", () => {
  const { outbox, sent } = createOutbox();
  outbox.add("den", "a");
  outbox.add("den", "b");
  assert.deepEqual(textsOf(sent), ["a"]);
});

test("rooms don't wait for each other", () => {
  const { outbox, sent } = createOutbox();
  outbox.add("den", "a");
  outbox.add("attic", "b");
  assert.deepEqual(textsOf(sent), ["a", "b"]);
});

test("each message has its own key", async () => {
  const { outbox, sent } = createOutbox();
  for (const text of ["a", "a"]) outbox.add("den", text);
  await settled();
  assert.notEqual(sent[0].key, sent[1].key);
});

test("after a lost connection the message and those after it wait", async () => {
  const { outbox, sent } = createOutbox({ answers: [null] });
  outbox.add("den", "a");
  outbox.add("den", "b");
  await settled();
  assert.deepEqual([textsOf(sent), statesOf(outbox)], [["a"], [["a", "waiting"], ["b", "waiting"]]]);
});

test("after a lost connection a message is sent again with its key", async () => {
  const { outbox, sent } = createOutbox({ answers: [null] });
  outbox.add("den", "a");
  await settled();
  await outbox.flush("den");
  assert.equal(sent[1].key, sent[0].key);
});

for (const code of ["name_required", "not_in_room"]) {
  test(`a message refused with ${code} waits`, async () => {
    const { outbox } = createOutbox({ answers: [refused(code)] });
    outbox.add("den", "a");
    await settled();
    assert.deepEqual(statesOf(outbox), [["a", "waiting"]]);
  });
}

for (const code of ["rate_limited", "unavailable"]) {
  test(`a message refused with ${code} is sent again with its key`, async () => {
    const { outbox, sent } = createOutbox({ answers: [refused(code)] });
    outbox.add("den", "a");
    await settled();
    assert.deepEqual([sent.length, sent[1].key], [2, sent[0].key]);
  });
}

test("a message is sent again after retryAfter", async () => {
  const { outbox, waits } = createOutbox({ answers: [refused("rate_limited", { retryAfter: 1234 })] });
  outbox.add("den", "a");
  await settled();
  assert.deepEqual(waits, [1234]);
});

test("a message is sent again after a second if the refusal has no retryAfter", async () => {
  const { outbox, waits } = createOutbox({ answers: [refused("unavailable")] });
  outbox.add("den", "a");
  await settled();
  assert.deepEqual(waits, [1000]);
});

test("a message that is sent again stays before the next one", async () => {
  const { outbox, sent } = createOutbox({ answers: [refused("rate_limited")] });
  outbox.add("den", "a");
  outbox.add("den", "b");
  await settled();
  assert.deepEqual(textsOf(sent), ["a", "a", "b"]);
});

test("a message that is refused for good has failed, with the refusal", async () => {
  const { outbox } = createOutbox({ answers: [refused("message_empty")] });
  outbox.add("den", "a");
  await settled();
  const [{ state, refusal }] = outbox.items;
  assert.deepEqual([state, refusal.code], ["failed", "message_empty"]);
});

test("a failed message doesn't block the next one", async () => {
  const { outbox, sent } = createOutbox({ answers: [refused("message_empty")] });
  outbox.add("den", "a");
  outbox.add("den", "b");
  await settled();
  assert.deepEqual(textsOf(sent), ["a", "b"]);
});

test("a failed message isn't sent again by itself", async () => {
  const { outbox, sent } = createOutbox({ answers: [refused("message_empty")] });
  outbox.add("den", "a");
  await settled();
  await outbox.flush("den");
  assert.equal(sent.length, 1);
});

test("a failed message is retried with its key", async () => {
  const { outbox, sent } = createOutbox({ answers: [refused("internal")] });
  outbox.add("den", "a");
  await settled();
  outbox.retry(outbox.items[0]);
  await settled();
  assert.deepEqual([sent.length, sent[1].key, outbox.items], [2, sent[0].key, []]);
});

test("a retried message loses its refusal", async () => {
  const { outbox } = createOutbox({ answers: [refused("internal"), null] });
  outbox.add("den", "a");
  await settled();
  outbox.retry(outbox.items[0]);
  await settled();
  assert.ok(!("refusal" in outbox.items[0]));
});

test("a removed message isn't sent", async () => {
  const { outbox, sent } = createOutbox();
  outbox.add("den", "a");
  outbox.add("den", "b");
  outbox.remove(outbox.items[1].key);
  await settled();
  assert.deepEqual(textsOf(sent), ["a"]);
});

test("a message removed while it's sent doesn't come back", async () => {
  const { outbox } = createOutbox({ answers: [null] });
  outbox.add("den", "a");
  outbox.remove(outbox.items[0].key);
  await settled();
  assert.deepEqual(outbox.items, []);
});

test("a malformed answer throws, and the message waits", async () => {
  const storage = memoryStorage();
  storage.write("chat.unsent", [{ room: "den", message: "a", key: "key-0001" }]);
  const { outbox } = createOutbox({ storage, answers: [new Error("malformed")] });
  await assert.rejects(outbox.flush("den"), /malformed/);
  assert.deepEqual(statesOf(outbox), [["a", "waiting"]]);
});

test("after a malformed answer messages can be sent again", async () => {
  const storage = memoryStorage();
  storage.write("chat.unsent", [{ room: "den", message: "a", key: "key-0001" }]);
  const { outbox } = createOutbox({ storage, answers: [new Error("malformed")] });
  await outbox.flush("den").catch(() => {});
  await outbox.flush("den");
  assert.deepEqual(outbox.items, []);
});

test("an unsent message survives a reload with its key, and waits", async () => {
  const { outbox, storage } = createOutbox({ answers: [null] });
  outbox.add("den", "a");
  await settled();
  const [{ key }] = outbox.items;
  assert.deepEqual(createOutbox({ storage }).outbox.items, [{ room: "den", message: "a", key, state: "waiting" }]);
});

test("a message in the state `sending` waits after a reload", () => {
  const { outbox, storage } = createOutbox();
  outbox.add("den", "a");
  assert.deepEqual(statesOf(createOutbox({ storage }).outbox), [["a", "waiting"]]);
});

test("a sent message doesn't come back after a reload", async () => {
  const { outbox, storage } = createOutbox();
  outbox.add("den", "a");
  await settled();
  assert.deepEqual(createOutbox({ storage }).outbox.items, []);
});

test("damaged items in the storage are ignored", () => {
  const storage = memoryStorage();
  storage.write("chat.unsent", [null, 1, { room: "den" }, { room: "den", message: "a", key: "key-0001", state: "failed" }]);
  assert.deepEqual(createOutbox({ storage }).outbox.items, [{ room: "den", message: "a", key: "key-0001", state: "waiting" }]);
});

test("removing a room drops its unsent messages only", () => {
  const { outbox } = createOutbox({ answers: [null, null] });
  outbox.add("den", "one");
  outbox.add("attic", "two");
  outbox.removeRoom("den");
  assert.deepEqual(textsOf(outbox.items), ["two"]);
});
