import assert from "node:assert/strict";
import { test } from "node:test";
import { Room } from "../../chatapp/static/js/room.js";

const entry = (id, rest = {}) => ({ user: "Ann", message: `m${id}`, room: "den", id, at: id, key: undefined, ...rest });
const entries = (from, to) => Array.from({ length: to - from + 1 }, (_, n) => entry(from + n));
const idsOf = (room) => room.entries.map(({ id }) => id);
const NOBODY = new Set();

// A loaded room in which the user has read everything.
function loaded(from = 1, to = 0) {
  const room = new Room("den");
  room.append(entries(from, to));
  room.lastRead = room.lastId;
  return room;
}

function roomWith(...users) {
  const room = loaded();
  room.setPeople(users.length, users);
  return room;
}

// The log

test("a new room isn't loaded", () => {
  assert.ok(!new Room("den").isLoaded);
});

test("a room with an empty log is loaded once it has been read", () => {
  assert.ok(loaded().isLoaded);
});

test("an empty log's first and last ids are 0", () => {
  const { firstId, lastId } = new Room("den");
  assert.deepEqual([firstId, lastId], [0, 0]);
});

test("a received entry is appended", () => {
  const room = loaded(1, 2);
  assert.ok(room.receive(entry(3)));
  assert.deepEqual(idsOf(room), [1, 2, 3]);
});

test("an entry received twice is stored once", () => {
  const room = loaded(1, 2);
  room.receive(entry(3));
  room.receive(entry(3));
  room.receive(entry(1));
  assert.deepEqual(idsOf(room), [1, 2, 3]);
});

test("an entry received after a gap reports the gap, and is pending", () => {
  const room = loaded(1, 2);
  assert.ok(!room.receive(entry(4)));
  assert.deepEqual(idsOf(room), [1, 2]);
});

test("a pending entry is appended when the missing ones are received", () => {
  const room = loaded(1, 2);
  room.receive(entry(5));
  room.receive(entry(4));
  assert.ok(room.receive(entry(3)));
  assert.deepEqual(idsOf(room), [1, 2, 3, 4, 5]);
});

test("a pending entry is appended when the missing ones are loaded", () => {
  const room = loaded(1, 2);
  room.receive(entry(5));
  room.append(entries(3, 4));
  assert.deepEqual(idsOf(room), [1, 2, 3, 4, 5]);
});

test("an entry that is both pending and loaded is stored once", () => {
  const room = loaded(1, 2);
  room.receive(entry(4));
  room.append(entries(3, 5));
  assert.deepEqual(idsOf(room), [1, 2, 3, 4, 5]);
});

test("an entry received before the first page follows it", () => {
  const room = new Room("den");
  assert.ok(room.receive(entry(12)));
  room.append(entries(10, 11));
  assert.deepEqual(idsOf(room), [10, 11, 12]);
});

test("an entry received before the first page isn't shown alone", () => {
  const room = new Room("den");
  room.receive(entry(1));
  assert.deepEqual(idsOf(room), []);
});

test("a page may begin after a gap: retention removes entries", () => {
  const room = loaded(1, 2);
  room.append(entries(7, 8));
  assert.deepEqual(idsOf(room), [1, 2, 7, 8]);
});

