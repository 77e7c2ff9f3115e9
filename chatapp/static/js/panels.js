// What stands around the conversation: rooms and people, the forms, settings, what calls one back.
import { Notifier } from "./notifier.js";
import { copyText } from "./clipboard.js";
import { focusMain, keepFocus } from "./focus.js";
import { newRoomName } from "./room-name.js";
import { Announcer } from "./views/announcer.js";
import { Composer } from "./views/composer.js";
import { Frame, translatePage } from "./views/frame.js";
import { PeopleList } from "./views/people-list.js";
import { RoomList } from "./views/room-list.js";
import { SettingsDialog } from "./views/settings-dialog.js";
import { StartPage } from "./views/start-page.js";
import { ConnectionLine, TypingLine } from "./views/status.js";
import { currentLanguage, direction, loadLanguage, setClock, translate, translateRefusal } from "./i18n.js";

const { title, maxChars } = document.body.dataset;

// `page`: what main.js has built.
export function mountPanels(page) {
  const { byId, connection, outbox, rooms, router, session, settings, store } = page;
  const { state } = store;
  followLanguage(page);

  const pathOf = (room) => router.path(room);
  const announcer = new Announcer(byId("announcer"));
  const notifier = new Notifier(store, { title, icon: byId("icon"), open: (room) => router.navigate(room) });
  const composer = makeComposer(page, announcer);
  const mention = (user) => {
    frame.closeDrawers(false); // behind an open one nothing can be written
    composer.mention(user);
  };
  page.mention = mention;
  page.onMessage = (room, entry) => {
    if (room.name === state.view) announcer.addMessage(entry);
    notifier.onMessage(room, entry);
  };
  page.onSendFailed = (refused) => announcer.announce(translate("message.failed", { reason: translateRefusal(refused) }));
  announceConnection(store, announcer);

  const frame = new Frame({
    setName: (name) => session.setName(name),
    resume: () => session.resume(),
    copyLink: () => copyLink(page),
    mute: () => rooms.setMuted(state.rooms.get(state.view), !state.rooms.get(state.view).isMuted),
    leave() {
      outbox.removeRoom(state.view);
      rooms.leave(state.view);
      router.navigate(null);
    },
    focus: focusMain,
  });
  const people = new PeopleList(
    { list: byId("people-list"), counts: [byId("people-count"), byId("people-title")], truncationNote: byId("people-crowd") },
    {
      mention,
      ignore(user) {
        settings.ignore(user);
        announcer.announce(translate("people.ignored", { name: user }));
      },
      unignore: (user) => settings.unignore(user),
    },
  );
  const startPage = new StartPage(
    byId("start"),
    {
      async createRoom() {
        router.navigate(await newRoomName());
        await copyLink(page);
      },
      open: (room) => router.navigate(room),
    },
    pathOf,
  );
  const views = [
    frame,
    startPage,
    new ConnectionLine(byId("connection"), () => connection.reconnect()),
    new RoomList(byId("room-list"), pathOf),
    people,
    composer,
    new TypingLine(byId("typing")),
    new SettingsDialog(byId("settings"), settings),
  ];
  document.body.classList.add("is-ready"); // what can't be seen can't have the focus
  for (const each of views) store.subscribe((now) => each.render(now));
  keepFocus(store);

  document.addEventListener("visibilitychange", () => {
    const room = state.rooms.get(state.view);
    if (document.hidden && room) rooms.placeDivider(room); // where one left off, for the return
    else store.change(() => {});
  });
}

function makeComposer({ byId, connection, conversation, outbox, tabStorage, alerts }, announcer) {
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
      announce: (words) => announcer.announce(words),
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

// Once when it's lost, and once when it's back.
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

// All words are said again when another language is chosen.
function followLanguage({ store, wantedLanguage }) {
  const { state } = store;
  const apply = () => {
    Object.assign(document.documentElement, { lang: currentLanguage(), dir: direction() });
    setClock(state.settings.clock);
    translatePage();
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
