// The form in which the user writes messages: drafts, the character counter, and completion by Tab.
import { findCompletion, findShortcode, matchEmoji, matchNames, replaceShortcodes } from "../completion.js";
import { translate } from "../i18n.js";

const STORAGE_KEY = "chat.drafts";
const TYPING_INTERVAL_MS = 3000;
const WARNING_RATIO = 0.9;

export class Composer {
  #form;
  #text;
  #counter;
  #storage;
  #maxChars;
  #actions;
  #room = null;
  #users = [];
  #emoji = null; // shortcodes to emoji, once loaded
  #typingSentAt = 0;
  #completion = null; // the candidates that Tab cycles through

  // `actions`: send(room, message), typing(room), announce(text), and emoji(), which resolves to the table
  // of shortcodes.
  constructor({ form, storage, maxChars, actions }) {
    this.#form = form;
    this.#text = form.querySelector("textarea");
    this.#counter = form.querySelector(".counter");
    this.#storage = storage;
    this.#maxChars = maxChars;
    this.#actions = actions;
    this.#text.addEventListener("keydown", (event) => this.#onKeydown(event));
    this.#text.addEventListener("input", () => this.#onInput());
    this.#text.addEventListener("focus", () => this.#loadEmoji());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  render({ view, rooms, me }) {
    const room = rooms.get(view);
    this.#users = room ? [...room.users].filter((user) => user !== me.name) : [];
    if (view === this.#room) return;
    this.#room = view;
    this.#completion = null;
    const draft = this.#storage.read(STORAGE_KEY)[view];
    this.#text.value = typeof draft === "string" ? draft : "";
    this.#updateSize();
  }

  mention(user) {
    const { value, selectionEnd } = this.#text;
    const space = /\S$/.test(value.slice(0, selectionEnd)) ? " " : "";
    this.focus();
    this.#replace(selectionEnd, selectionEnd, `${space}@${user} `);
  }

  focus() {
    this.#text.focus();
  }

  #submit() {
    const message = this.#text.value;
    if (message.trim() === "" || this.#excess() > 0) return this.focus();
    this.#completion = null;
    this.#text.value = "";
    this.#onInput(false);
    this.focus();
    this.#actions.send(this.#room, replaceShortcodes(message, this.#emoji ?? {}));
  }

  #onKeydown(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Tab" && !event.shiftKey && !event.altKey && !event.ctrlKey) {
      if (this.#complete() || this.#completeOnceLoaded()) event.preventDefault();
    } else if (event.key !== "Shift") this.#completion = null;
  }

  #complete() {
    const completion = this.#completion ?? this.#startCompletion();
    if (!completion) return false;
    const candidate = completion.candidates[completion.next % completion.candidates.length];
    this.#replace(completion.start, completion.end, candidate);
    this.#actions.announce(candidate.trim());
    this.#completion = { ...completion, next: completion.next + 1, end: completion.start + candidate.length };
    return true;
  }

  // Complete a shortcode after the table has loaded.
  #completeOnceLoaded() {
    if (this.#emoji || this.#findCompletion()?.kind !== "emoji") return false;
    const { value } = this.#text;
    this.#loadEmoji().then(() => this.#text.value === value && this.#complete());
    return true;
  }

  #startCompletion() {
    const found = this.#findCompletion();
    if (!found) return null;
    const emoji = this.#emoji ?? {};
    const candidates =
      found.kind === "name"
        ? matchNames(found.prefix, this.#users).map((name) => `@${name} `)
        : matchEmoji(found.prefix, emoji).map((name) => emoji[name]);
    const end = this.#text.selectionEnd;
    return candidates.length > 0 ? { candidates, next: 0, start: found.start, end } : null;
  }

  #findCompletion() {
    const { value, selectionStart, selectionEnd } = this.#text;
    return selectionStart === selectionEnd ? findCompletion(value, selectionEnd) : null;
  }

  // Insert with the browser's command, so that the user can undo it.
  #replace(start, end, text) {
    this.#text.setSelectionRange(start, end);
    if (!document.execCommand("insertText", false, text)) this.#text.setRangeText(text, start, end, "end");
    this.#onInput();
  }

  #onInput(isTyping = true) {
    this.#replaceShortcode();
    const drafts = this.#storage.read(STORAGE_KEY);
    this.#storage.write(STORAGE_KEY, { ...drafts, [this.#room]: this.#text.value || undefined });
    this.#updateSize();
    if (isTyping && this.#text.value && Date.now() - this.#typingSentAt > TYPING_INTERVAL_MS) {
      this.#typingSentAt = Date.now();
      this.#actions.typing(this.#room);
    }
    if (!isTyping) this.#typingSentAt = 0;
  }

  // A table that failed to load is empty. It's loaded again when the composer gets the focus.
  async #loadEmoji() {
    if (Object.keys(this.#emoji ?? {}).length === 0) this.#emoji = await this.#actions.emoji();
    this.#replaceShortcode();
  }

  #replaceShortcode() {
    if (!this.#emoji) return;
    const { value, selectionEnd } = this.#text;
    const found = findShortcode(value, selectionEnd, this.#emoji);
    if (found) this.#replace(found.start, selectionEnd, found.emoji);
  }

  #excess() {
    return [...this.#text.value].length - this.#maxChars;
  }

  #updateSize() {
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight + 2}px`;
    const excess = this.#excess();
    const isNear = excess > -this.#maxChars * (1 - WARNING_RATIO);
    const text = translate(excess > 0 ? "message.over" : "message.left", { count: Math.abs(excess) });
    if (excess > 0 && !this.#counter.classList.contains("wrong")) this.#actions.announce(text);
    this.#counter.textContent = isNear ? text : "";
    this.#counter.classList.toggle("wrong", excess > 0);
    this.#text.setAttribute("aria-invalid", String(excess > 0));
    this.#form.querySelector("button").disabled = excess > 0;
  }
}
