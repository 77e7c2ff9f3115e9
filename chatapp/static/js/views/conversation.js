// The conversation in view. It renders a window of the room's log, which follows the end of the log or
// the user's scrolling.
import { h, setProperties } from "../dom.js";
import { localeKey, translate } from "../i18n.js";
import { canonicalName } from "../identity.js";
import { buildRows } from "../rows.js";
import { renderRow } from "./message-row.js";

const STEP_ENTRIES = 4; // entries added at an end of the window in one frame
const WINDOW_ENTRIES = 100; // entries in the window, besides those near the viewport
const PREFETCH_ENTRIES = 100; // older ones are loaded when fewer are before the window
const NEAR_PX = 800; // the window is extended at an end that is nearer to the viewport
const FAR_PX = 2 * NEAR_PX; // entries farther from the viewport may be removed
const AT_END_PX = 40;

export class Conversation {
  #list;
  #jumpButton;
  #actions;
  #state;
  #room = null;
  #epoch = null; // the epoch of the rendered entries
  #from = 0; // the id of the window's first entry
  #to = Infinity; // the id of its last entry; Infinity: it follows the end
  #isAtEnd = true;
  #lastScrollTop = 0;
  #extensionFrame = 0; // the id of the animation frame that extends the window
  #rendered = new Map(); // rows by key: {fingerprint, element}
  #renderKey = "";

