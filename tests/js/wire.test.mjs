import assert from "node:assert/strict";
import { test } from "node:test";
import { isString, isUnsignedInteger, parseEntry, parseLeaveAnswer, parseMessageAnswer, parseNameAnswer, parsePage, parsePeopleEvent, parseRefused, ProtocolError } from "../../chatapp/static/js/wire.js";

const said = { user: "Ann", message: "hi" };
const number = { room: "lobby", id: 1, at: 1700000000000 };
const page = { ok: true, room: "lobby", epoch: "e", messages: [[said, number]], more: false, count: 1, users: ["Ann"] };
const refusal = { ok: false, code: "not_in_room", message: "You are not in it." };

test("an entry has the fields of both arguments of newmsg", () => {
  const entry = parseEntry(said, { ...number, key: "k" });
  assert.deepEqual({ ...entry }, { ...said, ...number, key: "k" });
});

test("an entry without a key has none", () => {
  assert.equal(parseEntry(said, number).key, undefined);
});

test("an entry is frozen", () => {
  assert.ok(Object.isFrozen(parseEntry(said, number)));
});

test("unknown fields of an entry are dropped", () => {
  assert.ok(!("colour" in parseEntry({ ...said, colour: "red" }, number)));
});

const malformedEntries = {
  "no first argument": [undefined, number],
  "no second argument": [said, undefined],
  "null": [null, number],
  "a list": [[said], number],
  "a string": ["hi", number],
  "a user that isn't a string": [{ ...said, user: 1 }, number],
  "a message that isn't a string": [{ ...said, message: {} }, number],
  "no room": [said, { ...number, room: undefined }],
  "an id that is a string": [said, { ...number, id: "1" }],
  "a negative id": [said, { ...number, id: -1 }],
  "a fractional id": [said, { ...number, id: 1.5 }],
  "an id that isn't a safe integer": [said, { ...number, id: 2 ** 53 }],
  "a time after the last day of Date": [said, { ...number, at: 8.64e15 + 1 }],
  "a time before 1970": [said, { ...number, at: -1 }],
  "a fractional time": [said, { ...number, at: 0.5 }],
  "no time": [said, { ...number, at: undefined }],
};
for (const [what, arguments_] of Object.entries(malformedEntries)) {
  test(`a malformed entry is a protocol error: ${what}`, () => {
    assert.throws(() => parseEntry(...arguments_), ProtocolError);
  });
}

test("a time on the last day of Date can be shown", () => {
  const { at } = parseEntry(said, { ...number, at: 8.64e15 });
  assert.doesNotThrow(() => new Date(at).toISOString());
});

test("a page has its messages as entries", () => {
  assert.deepEqual(parsePage(page).entries, [parseEntry(said, number)]);
});

test("a page of history has no users", () => {
  const { ok, room, epoch, messages, more } = page;
  const { count, users } = parsePage({ ok, room, epoch, messages, more });
  assert.deepEqual([count, users], [0, []]);
});

const malformedPages = {
  "no answer": undefined,
  "null": null,
  "a string": "ok",
  "ok that isn't `true`": { ...page, ok: 1 },
  "no epoch": { ...page, epoch: undefined },
  "no room": { ...page, room: undefined },
  "a room that isn't a string": { ...page, room: 1 },
  "`more` that isn't a boolean": { ...page, more: "no" },
  "no `more`": { ...page, more: undefined },
  "messages that aren't a list": { ...page, messages: {} },
  "a message that isn't a pair": { ...page, messages: [said] },
  "a message without its second argument": { ...page, messages: [[said]] },
  "no messages": { ...page, messages: null },
  "a message that is null": { ...page, messages: [null] },
  "an empty message": { ...page, messages: [[]] },
  "a message of nulls": { ...page, messages: [[null, null]] },
  "no users": { ...page, users: null },
  "a count that is a string": { ...page, count: "2" },
  "a negative count": { ...page, count: -1 },
  "users that aren't a list": { ...page, users: "Ann" },
  "a user that isn't a string": { ...page, users: [1] },
};
for (const [what, answer] of Object.entries(malformedPages)) {
  test(`a malformed page is a protocol error: ${what}`, () => {
    assert.throws(() => parsePage(answer), ProtocolError);
  });
}

const parsers = { parsePage, parseMessageAnswer, parseNameAnswer, parseLeaveAnswer };
for (const [name, parse] of Object.entries(parsers)) {
  test(`${name} returns a refusal unchanged`, () => {
    assert.equal(parse(refusal), refusal);
  });
  test(`${name} throws on a refusal without a code`, () => {
    assert.throws(() => parse({ ok: false, message: "No." }), ProtocolError);
  });
  test(`${name} throws on a refusal without a sentence`, () => {
    assert.throws(() => parse({ ok: false, code: "internal" }), ProtocolError);
  });
  test(`${name} throws on an answer that is neither ok nor a refusal`, () => {
    assert.throws(() => parse({}), ProtocolError);
  });
  test(`${name} throws on an answer that is no object`, () => {
    assert.throws(() => parse("ok"), ProtocolError);
  });
}

const answers = { parseMessageAnswer: { ok: true, id: 7 }, parseNameAnswer: { ok: true, user: "Ann" }, parseLeaveAnswer: { ok: true, room: "den" } };
for (const [name, answer] of Object.entries(answers)) {
  test(`${name} returns a valid answer unchanged`, () => {
    assert.equal(parsers[name](answer), answer);
  });
  test(`${name} throws on an answer without its field`, () => {
    assert.throws(() => parsers[name]({ ok: true }), ProtocolError);
  });
}

test("a valid people event is returned unchanged", () => {
  const change = { room: "den", from: "Ann", to: "Anna" };
  assert.deepEqual(parsePeopleEvent(change, { from: isString, to: isString }), change);
});

const RENAMED = { from: isString, to: isString };
const malformedEvents = {
  "no object": ["Ann", RENAMED],
  "no room": [{ from: "Ann", to: "Anna" }, RENAMED],
  "a user that isn't a string": [{ room: "den", user: null }, { user: isString }],
  "no new name": [{ room: "den", from: "Ann" }, RENAMED],
  "a new name that isn't a string": [{ room: "den", from: "Ann", to: 1 }, RENAMED],
  "a count that isn't a number": [{ room: "den", count: "3" }, { count: isUnsignedInteger }],
  "a negative count": [{ room: "den", count: -1 }, { count: isUnsignedInteger }],
};
for (const [what, [change, fields]] of Object.entries(malformedEvents)) {
  test(`a malformed people event is a protocol error: ${what}`, () => {
    assert.throws(() => parsePeopleEvent(change, fields), ProtocolError);
  });
}

for (const [asked, waits] of [[0, 250], [1234, 1234], [2 ** 40, 60000]]) {
  test(`retryAfter ${asked} is bounded to ${waits}`, () => {
    assert.equal(parseMessageAnswer({ ...refusal, retryAfter: asked }).retryAfter, waits);
  });
}

test("a retryAfter that is no time is a protocol error", () => {
  for (const retryAfter of ["soon", -5, 0.5, null]) assert.throws(() => parseMessageAnswer({ ...refusal, retryAfter }), ProtocolError);
});

for (const event of [undefined, null, 1, "taken_over", []]) {
  test(`a refused event with ${JSON.stringify(event)} is a protocol error`, () => {
    assert.throws(() => parseRefused(event), ProtocolError);
  });
}
