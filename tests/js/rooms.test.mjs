import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { LOBBY, Rooms } from "../../chatapp/static/js/rooms.js";
import { Room } from "../../chatapp/static/js/room.js";
import { Session } from "../../chatapp/static/js/session.js";
import { Identity } from "../../chatapp/static/js/identity.js";
import { FakeConnection, GuardedStore, memoryStorage } from "../support/page.mjs";

globalThis.window = { addEventListener() {} };

const said = (id, user = "Bo") => [{ user, message: `m${id}` }, { room: "den", id, at: id }];
const page = (from, to, rest = {}) => {
  const messages = Array.from({ length: to - from + 1 }, (_, n) => said(from + n));
  return { ok: true, room: "den", epoch: "e", count: 1, users: ["Ann"], messages, more: false, ...rest };
};

let connection, store, rooms, session;

beforeEach(() => {
  connection = new FakeConnection();
  connection.answers = { join: page(1, 3), setUsername: (user) => ({ ok: true, user, token: "t" }) };
  const me = { name: "Ann", requested: "Ann", lastUsed: "", refusal: "" };
  store = new GuardedStore({ me, rooms: new Map([[LOBBY, new Room(LOBBY)]]), view: "den", ignored: new Set() });
  rooms = new Rooms({ store, connection, storage: memoryStorage(), onJoined() {}, onMessage() {} });
  rooms.listen();
  session = new Session({ store, connection, rooms, identity: new Identity(memoryStorage(), memoryStorage()) });
});

const den = () => store.state.rooms.get("den");

async function join() {
  rooms.open("den");
  await settled();
}

// Actions that change rooms. The GuardedStore throws on a change outside store.change.
const actions = {
  "joining a room": () => {},
  "a join that the server refuses": () => {
    connection.answers.join = { ok: false, code: "too_many_rooms", message: "No." };
    rooms.open("attic");
  },
  "a join that the connection loses": () => {
    connection.answers.join = null;
    rooms.open("attic");
  },
  "a join with a malformed answer": () => {
    connection.answers.join = {};
    return rooms.joinAll();
  },
  "a log with another epoch": () => {
    connection.answers.join = page(1, 1, { epoch: "f" });
    return rooms.joinAll();
  },
  "a gap of more pages than are read": () => {
    connection.answers.join = ({ since = 0 }) => page(since + 1, since + 1, { more: true });
    connection.answers.history = ({ since = 0 }) => page(since + 1, since + 1, { more: since > 0 });
    return rooms.joinAll();
  },
  "a message": () => connection.deliver("newmsg", ...said(4)),
  "a message after a gap": () => {
    connection.answers.history = page(4, 5);
    connection.deliver("newmsg", ...said(6));
  },
  "older messages": () => {
    store.change(() => (den().hasOlder = true));
    connection.answers.history = page(1, 0);
    return rooms.loadOlder(den());
  },
  "a user who joins": () => connection.deliver("userJoined", { room: "den", user: "Bo" }),
  "a user who leaves": () => connection.deliver("userLeft", { room: "den", user: "Ann" }),
  "a count": () => connection.deliver("presence", { room: "den", count: 300 }),
  "a user who types": () => connection.deliver("userTyping", { room: "den", user: "Bo" }),
  "asking who types": () => {
    connection.deliver("userTyping", { room: "den", user: "Bo" });
    den().typingUsers(Infinity);
  },
  "reading a long log": () => {
    const entries = Array.from({ length: 2500 }, (_, n) => ({ user: "Bo", message: "m", room: "den", id: n + 4, at: n }));
    store.change(() => den().append(entries));
    rooms.markRead(den());
  },
  "muting a room": () => rooms.setMuted(den(), true),
  "a divider": () => {
    rooms.placeDivider(den());
    rooms.removeDivider(den());
  },
  "another name": () => session.setName("Anna"),
};
for (const [what, act] of Object.entries(actions)) {
  test(`rooms change only within store.change: ${what}`, async () => {
    globalThis.reportError = () => {};
    await join();
    store.check();
    await act();
    await settled();
    store.check();
  });
}

test("a room joined while a name is claimed stays joined", async () => {
  let answerName, answerJoin;
  connection.answers.setUsername = () => new Promise((resolve) => (answerName = resolve));
  connection.answers.join = ({ room }) => (room === "den" ? new Promise((resolve) => (answerJoin = resolve)) : page(1, 0, { room }));
  session.onConnected();
  rooms.open("den");
  answerName({ ok: true, user: "Ann", token: "t" });
  await settled();
  connection.deliver("newmsg", ...said(4));
  answerJoin(page(1, 3));
  await settled();
  assert.ok(den().isJoined);
  assert.deepEqual(den().entries.map(({ id }) => id), [1, 2, 3, 4]);
});
