import assert from "node:assert/strict";
import { test } from "node:test";
import { Room } from "../../chatapp/static/js/room.js";
import { buildRows } from "../../chatapp/static/js/rows.js";

const NOON = new Date(2024, 4, 1, 12).getTime();
const MINUTE = 60000;
const DAY = 24 * 60 * MINUTE;
const said = (id, user = "Ann", at = NOON + id) => ({ user, message: `m${id}`, room: "den", id, at, key: undefined });

function roomOf(...entries) {
  const room = new Room("den");
  room.append(entries);
  return room;
}

function rows(room, asked = {}) {
  return buildRows(room, { from: 0, to: room.entries.length, ownName: "Me", ignored: new Set(), unsent: [], ...asked });
}
const kinds = (...asked) => rows(...asked).map(({ kind }) => kind);
const messages = (...asked) => rows(...asked).filter(({ kind }) => kind === "message");

test("the conversation begins with its beginning and a day", () => {
  assert.deepEqual(kinds(roomOf(said(1))), ["beginning", "day", "message"]);
});

test("where there are older messages the beginning isn't shown", () => {
  const room = roomOf(said(1));
  room.hasOlder = true;
  assert.ok(!kinds(room).includes("beginning"));
});

test("before the log is read the beginning isn't shown", () => {
  assert.deepEqual(kinds(new Room("den")), []);
});

test("from within the log the beginning isn't shown", () => {
  assert.deepEqual(kinds(roomOf(said(1), said(2)), { from: 1 }), ["day", "message"]);
});

test("the messages asked for are shown, up to the one before the end", () => {
  const shown = messages(roomOf(said(1), said(2), said(3), said(4)), { from: 1, to: 3 });
  assert.deepEqual(shown.map(({ entry }) => entry.id), [2, 3]);
});

test("each day begins with its day", () => {
  const room = roomOf(said(1), said(2), said(3, "Ann", NOON + DAY));
  assert.deepEqual(kinds(room), ["beginning", "day", "message", "message", "day", "message"]);
});

test("messages of one person soon after each other stand together", () => {
  const room = roomOf(said(1), said(2, "Ann", NOON + 4 * MINUTE));
  assert.deepEqual(messages(room).map(({ isFirst }) => isFirst), [true, false]);
});

test("messages of one person long after each other don't stand together", () => {
  const room = roomOf(said(1), said(2, "Ann", NOON + 6 * MINUTE));
  assert.deepEqual(messages(room).map(({ isFirst }) => isFirst), [true, true]);
});

test("another person's message doesn't stand with the one before", () => {
  assert.deepEqual(messages(roomOf(said(1), said(2, "Bo"))).map(({ isFirst }) => isFirst), [true, true]);
});

test("a message after midnight doesn't stand with the one before", () => {
  const midnight = new Date(2024, 4, 2).getTime();
  const room = roomOf(said(1, "Ann", midnight - MINUTE), said(2, "Ann", midnight + MINUTE));
  assert.deepEqual(messages(room).map(({ isFirst }) => isFirst), [true, true]);
});

test("one's own messages are marked", () => {
  assert.deepEqual(messages(roomOf(said(1), said(2, "Me"))).map(({ isOwn }) => isOwn), [false, true]);
});

test("messages of whom one ignores aren't shown", () => {
  const room = roomOf(said(1), said(2, "Bo"));
  const shown = messages(room, { ignored: new Set(["bo"]) });
  assert.deepEqual(shown.map(({ entry }) => entry.id), [1]);
});

test("a day on which only those spoke whom one ignores isn't shown", () => {
  const room = roomOf(said(1), said(2, "Bo", NOON + DAY));
  assert.deepEqual(kinds(room, { ignored: new Set(["bo"]) }), ["beginning", "day", "message"]);
});

test("the line `new` stands before the first new message, once", () => {
  const room = roomOf(said(1), said(2), said(3));
  room.dividerAfter = 1;
  assert.deepEqual(kinds(room), ["beginning", "day", "message", "new", "message", "message"]);
});

test("the line `new` doesn't stand before one's own message", () => {
  const room = roomOf(said(1), said(2, "Me"), said(3));
  room.dividerAfter = 1;
  assert.deepEqual(kinds(room), ["beginning", "day", "message", "message", "new", "message"]);
});

