// Build the page: its state, the connection and the conversation. The panels around the conversation
// are loaded after it (panels.js), so that the first message appears sooner.
import { connection } from "./connection.js";
import { icon } from "./dom.js";
import { loadLanguage, matchLanguage, setClock, translate } from "./i18n.js";
import { canonicalName, Identity } from "./identity.js";
import { Outbox } from "./outbox.js";
import { Room } from "./room.js";
import { LOBBY, Rooms } from "./rooms.js";
import { Router } from "./router.js";
import { Session } from "./session.js";
import { Settings } from "./settings.js";
import { SafeStorage } from "./storage.js";
import { Store } from "./store.js";
import { parseMessageAnswer, ProtocolError } from "./wire.js";
import { Alerts } from "./views/alerts.js";
import { Conversation, createJumpButton } from "./views/conversation.js";

const { root } = document.body.dataset;
const byId = (id) => document.getElementById(id);
const pageLanguage = document.documentElement.lang;

const alerts = new Alerts(byId("troubles"));
const store = new Store({
  connection: { phase: "connecting", retryAt: 0 },
  me: { name: "", requested: "", lastUsed: "", refusal: "" }, // `requested`: the name to claim
  rooms: new Map([[LOBBY, new Room(LOBBY)]]),
  view: null, // the name of the room in view, or null on the start page
  unsent: [],
  settings: {},
  ignored: new Set(), // canonical names
});
const { state } = store;
let isStorageFailureReported = false; // both storages may fail: one alert is enough
const reportStorageFailure = () => {
  if (!isStorageFailureReported) setTimeout(() => languageLoaded.then(() => alerts.show(translate("trouble.storage"), { isPersistent: true })));
  isStorageFailureReported = true;
};
const browserStorage = new SafeStorage(() => localStorage, reportStorageFailure);
const tabStorage = new SafeStorage(() => sessionStorage, reportStorageFailure);
const settings = new Settings(store, browserStorage);
const wantedLanguage = () => matchLanguage([state.settings.language || pageLanguage]);
const languageLoaded = loadLanguage(wantedLanguage());

for (const event of ["error", "unhandledrejection"]) {
  window.addEventListener(event, ({ error, reason }) => {
    alerts.show(translate((error ?? reason) instanceof ProtocolError ? "trouble.odd" : "trouble.failed"));
  });
}

const identity = new Identity(browserStorage, tabStorage);
const outbox = new Outbox(store, tabStorage, {
  sendMessage: (room, message, key) => connection.request("msg", parseMessageAnswer, { message, room, key, user: state.me.name }),
  onFailed: (refused) => page.onSendFailed(refused),
});
const rooms = new Rooms({
  store,
  connection,
  storage: browserStorage,
  onJoined: (name) => state.me.name && outbox.flush(name),
  onMessage(room, entry) {
    const isOthers = entry.user !== state.me.name && !state.ignored.has(canonicalName(entry.user));
    if (isOthers) page.onMessage(room, entry);
  },
});
const session = new Session({ store, connection, identity, rooms });
const router = new Router(root, view);

// What the panels build on, and the callbacks that they replace.
const page = {
  ...{ byId, connection, outbox, rooms, router, session, settings, store, tabStorage, alerts, wantedLanguage },
  onMessage() {}, // a message from another user who isn't ignored
  onSendFailed() {}, // the server refused an own message
  mention() {},
};

rooms.listen();
view(router.currentRoom());
store.subscribe(showView);
session.start();
connection.subscribe((phase) => {
  store.change((now) => (now.connection = { phase, retryAt: connection.retryAt }));
  if (phase === "connected") session.onConnected();
});

await languageLoaded;
setClock(state.settings.clock);
const jumpButton = createJumpButton(icon("down"));
byId("conversation").append(jumpButton);
page.conversation = new Conversation(byId("message-container"), jumpButton, {
  mention: (user) => page.mention(user),
  retry: (item) => outbox.retry(item),
  remove: (item) => outbox.remove(item.key),
  loadOlder: (room) => rooms.loadOlder(room),
  markRead: (room) => rooms.markRead(room),
  placeDivider: (room) => rooms.placeDivider(room),
  removeDivider: (room) => rooms.removeDivider(room),
});
store.subscribe((now) => page.conversation.render(now));

const { mountPanels } = await import("./panels.js");
mountPanels(page);

function view(room) {
  store.change((now) => (now.view = room));
  if (room !== null) rooms.open(room);
}

// The first subscriber: the other views may measure what it shows. It shows the composer no earlier than
// the composer renders, so that no message is sent to the room that was in view before.
function showView({ view: room }) {
  document.body.dataset.view = room === null ? "start" : "room";
  byId("room").hidden = room === null;
}
