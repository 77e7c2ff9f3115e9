// The page: what each part does is in its own module; here they are put together.
import { Attention } from "./attention.js";
import { copy } from "./clipboard.js";
import { Connection } from "./connection.js";
import { icon } from "./dom.js";
import { Identity } from "./identity.js";
import { Outbox } from "./outbox.js";
import { newRoomName } from "./room-name.js";
import { Room } from "./room.js";
import { LOBBY, Rooms } from "./rooms.js";
import { Router } from "./router.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { Kept } from "./storage.js";
import { Store } from "./store.js";
import { Announcer } from "./views/announcer.js";
import { Composer } from "./views/composer.js";
import { belowButton, Conversation } from "./views/conversation.js";
import { fillWords, Frame } from "./views/frame.js";
import { PeopleList } from "./views/people-list.js";
import { RoomList } from "./views/room-list.js";
import { SettingsDialog } from "./views/settings-dialog.js";
import { Start } from "./views/start.js";
import { ConnectionLine, Troubles, TypingLine } from "./views/status.js";
import { Odd, saidOf } from "./wire.js";
import { currentLanguage, direction, languageFor, say, setClock, speak } from "./words.js";

const { socketPath, root, title, maxChars } = document.body.dataset;
const byId = (id) => document.getElementById(id);
const pageLanguage = document.documentElement.lang;

const troubles = new Troubles(byId("troubles"));
const store = new Store({
  connection: { phase: "connecting", retryAt: 0 },
  me: { name: "", wanted: "", last: "", refusal: "" }, // `wanted`: the name that is to be had
  rooms: new Map([[LOBBY, new Room(LOBBY)]]),
  view: null, // the room in view; null: the start page
  unsent: [],
  settings: {},
});
const { state } = store;
const notKept = () => setTimeout(() => troubles.tell(say("trouble.storage")));
const browser = new Kept(() => localStorage, notKept);
const tab = new Kept(() => sessionStorage, notKept);
const settings = new Settings(store, browser);
const speaking = speak(wantedLanguage());

for (const event of ["error", "unhandledrejection"]) {
  window.addEventListener(event, ({ error, reason }) => {
    troubles.tell(say((error ?? reason) instanceof Odd ? "trouble.odd" : "trouble.failed"));
  });
}

const connection = new Connection(socketPath, {
  onChange(phase) {
    store.change((now) => (now.connection = { phase, retryAt: connection.retryAt }));
    if (phase === "connected") session.connected();
  },
});
const identity = new Identity(browser, tab);
const outbox = new Outbox(store, tab, (room, message, key) =>
  connection.ask("msg", saidOf, { message, room, key, user: state.me.name }),
);
const rooms = new Rooms({
  store,
  connection,
  kept: browser,
  onEntered: (name) => state.me.name && outbox.send(name),
  onHeard(room, entry) {
    if (entry.user !== state.me.name && room.name === state.view) announcer.message(entry);
    attention.heard(room, entry);
  },
});
const session = new Session({ store, connection, identity, rooms });
const router = new Router(root, view);
const announcer = new Announcer(byId("announcer"));
const attention = new Attention(store, { title, icon: byId("icon"), open: (room) => router.go(room) });
rooms.listen();
view(router.current());
session.start();

await speaking;
listenToLanguage();

const mention = (user) => composer.mention(user);
const frame = new Frame({
  setName: (name) => session.setName(name),
  comeBack: () => session.comeBack(),
  copyLink: () => copyLink(),
  mute: () => rooms.mute(state.rooms.get(state.view), !state.rooms.get(state.view).isMuted),
  leave() {
    rooms.leave(state.view);
    router.go(null);
  },
});
const composer = new Composer({
  form: byId("message-form"),
  kept: tab,
  mostChars: Number(maxChars),
  actions: {
    send(room, message) {
      troubles.clear();
      conversation.toEnd();
      outbox.add(room, message);
    },
    typing: (room) => connection.tell("typing", { room }),
    announce: (words) => announcer.now(words),
    emoji: async () => (await import("../vendor/gemoji.js")).default,
  },
});
const below = belowButton(icon("down"));
byId("conversation").append(below);
const conversation = new Conversation(byId("message-container"), below, {
  mention,
  again: (item) => outbox.again(item),
  remove: (item) => outbox.remove(item.key),
  readOlder: (room) => rooms.readOlder(room),
  seen: (room) => rooms.seen(room),
});
const people = new PeopleList(
  { list: byId("people-list"), counts: [byId("people-count"), byId("people-title")], crowd: byId("people-crowd") },
  {
    mention,
    ignore(user) {
      settings.ignore(user);
      announcer.now(say("people.ignored", { name: user }));
    },
    unignore: (user) => settings.unignore(user),
  },
);
const start = new Start(
  byId("start"),
  {
    async make() {
      router.go(await newRoomName());
      await copyLink();
    },
    open: (room) => router.go(room),
  },
  (room) => router.address(room),
);
const views = [
  frame,
  start,
  new ConnectionLine(byId("connection"), () => connection.tryNow()),
  new RoomList(byId("room-list"), (room) => router.address(room)),
  people,
  composer,
  conversation,
  new TypingLine(byId("typing")),
  new SettingsDialog(byId("settings"), settings),
];
for (const each of views) store.follow((now) => each.draw(now));
document.body.classList.add("is-ready");

document.addEventListener("visibilitychange", () => {
  if (document.hidden) conversation.left();
  store.change(() => {});
});

function view(room) {
  store.change((now) => (now.view = room));
  if (room !== null) rooms.open(room);
}

async function copyLink() {
  const isCopied = await copy(new URL(router.address(state.view), location.href).href);
  troubles.tell(say(isCopied ? "room.linkCopied" : "room.linkNotCopied"));
}

function wantedLanguage() {
  return languageFor([state.settings.language || pageLanguage]);
}

// All words are said again when another language is chosen.
function listenToLanguage() {
  const show = () => {
    Object.assign(document.documentElement, { lang: currentLanguage(), dir: direction() });
    setClock(state.settings.clock);
    fillWords();
  };
  show();
  let shown = `${currentLanguage()} ${state.settings.clock}`;
  store.follow(async () => {
    const wanted = `${wantedLanguage()} ${state.settings.clock}`;
    if (wanted === shown) return;
    shown = wanted;
    await speak(wantedLanguage());
    show();
    store.change(() => {});
  });
}