test("where nothing is new there's no line `new`", () => {
  const room = roomOf(said(1));
  room.dividerAfter = 1;
  assert.ok(!kinds(room).includes("new"));
});

test("the message after the line `new` says whose it is", () => {
  const room = roomOf(said(1), said(2));
  room.dividerAfter = 1;
  assert.deepEqual(messages(room).map(({ isFirst }) => isFirst), [true, true]);
});

test("who came is shown after the message after which they came", () => {
  const room = roomOf(said(1));
  room.applyPeopleChange({ joined: "Bo" });
  room.receive(said(2));
  assert.deepEqual(kinds(room).slice(2, 4), ["message", "note"]);
});

test("who came before any message is shown at the beginning", () => {
  const room = roomOf();
  room.applyPeopleChange({ joined: "Bo" });
  assert.deepEqual(kinds(room), ["beginning", "note"]);
});

test("who came after a message of somebody ignored is shown", () => {
  const room = roomOf(said(1, "Bo"));
  room.applyPeopleChange({ joined: "Cy" });
  assert.ok(kinds(room, { ignored: new Set(["bo"]) }).includes("note"));
});

test("who came and went again is no row", () => {
  const room = roomOf(said(1));
  room.applyPeopleChange({ joined: "Bo" });
  room.applyPeopleChange({ left: "Bo" });
  assert.ok(!kinds(room).includes("note"));
});

test("the message after a note says whose it is", () => {
  const room = roomOf(said(1));
  room.applyPeopleChange({ joined: "Bo" });
  room.receive(said(2));
  assert.deepEqual(messages(room).map(({ isFirst }) => isFirst), [true, true]);
});

const UNSENT = [{ room: "den", message: "x", key: "k", state: "waiting" }];

test("what isn't sent yet stands at the end", () => {
  assert.equal(kinds(roomOf(said(1)), { unsent: UNSENT }).at(-1), "unsent");
});

test("what isn't sent yet isn't shown where the end isn't in view", () => {
  assert.ok(!kinds(roomOf(said(1), said(2)), { to: 1, unsent: UNSENT }).includes("unsent"));
});

test("what isn't sent yet looks another when its state does", () => {
  const [waiting, failed] = ["waiting", "failed"].map((state) => {
    const unsent = [{ ...UNSENT[0], state }];
    return rows(roomOf(), { unsent }).at(-1).fingerprint;
  });
  assert.notEqual(waiting, failed);
});

test("a note looks another when somebody comes", () => {
  const room = roomOf();
  room.applyPeopleChange({ joined: "Bo" });
  const before = rows(room).at(-1).fingerprint;
  room.applyPeopleChange({ joined: "Cy" });
  assert.notEqual(rows(room).at(-1).fingerprint, before);
});

test("a note of one who came looks another than one of one who went", () => {
  const [came, went] = [roomOf(), roomOf()];
  came.applyPeopleChange({ joined: "Bo" });
  went.setPeople(1, ["Bo"]);
  went.applyPeopleChange({ left: "Bo" });
  assert.notEqual(rows(came).at(-1).fingerprint, rows(went).at(-1).fingerprint);
});

test("a message looks the same when others come after it", () => {
  const room = roomOf(said(1));
  const [before] = messages(room);
  room.receive(said(2));
  assert.equal(messages(room)[0].fingerprint, before.fingerprint);
});

test("a message that becomes the first of its person looks another", () => {
  const room = roomOf(said(1), said(2));
  const before = messages(room)[1].fingerprint;
  room.dividerAfter = 1;
  assert.notEqual(messages(room)[1].fingerprint, before);
});

test("every row has a key of its own", () => {
  const room = roomOf(said(1), said(2, "Bo"), said(3, "Ann", NOON + DAY));
  room.dividerAfter = 1;
  room.applyPeopleChange({ joined: "Cy" });
  const keys = rows(room, { unsent: UNSENT }).map(({ key }) => key);
  assert.equal(new Set(keys).size, keys.length);
});

test("one's own messages stay one's own after a rename", () => {
  const room = roomOf(said(1, "Ann"), said(2, "Bo"));
  room.addFormerName("Ann");
  assert.deepEqual(
    messages(room, { ownName: "Anna" }).map(({ isOwn }) => isOwn),
    [true, false],
  );
});
