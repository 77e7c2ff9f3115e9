import assert from "node:assert/strict";
import { test } from "node:test";
import { Room } from "../../chatapp/static/js/room.js";

const entry = (id, rest = {}) => ({ user: "Ann", message: `m${id}`, room: "den", id, at: id, key: undefined, ...rest });
const entries = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => entry(from + n));
const idsOf = (room) => room.entries.map(({ id }) => id);
const NOBODY = new Set();

// A room whose log has been read, of which all was seen.
function known(from = 1, to = 0) {
  const room = new Room("den");
  room.append(entries(from, to));
  room.lastRead = room.lastId;
  return room;
}

function peopled(...users) {
  const room = known();
  room.setPeople(users.length, users);
  return room;
}

// The log

test("a room whose log hasn't been read isn't known", () => {
  assert.ok(!new Room("den").isLoaded);
});

test("a room whose log is empty is known once it has been read", () => {
  assert.ok(known().isLoaded);
});

test("the first and the last number of an empty log are 0", () => {
  const { firstId, lastId } = new Room("den");
  assert.deepEqual([firstId, lastId], [0, 0]);
});

test("what is heard next stands at the end", () => {
  const room = known(1, 2);
  assert.ok(room.receive(entry(3)));
  assert.deepEqual(idsOf(room), [1, 2, 3]);
});

test("what is heard twice stands there once", () => {
  const room = known(1, 2);
  room.receive(entry(3));
  room.receive(entry(3));
  room.receive(entry(1));
  assert.deepEqual(idsOf(room), [1, 2, 3]);
});

test("what is heard with others missing before it says so, and waits", () => {
  const room = known(1, 2);
  assert.ok(!room.receive(entry(4)));
  assert.deepEqual(idsOf(room), [1, 2]);
});

test("what waits follows when the missing one is heard", () => {
  const room = known(1, 2);
  room.receive(entry(5));
  room.receive(entry(4));
  assert.ok(room.receive(entry(3)));
  assert.deepEqual(idsOf(room), [1, 2, 3, 4, 5]);
});

test("what waits follows when the missing ones are read", () => {
  const room = known(1, 2);
  room.receive(entry(5));
  room.append(entries(3, 4));
  assert.deepEqual(idsOf(room), [1, 2, 3, 4, 5]);
});

test("what was read and waited as well stands there once", () => {
  const room = known(1, 2);
  room.receive(entry(4));
  room.append(entries(3, 5));
  assert.deepEqual(idsOf(room), [1, 2, 3, 4, 5]);
});

test("what is heard while the log is read for the first time follows it", () => {
  const room = new Room("den");
  assert.ok(room.receive(entry(12)));
  room.append(entries(10, 11));
  assert.deepEqual(idsOf(room), [10, 11, 12]);
});

test("what is heard before the log is read isn't shown by itself", () => {
  const room = new Room("den");
  room.receive(entry(1));
  assert.deepEqual(idsOf(room), []);
});

test("a page may begin after a gap, where retention took some", () => {
  const room = known(1, 2);
  room.append(entries(7, 8));
  assert.deepEqual(idsOf(room), [1, 2, 7, 8]);
});

