// The conversation in view: a window of rows on a room's log, that follows its end or the reader.
import { h, setProperties } from "../dom.js";
import { canonicalName } from "../identity.js";
import { buildRows } from "../rows.js";
import { localeKey, translate } from "../i18n.js";
import { drawRow } from "./message-row.js";

const STEP = 4; // entries that are added at an end of the window in one frame
const MOST = 100; // entries in the window, but for those that are near to what is in view
const AHEAD = 100; // entries before the window, when older ones are asked for
const NEAR_PX = 800; // from an end of the list, when more is added there
const FAR_PX = 2 * NEAR_PX; // from what is in view, where entries may be taken away
const AT_END_PX = 40;

export class Conversation {
  #list;
  #below;
  #actions;
  #state;
  #room = null;
  #epoch = null; // the numbering that is drawn
  #from = 0; // the number of the window's first entry
  #to = Infinity; // the number after which it ends; Infinity: it follows the end
  #isAtEnd = true;
  #scrolledTo = 0;
  #reaching = 0; // the frame in which more is added
  #drawn = new Map(); // rows by key: {fingerprint, element}
  #style = "";

  // `actions`: mention(user), retry(item), remove(item), loadOlder(room), markRead(room).
  constructor(list, below, actions) {
    this.#list = list;
    this.#below = below;
    this.#actions = actions;
    list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    below.addEventListener("click", () => {
      list.focus({ preventScroll: true });
      this.toEnd();
    });
    new ResizeObserver(() => this.#isAtEnd && this.#scrollToEnd()).observe(list);
  }

  draw(state) {
    this.#state = state;
    const room = state.rooms.get(state.view) ?? null;
    const isRenumbered = this.#epoch !== null && this.#epoch !== room?.epoch;
    if (room !== this.#room || isRenumbered) this.#open(room);
    if (!room) return;
    this.#epoch = room.epoch;
    const style = `${localeKey()} ${state.me.name}`;
    if (style !== this.#style) this.#drawn.clear();
    this.#style = style;
    setProperties(this.#list, { "aria-label": translate("message.list", { room: room.name }), "aria-busy": String(!room.isLoaded) });
    if (this.#to === Infinity && this.#isAtEnd) {
      if (!document.hidden) this.#actions.markRead(room);
      this.#from = this.#numberBack(MOST);
    } else this.#endAt(room, 2 * MOST);
    this.#patch(room);
    this.#drawBelow(room);
    this.#reachFurther();
  }

  // There's always more than is in view, as far as there's more: a step in each frame.
  #reachFurther() {
    if (this.#reaching) return;
    this.#reaching = requestAnimationFrame(() => {
      this.#reaching = 0;
      const room = this.#room;
      if (!room?.isLoaded) return;
      if (this.#list.scrollHeight < this.#list.clientHeight + NEAR_PX) this.#actions.loadOlder(room);
      if (this.#isAtEnd || (this.#list.scrollTop < NEAR_PX && this.#showOlder(room))) return;
      if (this.#to !== Infinity && this.#distanceToEnd() < NEAR_PX) this.#showNewer(room);
    });
  }

  // On return to the window, "new" stands where one left it.
  left() {
    if (this.#room) this.#room.dividerAfter = this.#room.lastRead;
  }

  toEnd() {
    this.#to = Infinity;
    this.#isAtEnd = true;
    this.#redraw();
    this.#scrollToEnd();
  }

  #open(room) {
    if (this.#room) this.#room.dividerAfter = null;
    this.#room = room;
    this.#epoch = null;
    this.#drawn.clear();
    this.#list.replaceChildren();
    this.#to = Infinity;
    this.#isAtEnd = true;
    this.#from = 0;
    if (room) this.#placeAtNew(room);
  }

  // What hasn't been read begins in view, if there's much of it.
  #placeAtNew(room) {
    if (!room.isLoaded || room.lastRead === null || room.lastRead >= room.lastId) return;
    room.dividerAfter = room.lastRead;
    const first = room.entries.findIndex(({ id }) => id > room.lastRead);
    this.#from = room.entries[Math.max(0, first - MOST / 2)].id;
    this.#to = room.entries[first + MOST / 2]?.id ?? Infinity;
    this.#isAtEnd = false;
    this.#patch(room);
    const line = this.#drawn.get("new")?.element;
    if (line && this.#list.scrollHeight > this.#list.clientHeight) {
      this.#list.scrollTop = line.offsetTop - this.#list.clientHeight / 3;
    }
    this.#isAtEnd = this.#to === Infinity && this.#distanceToEnd() < AT_END_PX;
  }

  #redraw() {
    if (this.#state) this.draw(this.#state);
  }

  // The number of the entry that so many are after which aren't ignored.
  #numberBack(count) {
    const { entries } = this.#room;
    let index = entries.length;
    for (let left = count; index > 0 && left > 0; index -= 1) {
      if (!this.#state.ignored.has(canonicalName(entries[index - 1].user))) left -= 1;
    }
    return entries[index]?.id ?? 0;
  }

  #patch(room) {
    const inView = this.#isAtEnd ? [] : this.#rowsInView();
    const { entries } = room;
    const from = entries.findIndex(({ id }) => id >= this.#from);
    const end = this.#to === Infinity ? entries.length : entries.findLastIndex(({ id }) => id <= this.#to) + 1;
    const rows = buildRows(room, {
      from: from < 0 ? entries.length : from,
      to: end,
      ownName: this.#state.me.name,
      ignored: this.#state.ignored,
      unsent: this.#state.unsent.filter(({ room: name, key }) => name === room.name && !room.hasKey(key)),
    });
    this.#arrange(rows);
    if (this.#isAtEnd) this.#scrollToEnd();
    else this.#holdInPlace(inView);
  }

  // Rows that fingerprint the same stay, and stay where they are; others are drawn.
  #arrange(rows) {
    const drawn = new Map(rows.map((row) => [row.key, this.#drawnAs(row)]));
    const kept = new Set([...drawn.values()].map(({ element }) => element));
    for (const element of [...this.#list.children]) if (!kept.has(element)) element.remove();
    let place = this.#list.firstElementChild;
    for (const element of kept) {
      if (element === place) place = place.nextElementSibling;
      else this.#list.insertBefore(element, place);
    }
    this.#drawn = drawn;
  }

  #drawnAs(row) {
    const before = this.#drawn.get(row.key);
    if (before?.fingerprint === row.fingerprint) return before;
    return { fingerprint: row.fingerprint, element: drawRow(row, this.#state.me.name, this.#actions) };
  }

  #rowsInView() {
    const { scrollTop, clientHeight, children } = this.#list;
    const isInView = ({ offsetTop, offsetHeight }) =>
      offsetTop + offsetHeight > scrollTop && offsetTop < scrollTop + clientHeight;
    return [...children].filter(isInView).map(({ dataset, offsetTop }) => ({ key: dataset.key, top: offsetTop }));
  }

  // The first message in view that is still there stays where it was, though it may be drawn anew.
  #holdInPlace(inView) {
    const held = inView.find(({ key }) => /^\d/.test(key) && this.#drawn.has(key));
    if (held) this.#list.scrollTop += this.#drawn.get(held.key).element.offsetTop - held.top;
  }

  #scrolled() {
    const room = this.#room;
    if (!room) return;
    const distance = this.#distanceToEnd();
    const isUpward = this.#list.scrollTop < this.#scrolledTo;
    this.#scrolledTo = this.#list.scrollTop;
    this.#isAtEnd = this.#to === Infinity && distance < (isUpward ? 2 : AT_END_PX);
    if (this.#isAtEnd) this.#redraw();
    else this.#reachFurther();
    this.#drawBelow(room);
  }

  #distanceToEnd() {
    return this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight;
  }

  // Whether there are any here.
  #showOlder(room) {
    const first = room.entries.findIndex(({ id }) => id >= this.#from);
    if (first < AHEAD) this.#actions.loadOlder(room);
    if (first <= 0) return false;
    const start = Math.max(0, first - STEP);
    this.#from = room.entries[start].id;
    this.#endAt(room, MOST);
    this.#redraw();
    return true;
  }

  // Leave out what comes so many entries after the window's first, if it's far away.
  #endAt(room, count) {
    const first = room.entries.findIndex(({ id }) => id >= this.#from);
    const end = first < 0 ? undefined : room.entries[first + count];
    if (end && end.id < this.#to && this.#isFarBelow(end)) this.#to = end.id;
  }

  #showNewer(room) {
    const last = room.entries.findLastIndex(({ id }) => id <= this.#to);
    const end = last + STEP;
    this.#to = end >= room.entries.length - 1 ? Infinity : room.entries[end].id;
    const start = room.entries[Math.max(0, Math.min(end, room.entries.length) - MOST)];
    if (start.id > this.#from && this.#isFarAbove(start)) this.#from = start.id;
    this.#redraw();
  }

  #isFarAbove({ id }) {
    const element = this.#drawn.get(`${id}`)?.element;
    return element && this.#list.scrollTop - element.offsetTop > FAR_PX;
  }

  #isFarBelow({ id }) {
    const element = this.#drawn.get(`${id}`)?.element;
    return element && element.offsetTop - this.#list.scrollTop - this.#list.clientHeight > FAR_PX;
  }

  #drawBelow(room) {
    this.#below.hidden = this.#isAtEnd || (this.#to === Infinity && this.#distanceToEnd() < AT_END_PX);
    const count = room.countUnread(this.#state.me.name, this.#state.ignored);
    const words = count > 0 ? translate("message.newBelow", { count }) : translate("message.toEnd");
    this.#below.querySelector("span").textContent = words;
    this.#below.classList.toggle("has-new", count > 0);
  }

  #scrollToEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
  }
}

export const belowButton = (icon) => h("button", { type: "button", class: "below", hidden: true }, icon, h("span"));
