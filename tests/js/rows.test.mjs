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

test("the first rows are the beginning and a day", () => {
  assert.deepEqual(kinds(roomOf(said(1))), ["beginning", "day", "message"]);
});

test("with older entries the beginning isn't shown", () => {
  const room = roomOf(said(1));
  room.hasOlder = true;
  assert.ok(!kinds(room).includes("beginning"));
});

test("before the log is loaded there are no rows", () => {
  assert.deepEqual(kinds(new Room("den")), []);
});

test("a window within the log doesn't show the beginning", () => {
  assert.deepEqual(kinds(roomOf(said(1), said(2)), { from: 1 }), ["day", "message"]);
});

test("the window excludes the entry at its end", () => {
  const shown = messages(roomOf(said(1), said(2), said(3), said(4)), { from: 1, to: 3 });
  assert.deepEqual(shown.map(({ entry }) => entry.id), [2, 3]);
});

test("each day begins with a day row", () => {
  const room = roomOf(said(1), said(2), said(3, "Ann", NOON + DAY));
  assert.deepEqual(kinds(room), ["beginning", "day", "message", "message", "day", "message"]);
});

test("messages of one user within five minutes are grouped", () => {
  const room = roomOf(said(1), said(2, "Ann", NOON + 4 * MINUTE));
  assert.deepEqual(messages(room).map(({ isFirst }) => isFirst), [true, false]);
});

test("messages of one user five minutes apart aren't grouped", () => {
  const room = roomOf(said(1), said(2, "Ann", NOON + 6 * MINUTE));
  assert.deepEqual(messages(room).map(({ isFirst }) => isFirst), [true, true]);
});

test("messages of two users aren't grouped", () => {
  assert.deepEqual(messages(roomOf(said(1), said(2, "Bo"))).map(({ isFirst }) => isFirst), [true, true]);
});

test("messages before and after midnight aren't grouped", () => {
  const midnight = new Date(2024, 4, 2).getTime();
  const room = roomOf(said(1, "Ann", midnight - MINUTE), said(2, "Ann", midnight + MINUTE));
  assert.deepEqual(messages(room).map(({ isFirst }) => isFirst), [true, true]);
});

test("own messages are marked", () => {
  assert.deepEqual(messages(roomOf(said(1), said(2, "Me"))).map(({ isOwn }) => isOwn), [false, true]);
});

test("messages of ignored users aren't shown", () => {
  const room = roomOf(said(1), said(2, "Bo"));
  const shown = messages(room, { ignored: new Set(["bo"]) });
  assert.deepEqual(shown.map(({ entry }) => entry.id), [1]);
});

test("a day with messages of ignored users only isn't shown", () => {
  const room = roomOf(said(1), said(2, "Bo", NOON + DAY));
  assert.deepEqual(kinds(room, { ignored: new Set(["bo"]) }), ["beginning", "day", "message"]);
});

test("the divider precedes the first new message, once", () => {
  const room = roomOf(said(1), said(2), said(3));
  room.dividerAfter = 1;
  assert.deepEqual(kinds(room), ["beginning", "day", "message", "new", "message", "message"]);
});

test("the divider doesn't precede an own message", () => {
  const room = roomOf(said(1), said(2, "Me"), said(3));
  room.dividerAfter = 1;
  assert.deepEqual(kinds(room), ["beginning", "day", "message", "message", "new", "message"]);
});

test("without a new message there is no divider", () => {
  const room = roomOf(said(1));
  room.dividerAfter = 1;
  assert.ok(!kinds(room).includes("new"));
});

test("the message after the divider shows its sender", () => {
  const room = roomOf(said(1), said(2));
  room.dividerAfter = 1;
  assert.deepEqual(messages(room).map(({ isFirst }) => isFirst), [true, true]);
});

test("a note follows the message after which the user joined", () => {
  const room = roomOf(said(1));
  room.applyPeopleChange({ joined: "Bo" });
  room.receive(said(2));
  assert.deepEqual(kinds(room).slice(2, 4), ["message", "note"]);
});

test("a note from before any message follows the beginning", () => {
  const room = roomOf();
  room.applyPeopleChange({ joined: "Bo" });
  assert.deepEqual(kinds(room), ["beginning", "note"]);
});

test("a note after a message of an ignored user is shown", () => {
  const room = roomOf(said(1, "Bo"));
  room.applyPeopleChange({ joined: "Cy" });
  assert.ok(kinds(room, { ignored: new Set(["bo"]) }).includes("note"));
});

test("a note of a user who joined and left isn't shown", () => {
  const room = roomOf(said(1));
  room.applyPeopleChange({ joined: "Bo" });
  room.applyPeopleChange({ left: "Bo" });
  assert.ok(!kinds(room).includes("note"));
});

test("the message after a note shows its sender", () => {
  const room = roomOf(said(1));
  room.applyPeopleChange({ joined: "Bo" });
  room.receive(said(2));
  assert.deepEqual(messages(room).map(({ isFirst }) => isFirst), [true, true]);
});

const UNSENT = [{ room: "den", message: "x", key: "k", state: "waiting" }];

test("unsent messages are the last rows", () => {
  assert.equal(kinds(roomOf(said(1)), { unsent: UNSENT }).at(-1), "unsent");
});

test("unsent messages aren't shown in a window before the end", () => {
  assert.ok(!kinds(roomOf(said(1), said(2)), { to: 1, unsent: UNSENT }).includes("unsent"));
});

test("the fingerprint of an unsent message changes with its state", () => {
  const [waiting, failed] = ["waiting", "failed"].map((state) => {
    const unsent = [{ ...UNSENT[0], state }];
    return rows(roomOf(), { unsent }).at(-1).fingerprint;
  });
  assert.notEqual(waiting, failed);
});

test("the fingerprint of a note changes when a user joins", () => {
  const room = roomOf();
  room.applyPeopleChange({ joined: "Bo" });
  const before = rows(room).at(-1).fingerprint;
  room.applyPeopleChange({ joined: "Cy" });
  assert.notEqual(rows(room).at(-1).fingerprint, before);
});

test("the fingerprints of joining and leaving differ", () => {
  const [came, went] = [roomOf(), roomOf()];
  came.applyPeopleChange({ joined: "Bo" });
  went.setPeople(1, ["Bo"]);
  went.applyPeopleChange({ left: "Bo" });
  assert.notEqual(rows(came).at(-1).fingerprint, rows(went).at(-1).fingerprint);
});

test("the fingerprint of a message stays the same when others follow", () => {
  const room = roomOf(said(1));
  const [before] = messages(room);
  room.receive(said(2));
  assert.equal(messages(room)[0].fingerprint, before.fingerprint);
});

test("the fingerprint of a message changes when it becomes the first of its group", () => {
  const room = roomOf(said(1), said(2));
  const before = messages(room)[1].fingerprint;
  room.dividerAfter = 1;
  assert.notEqual(messages(room)[1].fingerprint, before);
});

test("each row has a unique key", () => {
  const room = roomOf(said(1), said(2, "Bo"), said(3, "Ann", NOON + DAY));
  room.dividerAfter = 1;
  room.applyPeopleChange({ joined: "Cy" });
  const keys = rows(room, { unsent: UNSENT }).map(({ key }) => key);
  assert.equal(new Set(keys).size, keys.length);
});

test("own messages stay own after a rename", () => {
  const room = roomOf(said(1, "Ann"), said(2, "Bo"));
  room.addFormerName("Ann");
  assert.deepEqual(
    messages(room, { ownName: "Anna" }).map(({ isOwn }) => isOwn),
    [true, false],
  );
});
