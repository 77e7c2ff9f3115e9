// Writes a message: Enter sends it, Shift+Enter breaks the line. What is too long says so before.
import { findCompletion, findShortcode, matchEmoji, matchNames, replaceShortcodes } from "../completion.js";
import { translate } from "../i18n.js";

const STORAGE_KEY = "chat.drafts";
const TYPING_EVERY_MS = 3000;
const WARN_FROM = 0.9;

export class Composer {
  #form;
  #text;
  #counter;
  #storage;
  #most;
  #actions;
  #room = null;
  #users = [];
  #emoji = null; // the table, once it has come
  #toldAt = 0;
  #round = null; // the candidates that Tab goes through

  // `actions`: send(room, message), typing(room), announce(words), emoji() -> Promise of a table.
  constructor({ form, storage, mostChars, actions }) {
    this.#form = form;
    this.#text = form.querySelector("textarea");
    this.#counter = form.querySelector(".counter");
    this.#storage = storage;
    this.#most = mostChars;
    this.#actions = actions;
    this.#text.addEventListener("keydown", (event) => this.#pressed(event));
    this.#text.addEventListener("input", () => this.#changed());
    this.#text.addEventListener("focus", () => this.#learnEmoji());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  draw({ view, rooms, me }) {
    const room = rooms.get(view);
    this.#users = room ? [...room.users].filter((user) => user !== me.name) : [];
    if (view === this.#room) return;
    this.#room = view;
    this.#round = null;
    const draft = this.#storage.read(STORAGE_KEY)[view];
    this.#text.value = typeof draft === "string" ? draft : "";
    this.#fit();
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
    if (message.trim() === "" || this.#over() > 0) return this.focus();
    this.#round = null;
    this.#text.value = "";
    this.#changed(false);
    this.focus();
    this.#actions.send(this.#room, replaceShortcodes(message, this.#emoji ?? {}));
  }

  #pressed(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.#submit();
    } else if (event.key === "Tab" && !event.shiftKey && !event.altKey && !event.ctrlKey) {
      if (this.#complete() || this.#completesLater()) event.preventDefault();
    } else if (event.key !== "Shift") this.#round = null;
  }

  #complete() {
    const round = this.#round ?? this.#newRound();
    if (!round) return false;
    const candidate = round.candidates[round.next % round.candidates.length];
    this.#replace(round.start, round.end, candidate);
    this.#actions.announce(candidate.trim());
    this.#round = { ...round, next: round.next + 1, end: round.start + candidate.length };
    return true;
  }

  // Where the table of emoji is still on its way.
  #completesLater() {
    if (this.#emoji || this.#completable()?.kind !== "emoji") return false;
    const { value } = this.#text;
    this.#learnEmoji().then(() => this.#text.value === value && this.#complete());
    return true;
  }

  #newRound() {
    const found = this.#completable();
    if (!found) return null;
    const emoji = this.#emoji ?? {};
    const candidates =
      found.kind === "name"
        ? matchNames(found.prefix, this.#users).map((name) => `@${name} `)
        : matchEmoji(found.prefix, emoji).map((name) => emoji[name]);
    const end = this.#text.selectionEnd;
    return candidates.length > 0 ? { candidates, next: 0, start: found.start, end } : null;
  }

  #completable() {
    const { value, selectionStart, selectionEnd } = this.#text;
    return selectionStart === selectionEnd ? findCompletion(value, selectionEnd) : null;
  }

  // By the browser's own command, so that it can be taken back.
  #replace(start, end, words) {
    this.#text.setSelectionRange(start, end);
    if (!document.execCommand("insertText", false, words)) this.#text.setRangeText(words, start, end, "end");
    this.#changed();
  }

  #changed(isTyping = true) {
    this.#useEmoji();
    const drafts = this.#storage.read(STORAGE_KEY);
    this.#storage.write(STORAGE_KEY, { ...drafts, [this.#room]: this.#text.value || undefined });
    this.#fit();
    if (isTyping && this.#text.value && Date.now() - this.#toldAt > TYPING_EVERY_MS) {
      this.#toldAt = Date.now();
      this.#actions.typing(this.#room);
    }
    if (!isTyping) this.#toldAt = 0;
  }

  // Where the table couldn't be had, it's empty, and asked for again when one comes back to write.
  async #learnEmoji() {
    if (Object.keys(this.#emoji ?? {}).length === 0) this.#emoji = await this.#actions.emoji();
    this.#useEmoji();
  }

  #useEmoji() {
    if (!this.#emoji) return;
    const { value, selectionEnd } = this.#text;
    const found = findShortcode(value, selectionEnd, this.#emoji);
    if (found) this.#replace(found.start, selectionEnd, found.emoji);
  }

  #over() {
    return [...this.#text.value].length - this.#most;
  }

  #fit() {
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight + 2}px`;
    const over = this.#over();
    const isNear = over > -this.#most * (1 - WARN_FROM);
    const words = translate(over > 0 ? "message.over" : "message.left", { count: Math.abs(over) });
    if (over > 0 && !this.#counter.classList.contains("wrong")) this.#actions.announce(words);
    this.#counter.textContent = isNear ? words : "";
    this.#counter.classList.toggle("wrong", over > 0);
    this.#text.setAttribute("aria-invalid", String(over > 0));
    this.#form.querySelector("button").disabled = over > 0;
  }
}
