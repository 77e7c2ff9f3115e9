// Mounts the panels around the conversation: rooms, people, forms, settings and notifications.
import { copyText } from "./clipboard.js";
import { keepFocus } from "./focus.js";
import { currentLanguage, direction, loadLanguage, setClock, translate, translateRefusal } from "./i18n.js";
import { Notifier } from "./notifier.js";
import { newRoomName } from "./room-name.js";
import { Announcer } from "./views/announcer.js";
import { AwayDialog } from "./views/away-dialog.js";
import { Composer } from "./views/composer.js";
import { ConnectionLine } from "./views/connection-line.js";
import { Drawers } from "./views/drawers.js";
import { EmptyRoom } from "./views/empty-room.js";
import { NameForms } from "./views/name-forms.js";
import { addIcons, translateTemplate } from "./views/page-template.js";
import { PeopleList } from "./views/people-list.js";
import { RoomHeader } from "./views/room-header.js";
import { RoomList } from "./views/room-list.js";
import { SettingsDialog } from "./views/settings-dialog.js";
import { StartPage } from "./views/start-page.js";
import { TypingLine } from "./views/typing-line.js";

const { title, maxChars } = document.body.dataset;

// `page` is what main.js has built.
export function mountPanels(page) {
  const { byId, connection, router, session, settings, store } = page;
  const { state } = store;
  followLanguage(page);
  addIcons();

  const announcer = new Announcer(byId("announcer"));
  const notifier = new Notifier(store, { title, icon: byId("icon"), open: (room) => router.navigate(room) });
  const composer = createComposer(page, announcer);
  const drawers = new Drawers();
  page.mention = (user) => {
    drawers.close(false); // an open drawer makes the composer inert
    composer.mention(user);
  };
  page.onMessage = (room, entry) => {
    if (room.name === state.view) announcer.addMessage(entry);
    notifier.onMessage(room, entry);
  };
  page.onSendFailed = (refused) => announcer.announce(translate("message.failed", { reason: translateRefusal(refused) }));
  announceConnection(store, announcer);

  const views = [
    createRoomHeader(page),
    new NameForms((name) => session.setName(name)),
    new EmptyRoom(byId("empty")),
    new AwayDialog(byId("away"), () => session.resume()),
    drawers,
    createStartPage(page),
    new ConnectionLine(byId("connection"), () => connection.reconnect()),
    new RoomList(byId("room-list"), (room) => router.path(room)),
    createPeopleList(page, announcer),
    composer,
    new TypingLine(byId("typing")),
    new SettingsDialog(byId("settings"), settings),
  ];
  byId("show-settings").addEventListener("click", () => byId("settings").showModal());
  document.body.classList.add("is-ready"); // makes the forms visible: hidden elements can't get the focus
  for (const each of views) store.subscribe((now) => each.render(now));
  keepFocus(store);
  followVisibility(page);
}

function createRoomHeader(page) {
  const { outbox, rooms, router, store: { state } } = page;
  return new RoomHeader({
    copyLink: () => copyLink(page),
    mute() {
      const room = state.rooms.get(state.view);
      rooms.setMuted(room, !room.isMuted);
    },
    leave() {
      outbox.removeRoom(state.view);
      rooms.leave(state.view);
      router.navigate(null);
    },
  });
}

function createStartPage(page) {
  const { byId, router } = page;
  const actions = {
    async createRoom() {
      router.navigate(await newRoomName());
      await copyLink(page);
    },
    open: (room) => router.navigate(room),
  };
  return new StartPage(byId("start"), actions, (room) => router.path(room));
}

function createPeopleList({ byId, mention, settings }, announcer) {
  const counts = [byId("people-count"), byId("people-title")];
  return new PeopleList(
    { list: byId("people-list"), counts, truncationNote: byId("people-crowd") },
    {
      mention,
      ignore(user) {
        settings.ignore(user);
        announcer.announce(translate("people.ignored", { name: user }));
      },
      unignore: (user) => settings.unignore(user),
    },
  );
}

function createComposer({ byId, connection, conversation, outbox, tabStorage, alerts }, announcer) {
  return new Composer({
    form: byId("message-form"),
    storage: tabStorage,
    maxChars: Number(maxChars),
    actions: {
      send(room, message) {
        alerts.clear();
        conversation.jumpToEnd();
        outbox.add(room, message);
      },
      typing: (room) => connection.emit("typing", { room }),
      announce: (text) => announcer.announce(text),
      emoji: () =>
        import("../vendor/gemoji.js").then(
          (table) => table.default,
          () => ({}),
        ),
    },
  });
}

async function copyLink({ router, store, alerts }) {
  const isCopied = await copyText(new URL(router.path(store.state.view), location.href).href);
  alerts.show(translate(isCopied ? "room.linkCopied" : "room.linkNotCopied"));
}

// Announce a lost connection once, and its return once.
function announceConnection(store, announcer) {
  let lastPhase = "connecting";
  store.subscribe(({ connection: { phase } }) => {
    if (phase === "connected") {
      if (lastPhase === "lost") announcer.announce(translate("connection.connected"));
      lastPhase = "connected";
    } else if (lastPhase === "connected") {
      announcer.announce(translate("connection.lost"));
      lastPhase = "lost";
    }
  });
}

// Translate the page again when the user chooses another language.
function followLanguage({ store, wantedLanguage }) {
  const { state } = store;
  const apply = () => {
    Object.assign(document.documentElement, { lang: currentLanguage(), dir: direction() });
    setClock(state.settings.clock);
    translateTemplate();
  };
  const wanted = () => `${wantedLanguage()} ${state.settings.clock}`;
  let applied = wanted();
  apply();
  store.subscribe(async () => {
    if (wanted() === applied) return;
    applied = wanted();
    await loadLanguage(wantedLanguage());
    apply();
    store.change(() => {});
  });
}

// A hidden window: place the "new" divider where the user stops reading. A shown one: mark messages read.
function followVisibility({ rooms, store }) {
  document.addEventListener("visibilitychange", () => {
    const room = store.state.rooms.get(store.state.view);
    if (document.hidden && room) rooms.placeDivider(room);
    else store.change(() => {}); // the conversation marks them while it renders
  });
}