for (let round = 0; round < 20; round += 1) {
  test(`entries received in any order are sorted by id (${round})`, () => {
    const room = loaded();
    const shuffled = entries(1, 9).sort((a, b) => ((a.id * 7 + round * 5) % 11) - ((b.id * 7 + round * 5) % 11));
    for (const each of shuffled) room.receive(each);
    assert.deepEqual(idsOf(room), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });
}

test("older entries precede the others, each once", () => {
  const room = loaded(4, 5);
  room.prepend(entries(2, 4), true);
  assert.deepEqual(idsOf(room), [2, 3, 4, 5]);
});

test("older entries are sorted and deduplicated", () => {
  const room = loaded(7, 8);
  room.prepend([3, 6, 4, 4, 6, 9].map((id) => entry(id)), true);
  assert.deepEqual(idsOf(room), [3, 4, 6, 7, 8]);
});

test("hasOlder is what the older page says", () => {
  const room = loaded(4, 5);
  room.prepend(entries(1, 3), false);
  assert.ok(!room.hasOlder);
});

test("a loaded message is known by its key", () => {
  const room = new Room("den");
  room.append([entry(1, { key: "k" })]);
  assert.ok(room.hasKey("k"));
});

test("an older message is known by its key", () => {
  const room = loaded(2, 2);
  room.prepend([entry(1, { key: "k" })], false);
  assert.ok(room.hasKey("k"));
});

test("a pending message isn't known by its key yet", () => {
  const room = loaded();
  room.receive(entry(2, { key: "k" }));
  assert.ok(!room.hasKey("k"));
});

test("a log of the maximum length isn't trimmed", () => {
  const room = loaded(1, 10);
  room.trim(10);
  assert.equal(room.entries.length, 10);
});

test("a longer log is trimmed to the newest half", () => {
  const room = loaded(1, 11);
  room.trim(10);
  assert.deepEqual(idsOf(room), [7, 8, 9, 10, 11]);
});

test("a trimmed log has older entries", () => {
  const room = loaded(1, 11);
  room.trim(10);
  assert.ok(room.hasOlder);
});

test("a reset room accepts a log with smaller ids", () => {
  const room = loaded(50, 60);
  room.reset();
  room.append(entries(1, 2));
  assert.deepEqual(idsOf(room), [1, 2]);
});

test("a reset room drops its pending entries", () => {
  const room = loaded(1, 2);
  room.receive(entry(4, { message: "of the other log" }));
  room.reset();
  room.append(entries(1, 3));
  assert.deepEqual(idsOf(room), [1, 2, 3]);
});

test("a reset room forgets the keys", () => {
  const room = new Room("den");
  room.append([entry(1, { key: "k" })]);
  room.reset();
  assert.ok(!room.hasKey("k"));
});

// Users

test("a user who joins is listed and counted", () => {
  const room = roomWith("Ann");
  assert.ok(room.applyPeopleChange({ joined: "Bo" }));
  assert.deepEqual([[...room.users], room.count], [["Ann", "Bo"], 2]);
});

test("a listed user who joins again is counted once", () => {
  const room = roomWith("Ann");
  room.applyPeopleChange({ joined: "Ann" });
  assert.equal(room.count, 1);
});

test("a user who leaves is removed", () => {
  const room = roomWith("Ann", "Bo");
  room.applyPeopleChange({ left: "Bo" });
  assert.deepEqual([[...room.users], room.count], [["Ann"], 1]);
});

test("an unlisted user who leaves changes nothing", () => {
  const room = roomWith("Ann");
  room.applyPeopleChange({ left: "Bo" });
  assert.deepEqual([room.count, room.notes], [1, []]);
});

test("a renamed user is listed under the new name only", () => {
  const room = roomWith("Ann");
  room.applyPeopleChange({ from: "Ann", to: "Anna" });
  assert.deepEqual([[...room.users], room.count], [["Anna"], 1]);
});

test("a large room's count is stored as sent", () => {
  const room = roomWith("Ann");
  assert.ok(room.applyPeopleChange({ count: 300 }));
  assert.equal(room.count, 300);
});

test("a change of an incomplete list reports that it must be loaded", () => {
  const room = loaded();
  room.setPeople(300, ["Ann", "Bo"]);
  assert.ok(!room.applyPeopleChange({ left: "Bo" }));
});

test("a user who joins is noted after the newest entry", () => {
  const room = loaded(1, 3);
  room.applyPeopleChange({ joined: "Bo" });
  assert.deepEqual(room.notes, [{ after: 3, joined: new Set(["Bo"]), left: new Set(), renamed: [] }]);
});

test("users who join after the same entry share a note", () => {
  const room = roomWith();
  room.applyPeopleChange({ joined: "Ann" });
  room.applyPeopleChange({ joined: "Bo" });
  assert.deepEqual(room.notes.map(({ joined }) => [...joined]), [["Ann", "Bo"]]);
});

test("users who join after different entries have two notes", () => {
  const room = roomWith();
  room.applyPeopleChange({ joined: "Ann" });
  room.receive(entry(1));
  room.applyPeopleChange({ joined: "Bo" });
  assert.deepEqual(room.notes.map(({ after }) => after), [0, 1]);
});

for (const [what, start, changes] of [
  ["joins and leaves", [], [{ joined: "Bo" }, { left: "Bo" }]],
  ["leaves and joins", ["Bo"], [{ left: "Bo" }, { joined: "Bo" }]],
]) {
  test(`a user who ${what} after the same entry isn't noted`, () => {
    const room = roomWith(...start);
    for (const change of changes) room.applyPeopleChange(change);
    assert.deepEqual(room.notes, [{ after: 0, joined: new Set(), left: new Set(), renamed: [] }]);
  });
}

test("a rename is noted", () => {
  const room = roomWith("Ann");
  room.applyPeopleChange({ from: "Ann", to: "Anna" });
  assert.deepEqual(room.notes[0].renamed, [["Ann", "Anna"]]);
});

test("the newest 50 notes are kept", () => {
  const room = roomWith();
  for (let n = 1; n <= 60; n += 1) {
    room.applyPeopleChange({ joined: `N${n}` });
    room.receive(entry(n));
  }
  assert.deepEqual(room.notes.map(({ after }) => after), Array.from({ length: 50 }, (_, n) => n + 10));
});

test("a user is typing for 6 s", () => {
  const room = loaded();
  room.setTyping("Ann", 1000);
  assert.deepEqual([room.typingUsers(6999), room.typingUsers(7000)], [["Ann"], []]);
});

test("a user who goes on typing is typing for longer", () => {
  const room = loaded();
  room.setTyping("Ann", 1000);
  room.setTyping("Ann", 2000);
  assert.deepEqual(room.typingUsers(7000), ["Ann"]);
});

for (const [what, happens] of [
  ["has sent a message", (room) => room.receive(entry(1))],
  ["has left", (room) => room.applyPeopleChange({ left: "Ann" })],
  ["was renamed", (room) => room.applyPeopleChange({ from: "Ann", to: "Anna" })],
]) {
  test(`a user who ${what} isn't typing`, () => {
    const room = roomWith("Ann");
    room.setTyping("Ann", 1000);
    happens(room);
    assert.deepEqual(room.typingUsers(1001), []);
  });
}

// Unread messages

test("entries after the last one read are unread", () => {
  const room = loaded(1, 3);
  room.receive(entry(4));
  room.receive(entry(5));
  assert.equal(room.countUnread("Bo", NOBODY), 2);
});

test("a room that was read has nothing unread", () => {
  assert.equal(loaded(1, 3).countUnread("Bo", NOBODY), 0);
});

test("without a known last read entry nothing is unread", () => {
  const room = loaded(1, 3);
  room.lastRead = null;
  assert.equal(room.countUnread("Bo", NOBODY), 0);
});

test("a room that isn't loaded has nothing unread", () => {
  const room = new Room("den");
  room.lastRead = 0;
  assert.equal(room.countUnread("Bo", NOBODY), 0);
});

test("own messages aren't unread", () => {
  const room = loaded(1, 3);
  room.receive(entry(4));
  assert.equal(room.countUnread("Ann", NOBODY), 0);
});

test("messages of ignored users aren't unread", () => {
  const room = loaded(1, 3);
  room.receive(entry(4));
  assert.equal(room.countUnread("Bo", new Set(["ann"])), 0);
});

test("unread messages before the loaded ones are counted", () => {
  const room = loaded(11, 20);
  room.lastRead = 5;
  assert.equal(room.countUnread("Bo", NOBODY), 15);
});

test("unread mentions are counted", () => {
  const room = loaded(1, 1);
  room.receive(entry(2, { message: "@Bo!" }));
  room.receive(entry(3, { message: "Bo" }));
  room.receive(entry(4, { message: "hi @bo" }));
  assert.equal(room.countMentions("Bo", NOBODY), 2);
});

test("a mention that was read isn't counted", () => {
  const room = loaded();
  room.receive(entry(1, { message: "@Bo" }));
  room.lastRead = 1;
  assert.equal(room.countMentions("Bo", NOBODY), 0);
});

test("a mention by an ignored user isn't counted", () => {
  const room = loaded();
  room.receive(entry(1, { message: "@Bo" }));
  assert.equal(room.countMentions("Bo", new Set(["ann"])), 0);
});

test("an own mention isn't counted", () => {
  const room = loaded();
  room.receive(entry(1, { message: "@Ann" }));
  assert.equal(room.countMentions("Ann", NOBODY), 0);
});

test("without a name no mention is counted", () => {
  const room = loaded();
  room.receive(entry(1, { message: "@" }));
  assert.equal(room.countMentions("", NOBODY), 0);
});

// Own messages

test("an entry under the user's name is own", () => {
  const room = loaded(1, 1);
  assert.deepEqual([room.isOwn(entry(1), "Ann"), room.isOwn(entry(1), "Bo")], [true, false]);
});

test("an entry from before a rename stays own", () => {
  const room = loaded(1, 2);
  room.addFormerName("Ann");
  assert.ok(room.isOwn(entry(2), "Anna"));
});

test("a later entry under the user's former name isn't own", () => {
  const room = loaded(1, 2);
  room.addFormerName("Ann");
  assert.ok(!room.isOwn(entry(3), "Anna"));
});
