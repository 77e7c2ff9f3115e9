import assert from "node:assert/strict";
import { test } from "node:test";
import { isString, isUnsignedInteger, parseEntry, parseLeaveAnswer, parseMessageAnswer, parseNameAnswer, parsePage, parsePeopleEvent, ProtocolError } from "../../chatapp/static/js/wire.js";

const said = { user: "Ann", message: "hi" };
const number = { room: "lobby", id: 1, at: 1700000000000 };
const page = { ok: true, room: "lobby", epoch: "e", messages: [[said, number]], more: false, count: 1, users: ["Ann"] };
const refusal = { ok: false, code: "not_in_room", message: "You are not in it." };

test("an entry has what newmsg says in its two arguments", () => {
  const entry = parseEntry(said, { ...number, key: "k" });
  assert.deepEqual({ ...entry }, { ...said, ...number, key: "k" });
});

test("an entry without a key has none", () => {
  assert.equal(parseEntry(said, number).key, undefined);
});

test("an entry is frozen", () => {
  assert.ok(Object.isFrozen(parseEntry(said, number)));
});

test("fields that an entry doesn't have are left out", () => {
  assert.ok(!("colour" in parseEntry({ ...said, colour: "red" }, number)));
});

const malformedEntries = {
  "no first argument": [undefined, number],
  "no second argument": [said, undefined],
  "null": [null, number],
  "a list": [[said], number],
  "a text": ["hi", number],
  "a user that is no text": [{ ...said, user: 1 }, number],
  "a message that is no text": [{ ...said, message: {} }, number],
  "no room": [said, { ...number, room: undefined }],
  "a number that is text": [said, { ...number, id: "1" }],
  "a number below zero": [said, { ...number, id: -1 }],
  "a number that isn't whole": [said, { ...number, id: 1.5 }],
  "a number too large to be exact": [said, { ...number, id: 2 ** 53 }],
  "a time after the last day that there is": [said, { ...number, at: 8.64e15 + 1 }],
  "a time before 1970": [said, { ...number, at: -1 }],
  "a time that isn't whole": [said, { ...number, at: 0.5 }],
  "no time": [said, { ...number, at: undefined }],
};
for (const [what, arguments_] of Object.entries(malformedEntries)) {
  test(`an entry with ${what} is odd`, () => {
    assert.throws(() => parseEntry(...arguments_), ProtocolError);
  });
}

test("a time on the last day that there is can be shown", () => {
  const { at } = parseEntry(said, { ...number, at: 8.64e15 });
  assert.doesNotThrow(() => new Date(at).toISOString());
});

test("a page has its messages as entries", () => {
  assert.deepEqual(parsePage(page).entries, [parseEntry(said, number)]);
});

test("a page of history, which has no people, has none", () => {
  const { ok, room, epoch, messages, more } = page;
  const { count, users } = parsePage({ ok, room, epoch, messages, more });
  assert.deepEqual([count, users], [0, []]);
});

const malformedPages = {
  "no answer": undefined,
  "null": null,
  "a text": "ok",
  "ok that isn't true": { ...page, ok: 1 },
  "no epoch": { ...page, epoch: undefined },
  "no room": { ...page, room: undefined },
  "more that isn't known": { ...page, more: undefined },
  "messages that are no list": { ...page, messages: {} },
  "a message that is no pair": { ...page, messages: [said] },
  "half a message": { ...page, messages: [[said]] },
  "a count below zero": { ...page, count: -1 },
  "users that are no list": { ...page, users: "Ann" },
  "a user that is no text": { ...page, users: [1] },
};
for (const [what, answer] of Object.entries(malformedPages)) {
  test(`as a page, ${what} is odd`, () => {
    assert.throws(() => parsePage(answer), ProtocolError);
  });
}

const parsers = { parsePage, parseMessageAnswer, parseNameAnswer, parseLeaveAnswer };
for (const [name, parse] of Object.entries(parsers)) {
  test(`${name} gives a refusal as it is`, () => {
    assert.equal(parse(refusal), refusal);
  });
  test(`to ${name}, a refusal without a code is odd`, () => {
    assert.throws(() => parse({ ok: false, message: "No." }), ProtocolError);
  });
  test(`to ${name}, a refusal without a sentence is odd`, () => {
    assert.throws(() => parse({ ok: false, code: "internal" }), ProtocolError);
  });
  test(`to ${name}, an answer that isn't ok and no refusal is odd`, () => {
    assert.throws(() => parse({}), ProtocolError);
  });
  test(`to ${name}, no object is odd`, () => {
    assert.throws(() => parse("ok"), ProtocolError);
  });
}

const answers = { parseMessageAnswer: { ok: true, id: 7 }, parseNameAnswer: { ok: true, user: "Ann" }, parseLeaveAnswer: { ok: true, room: "den" } };
for (const [name, answer] of Object.entries(answers)) {
  test(`${name} gives an answer as it is`, () => {
    assert.equal(parsers[name](answer), answer);
  });
  test(`to ${name}, an answer without its field is odd`, () => {
    assert.throws(() => parsers[name]({ ok: true }), ProtocolError);
  });
}

test("a change of people has the fields that were told", () => {
  const change = { room: "den", from: "Ann", to: "Anna" };
  assert.deepEqual(parsePeopleEvent(change, { from: isString, to: isString }), change);
});

const RENAMED = { from: isString, to: isString };
const malformedEvents = {
  "no object": ["Ann", RENAMED],
  "no room": [{ from: "Ann", to: "Anna" }, RENAMED],
  "a user that is no text": [{ room: "den", user: null }, { user: isString }],
  "no new name": [{ room: "den", from: "Ann" }, RENAMED],
  "a new name that is no text": [{ room: "den", from: "Ann", to: 1 }, RENAMED],
  "a count that is no number": [{ room: "den", count: "3" }, { count: isUnsignedInteger }],
  "a negative count": [{ room: "den", count: -1 }, { count: isUnsignedInteger }],
};
for (const [what, [change, fields]] of Object.entries(malformedEvents)) {
  test(`a change of people with ${what} is odd`, () => {
    assert.throws(() => parsePeopleEvent(change, fields), ProtocolError);
  });
}

for (const [asked, waits] of [[0, 250], [1234, 1234], [2 ** 40, 60000]]) {
  test(`who is told to wait ${asked} ms waits ${waits}`, () => {
    assert.equal(parseMessageAnswer({ ...refusal, retryAfter: asked }).retryAfter, waits);
  });
}

test("to wait for what is no time is odd", () => {
  for (const retryAfter of ["soon", -5, 0.5, null]) assert.throws(() => parseMessageAnswer({ ...refusal, retryAfter }), ProtocolError);
});