  // `actions`: mention(user), retry(item), remove(item), loadOlder(room), markRead(room),
  // placeDivider(room), removeDivider(room).
  constructor(list, jumpButton, actions) {
    this.#list = list;
    this.#jumpButton = jumpButton;
    this.#actions = actions;
    list.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    jumpButton.addEventListener("click", () => {
      list.focus({ preventScroll: true });
      this.jumpToEnd();
    });
    new ResizeObserver(() => this.#isAtEnd && this.#scrollToEnd()).observe(list);
  }

  render(state) {
    this.#state = state;
    const room = state.rooms.get(state.view) ?? null;
    const isRenumbered = this.#epoch !== null && this.#epoch !== room?.epoch;
    if (room !== this.#room || isRenumbered) this.#openRoom(room);
    if (!room) return;
    this.#epoch = room.epoch;
    const renderKey = `${localeKey()} ${state.me.name}`;
    if (renderKey !== this.#renderKey) this.#rendered.clear();
    this.#renderKey = renderKey;
    setProperties(this.#list, { "aria-label": translate("message.list", { room: room.name }), "aria-busy": String(!room.isLoaded) });
    if (this.#to === Infinity && this.#isAtEnd) {
      if (!document.hidden) this.#actions.markRead(room);
      this.#from = this.#windowStart(WINDOW_ENTRIES);
    } else this.#trimEnd(room, 2 * WINDOW_ENTRIES);
    this.#update(room);
    this.#renderJumpButton(room);
    this.#extendWindow();
  }

  // Keep rows rendered beyond both ends of the viewport, a step in each frame.
  #extendWindow() {
    if (this.#extensionFrame) return;
    this.#extensionFrame = requestAnimationFrame(() => {
      this.#extensionFrame = 0;
      const room = this.#room;
      if (!room?.isLoaded) return;
      if (this.#list.scrollHeight < this.#list.clientHeight + NEAR_PX) this.#actions.loadOlder(room);
      if (this.#isAtEnd || (this.#list.scrollTop < NEAR_PX && this.#extendUp(room))) return;
      if (this.#to !== Infinity && this.#distanceToEnd() < NEAR_PX) this.#extendDown(room);
    });
  }

  jumpToEnd() {
    this.#to = Infinity;
    this.#isAtEnd = true;
    this.#rerender();
    this.#scrollToEnd();
  }

  #openRoom(room) {
    if (this.#room) this.#actions.removeDivider(this.#room);
    this.#room = room;
    this.#epoch = null;
    this.#rendered.clear();
    this.#list.replaceChildren();
    this.#to = Infinity;
    this.#isAtEnd = true;
    this.#from = 0;
    if (room) this.#placeAtDivider(room);
  }

  // Show the first unread entries in view.
  #placeAtDivider(room) {
    if (!room.isLoaded || room.lastRead === null || room.lastRead >= room.lastId) return;
    this.#actions.placeDivider(room);
    const first = room.entries.findIndex(({ id }) => id > room.lastRead);
    this.#from = room.entries[Math.max(0, first - WINDOW_ENTRIES / 2)].id;
    this.#to = room.entries[first + WINDOW_ENTRIES / 2]?.id ?? Infinity;
    this.#isAtEnd = false;
    this.#update(room);
    const line = this.#rendered.get("new")?.element;
    if (line && this.#list.scrollHeight > this.#list.clientHeight) {
      this.#list.scrollTop = line.offsetTop - this.#list.clientHeight / 3;
    }
    this.#isAtEnd = this.#to === Infinity && this.#distanceToEnd() < AT_END_PX;
  }

  #rerender() {
    if (this.#state) this.render(this.#state);
  }

  // The id of the first entry of a window with `count` entries of users who aren't ignored.
  #windowStart(count) {
    const { entries } = this.#room;
    let index = entries.length;
    for (let left = count; index > 0 && left > 0; index -= 1) {
      if (!this.#state.ignored.has(canonicalName(entries[index - 1].user))) left -= 1;
    }
    return entries[index]?.id ?? 0;
  }

  #update(room) {
    const visible = this.#isAtEnd ? [] : this.#visibleRows();
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
    this.#reconcile(rows);
    if (this.#isAtEnd) this.#scrollToEnd();
    else this.#restorePosition(visible);
  }

  // Reuse rows whose fingerprint is the same. They are never moved, as a move lays out the whole list.
  #reconcile(rows) {
    const rendered = new Map(rows.map((row) => [row.key, this.#rowFor(row)]));
    const reused = new Set([...rendered.values()].map(({ element }) => element));
    for (const element of [...this.#list.children]) if (!reused.has(element)) element.remove();
    let next = this.#list.firstElementChild;
    for (const element of reused) {
      if (element === next) next = next.nextElementSibling;
      else this.#list.insertBefore(element, next);
    }
    this.#rendered = rendered;
  }

  #rowFor(row) {
    const before = this.#rendered.get(row.key);
    if (before?.fingerprint === row.fingerprint) return before;
    return { fingerprint: row.fingerprint, element: renderRow(row, this.#state.me.name, this.#actions) };
  }

  #visibleRows() {
    const { scrollTop, clientHeight, children } = this.#list;
    const isVisible = ({ offsetTop, offsetHeight }) =>
      offsetTop + offsetHeight > scrollTop && offsetTop < scrollTop + clientHeight;
    return [...children].filter(isVisible).map(({ dataset, offsetTop }) => ({ key: dataset.key, top: offsetTop }));
  }

  // Keep the first message that is still in the window at its place in the viewport.
  #restorePosition(visible) {
    const held = visible.find(({ key }) => /^\d/.test(key) && this.#rendered.has(key));
    if (held) this.#list.scrollTop += this.#rendered.get(held.key).element.offsetTop - held.top;
  }

  #onScroll() {
    const room = this.#room;
    if (!room) return;
    const distance = this.#distanceToEnd();
    const isUpward = this.#list.scrollTop < this.#lastScrollTop;
    this.#lastScrollTop = this.#list.scrollTop;
    this.#isAtEnd = this.#to === Infinity && distance < (isUpward ? 2 : AT_END_PX);
    if (this.#isAtEnd) this.#rerender();
    else this.#extendWindow();
    this.#renderJumpButton(room);
  }

  #distanceToEnd() {
    return this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight;
  }

  // Return whether there were older entries to show.
  #extendUp(room) {
    const first = room.entries.findIndex(({ id }) => id >= this.#from);
    if (first < PREFETCH_ENTRIES) this.#actions.loadOlder(room);
    if (first <= 0) return false;
    const start = Math.max(0, first - STEP_ENTRIES);
    this.#from = room.entries[start].id;
    this.#trimEnd(room, WINDOW_ENTRIES);
    this.#rerender();
    return true;
  }

  // Remove the entries from `count` after the window's first, if they are far from the viewport.
  #trimEnd(room, count) {
    const first = room.entries.findIndex(({ id }) => id >= this.#from);
    const end = first < 0 ? undefined : room.entries[first + count];
    if (end && end.id < this.#to && this.#isFarBelow(end)) this.#to = end.id;
  }

  #extendDown(room) {
    const last = room.entries.findLastIndex(({ id }) => id <= this.#to);
    const end = last + STEP_ENTRIES;
    this.#to = end >= room.entries.length - 1 ? Infinity : room.entries[end].id;
    const start = room.entries[Math.max(0, Math.min(end, room.entries.length) - WINDOW_ENTRIES)];
    if (start.id > this.#from && this.#isFarAbove(start)) this.#from = start.id;
    this.#rerender();
  }

  #isFarAbove({ id }) {
    const element = this.#rendered.get(`${id}`)?.element;
    return element && this.#list.scrollTop - element.offsetTop > FAR_PX;
  }

  #isFarBelow({ id }) {
    const element = this.#rendered.get(`${id}`)?.element;
    return element && element.offsetTop - this.#list.scrollTop - this.#list.clientHeight > FAR_PX;
  }

  #renderJumpButton(room) {
    this.#jumpButton.hidden = this.#isAtEnd || (this.#to === Infinity && this.#distanceToEnd() < AT_END_PX);
    const count = room.countUnread(this.#state.me.name, this.#state.ignored);
    const text = count > 0 ? translate("message.newBelow", { count }) : translate("message.toEnd");
    this.#jumpButton.querySelector("span").textContent = text;
    this.#jumpButton.classList.toggle("has-new", count > 0);
  }

  #scrollToEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
  }
}

export const createJumpButton = (icon) => h("button", { type: "button", class: "below", hidden: true }, icon, h("span"));