for (let round = 0; round < 20; round += 1) {
  test(`heard in whatever order, the log is in the order of its numbers (${round})`, () => {
    const room = known();
    const heard = entries(1, 9).sort((a, b) => ((a.id * 7 + round * 5) % 11) - ((b.id * 7 + round * 5) % 11));
    for (const each of heard) room.receive(each);
    assert.deepEqual(idsOf(room), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
}

test("older entries stand before those that are there, each once", () => {
  const room = known(4, 5);
  room.prepend(entries(2, 4), true);
  assert.deepEqual(idsOf(room), [2, 3, 4, 5]);
});

test("older entries that come in disorder and repeated stand in order, each once", () => {
  const room = known(7, 8);
  room.prepend([3, 6, 4, 4, 6, 9].map((id) => entry(id)), true);
  assert.deepEqual(idsOf(room), [3, 4, 6, 7, 8]);
});

test("after older entries it's known whether there are more", () => {
  const room = known(4, 5);
  room.prepend(entries(1, 3), false);
  assert.ok(!room.hasOlder);
});

test("a message that was read is known by its key", () => {
  const room = new Room("den");
  room.append([entry(1, { key: "k" })]);
  assert.ok(room.hasKey("k"));
});

test("an older message is known by its key", () => {
  const room = known(2, 2);
  room.prepend([entry(1, { key: "k" })], false);
  assert.ok(room.hasKey("k"));
});

test("a message that waits for others isn't known by its key yet", () => {
  const room = known();
  room.receive(entry(2, { key: "k" }));
  assert.ok(!room.hasKey("k"));
});

test("a log of no more than the most isn't trimmed", () => {
  const room = known(1, 10);
  room.trim(10);
  assert.equal(room.entries.length, 10);
});

test("a log of more than the most is trimmed to the newest half", () => {
  const room = known(1, 11);
  room.trim(10);
  assert.deepEqual(idsOf(room), [7, 8, 9, 10, 11]);
});

test("a log that was trimmed has older entries", () => {
  const room = known(1, 11);
  room.trim(10);
  assert.ok(room.hasOlder);
});

test("a room that starts afresh takes a log with smaller numbers", () => {
  const room = known(50, 60);
  room.reset();
  room.append(entries(1, 2));
  assert.deepEqual(idsOf(room), [1, 2]);
});

test("a room that starts afresh forgets what waited", () => {
  const room = known(1, 2);
  room.receive(entry(4, { message: "of the other log" }));
  room.reset();
  room.append(entries(1, 3));
  assert.deepEqual(idsOf(room), [1, 2, 3]);
});

test("a room that starts afresh forgets the keys", () => {
  const room = new Room("den");
  room.append([entry(1, { key: "k" })]);
  room.reset();
  assert.ok(!room.hasKey("k"));
});

// People

test("who joins is there and counted", () => {
  const room = peopled("Ann");
  assert.ok(room.applyPeopleChange({ joined: "Bo" }));
  assert.deepEqual([[...room.users], room.count], [["Ann", "Bo"], 2]);
});

test("who joins and is there already is counted once", () => {
  const room = peopled("Ann");
  room.applyPeopleChange({ joined: "Ann" });
  assert.equal(room.count, 1);
});

test("who leaves is gone", () => {
  const room = peopled("Ann", "Bo");
  room.applyPeopleChange({ left: "Bo" });
  assert.deepEqual([[...room.users], room.count], [["Ann"], 1]);
});

test("who leaves and wasn't there changes nothing", () => {
  const room = peopled("Ann");
  room.applyPeopleChange({ left: "Bo" });
  assert.deepEqual([room.count, room.notes], [1, []]);
});

test("who is renamed is there by the new name only", () => {
  const room = peopled("Ann");
  room.applyPeopleChange({ from: "Ann", to: "Anna" });
  assert.deepEqual([[...room.users], room.count], [["Anna"], 1]);
});

test("a crowd's count is taken as told", () => {
  const room = peopled("Ann");
  assert.ok(room.applyPeopleChange({ count: 300 }));
  assert.equal(room.count, 300);
});

test("a name that comes or goes where not all are known says that they must be asked for", () => {
  const room = known();
  room.setPeople(300, ["Ann", "Bo"]);
  assert.ok(!room.applyPeopleChange({ left: "Bo" }));
});

test("who came and went is noted after the newest entry", () => {
  const room = known(1, 3);
  room.applyPeopleChange({ joined: "Bo" });
  assert.deepEqual(room.notes, [{ after: 3, joined: new Set(["Bo"]), left: new Set(), renamed: [] }]);
});

test("those who come after one entry are one note", () => {
  const room = peopled();
  room.applyPeopleChange({ joined: "Ann" });
  room.applyPeopleChange({ joined: "Bo" });
  assert.deepEqual(room.notes.map(({ joined }) => [...joined]), [["Ann", "Bo"]]);
});

test("those who come after different entries are two notes", () => {
  const room = peopled();
  room.applyPeopleChange({ joined: "Ann" });
  room.receive(entry(1));
  room.applyPeopleChange({ joined: "Bo" });
  assert.deepEqual(room.notes.map(({ after }) => after), [0, 1]);
});

for (const [what, start, changes] of [
  ["came and went", [], [{ joined: "Bo" }, { left: "Bo" }]],
  ["went and came", ["Bo"], [{ left: "Bo" }, { joined: "Bo" }]],
]) {
  test(`who ${what} after one entry is no news`, () => {
    const room = peopled(...start);
    for (const change of changes) room.applyPeopleChange(change);
    assert.deepEqual(room.notes, [{ after: 0, joined: new Set(), left: new Set(), renamed: [] }]);
  });
}

test("a rename is noted", () => {
  const room = peopled("Ann");
  room.applyPeopleChange({ from: "Ann", to: "Anna" });
  assert.deepEqual(room.notes[0].renamed, [["Ann", "Anna"]]);
});

test("the newest fifty notes are kept", () => {
  const room = peopled();
  for (let n = 1; n <= 60; n += 1) {
    room.applyPeopleChange({ joined: `N${n}` });
    room.receive(entry(n));
  }
  assert.deepEqual(room.notes.map(({ after }) => after), Array.from({ length: 50 }, (_, n) => n + 10));
});

test("who types is a typist until the time is over", () => {
  const room = known();
  room.setTyping("Ann", 1000);
  assert.deepEqual([room.typingUsers(6999), room.typingUsers(7000)], [["Ann"], []]);
});

test("who types on is a typist for longer", () => {
  const room = known();
  room.setTyping("Ann", 1000);
  room.setTyping("Ann", 2000);
  assert.deepEqual(room.typingUsers(7000), ["Ann"]);
});

for (const [what, happens] of [
  ["has said it", (room) => room.receive(entry(1))],
  ["has left", (room) => room.applyPeopleChange({ left: "Ann" })],
  ["has another name", (room) => room.applyPeopleChange({ from: "Ann", to: "Anna" })],
]) {
  test(`who ${what} types no more`, () => {
    const room = peopled("Ann");
    room.setTyping("Ann", 1000);
    happens(room);
    assert.deepEqual(room.typingUsers(1001), []);
  });
}

// What hasn't been seen

test("what came after what was read is unread", () => {
  const room = known(1, 3);
  room.receive(entry(4));
  room.receive(entry(5));
  assert.equal(room.countUnread("Bo", NOBODY), 2);
});

test("where all was read nothing is unread", () => {
  assert.equal(known(1, 3).countUnread("Bo", NOBODY), 0);
});

test("where it isn't known what was read nothing is unread", () => {
  const room = known(1, 3);
  room.lastRead = null;
  assert.equal(room.countUnread("Bo", NOBODY), 0);
});

test("in a room whose log hasn't been read nothing is unread", () => {
  const room = new Room("den");
  room.lastRead = 0;
  assert.equal(room.countUnread("Bo", NOBODY), 0);
});

test("one's own messages aren't unread", () => {
  const room = known(1, 3);
  room.receive(entry(4));
  assert.equal(room.countUnread("Ann", NOBODY), 0);
});

test("messages of whom one ignores aren't unread", () => {
  const room = known(1, 3);
  room.receive(entry(4));
  assert.equal(room.countUnread("Bo", new Set(["ann"])), 0);
});

test("unread messages before those that are here are counted", () => {
  const room = known(11, 20);
  room.lastRead = 5;
  assert.equal(room.countUnread("Bo", NOBODY), 15);
});

test("unread mentions are counted", () => {
  const room = known(1, 1);
  room.receive(entry(2, { message: "@Bo!" }));
  room.receive(entry(3, { message: "Bo" }));
  room.receive(entry(4, { message: "hi @bo" }));
  assert.equal(room.countMentions("Bo", NOBODY), 2);
});

test("a mention that was read isn't counted", () => {
  const room = known();
  room.receive(entry(1, { message: "@Bo" }));
  room.lastRead = 1;
  assert.equal(room.countMentions("Bo", NOBODY), 0);
});

test("who ignores somebody isn't mentioned by them", () => {
  const room = known();
  room.receive(entry(1, { message: "@Bo" }));
  assert.equal(room.countMentions("Bo", new Set(["ann"])), 0);
});

test("who mentions oneself isn't counted", () => {
  const room = known();
  room.receive(entry(1, { message: "@Ann" }));
  assert.equal(room.countMentions("Ann", NOBODY), 0);
});

test("nobody without a name is mentioned", () => {
  const room = known();
  room.receive(entry(1, { message: "@" }));
  assert.equal(room.countMentions("", NOBODY), 0);
});

// One's own

test("what is said by one's name is one's own", () => {
  const room = known(1, 1);
  assert.deepEqual([room.isOwn(entry(1), "Ann"), room.isOwn(entry(1), "Bo")], [true, false]);
});

test("what one said before a rename stays one's own", () => {
  const room = known(1, 2);
  room.addFormerName("Ann");
  assert.ok(room.isOwn(entry(2), "Anna"));
});

test("what somebody else says by one's former name is not one's own", () => {
  const room = known(1, 2);
  room.addFormerName("Ann");
  assert.ok(!room.isOwn(entry(3), "Anna"));
});
