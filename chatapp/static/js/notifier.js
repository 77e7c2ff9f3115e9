// Tells the user of new messages: a count in the title and on the icon, a sound, a desktop
// notification.
import { translate } from "./i18n.js";
import { mentions } from "./markdown.js";
import { roomTitle } from "./views/room-list.js";

const MAX_BODY_CHARS = 120;
const SOUND_INTERVAL_MS = 1000;

export class Notifier {
  #store;
  #title;
  #icon;
  #plainIcon;
  #audio = null;
  #soundPlayedAt = -Infinity;
  #open;

  // `open(name)` shows a room.
  constructor(store, { title, icon, open }) {
    this.#store = store;
    this.#title = title;
    this.#icon = icon;
    this.#plainIcon = icon.href;
    this.#open = open;
    store.subscribe((state) => this.#showUnread(state));
  }

  onMessage(room, { user, message }) {
    const { me, settings, view } = this.#store.state;
    const isSeen = !document.hidden && view === room.name;
    if (room.isMuted || isSeen) return;
    if (settings.onlyMentions && !(me.name && mentions(message, me.name))) return;
    if (settings.sound) this.#playSound();
    if (settings.notices) this.#showNotification(room, user, message);
  }

  #showUnread({ rooms, view, me, ignored }) {
    let count = 0;
    for (const room of rooms.values()) if (!room.isMuted) count += room.countUnread(me.name, ignored);
    const pageTitle = view === null ? this.#title : `${roomTitle(view)} · ${this.#title}`;
    const title = count > 0 ? `(${count}) ${pageTitle}` : pageTitle;
    if (document.title !== title) document.title = title;
    const icon = count > 0 ? badgedIcon(count) : this.#plainIcon;
    if (this.#icon.href !== icon) this.#icon.href = icon;
    navigator.setAppBadge?.(count).catch(() => {});
  }

  // Messages that were missed arrive together: they play one sound.
  #playSound() {
    if (performance.now() - this.#soundPlayedAt < SOUND_INTERVAL_MS) return;
    this.#soundPlayedAt = performance.now();
    this.#audio ??= new AudioContext();
    const { currentTime, destination } = this.#audio;
    const tone = new OscillatorNode(this.#audio, { frequency: 660 });
    const volume = new GainNode(this.#audio, { gain: 0.15 });
    volume.gain.exponentialRampToValueAtTime(0.001, currentTime + 0.35);
    tone.connect(volume).connect(destination);
    tone.start();
    tone.stop(currentTime + 0.35);
  }

  #showNotification(room, user, message) {
    if (globalThis.Notification?.permission !== "granted") return;
    const title = translate("notice.title", { name: user, room: roomTitle(room.name) });
    let notification;
    try {
      notification = new Notification(title, { body: message.slice(0, MAX_BODY_CHARS), tag: room.name });
    } catch {
      return; // Chrome on Android has the class, but its constructor throws
    }
    notification.onclick = () => {
      window.focus();
      this.#open(room.name);
      notification.close();
    };
  }
}

function badgedIcon(count) {
  const text = count > 99 ? "99+" : String(count);
  const size = [0, 40, 32, 22][text.length];
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="16" fill="#1d5fd1"/>` +
    `<circle cx="40" cy="40" r="24" fill="#d92d20"/><text x="40" y="41" font-family="sans-serif" font-weight="700" ` +
    `font-size="${size}" fill="#fff" text-anchor="middle" dominant-baseline="central">${text}</text></svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}
