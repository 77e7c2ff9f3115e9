// The messages, in the order of their numbers, each once. Text is text: never markup.
const NEAR_END_PX = 60;

export class Messages {
  own = null;
  last; // the number up to which all are here; undefined as long as there's none
  #list;
  #history;
  #epoch = null;
  #items = new Map();
  #filling = false;

  // `history(since)` resolves to the server's answer, or to null if there's none.
  constructor(list, history) {
    this.#list = list;
    this.#history = history;
  }

  isAnotherLog(epoch) {
    return this.#epoch !== null && this.#epoch !== epoch;
  }

  startAfresh() {
    this.#epoch = null;
    this.last = undefined;
    this.#items.clear();
    this.#list.replaceChildren();
  }

  // Take what the server answers to what is asked since `last`, and ask for the rest.
  async catchUp(answer) {
    this.#filling = true;
    const sinceLast = this.last !== undefined;
    while (answer?.ok) {
      this.#epoch = answer.epoch;
      answer.messages.forEach(([said, number]) => this.#add(said, number));
      this.last = Math.max(this.last ?? 0, answer.messages.at(-1)?.[1].id ?? 0);
      if (!answer.more || !sinceLast) break;
      answer = await this.#history(this.last);
    }
    this.#moveLast();
    this.#filling = false;
  }

  // A message is heard; if others are missing before it, they are asked for.
  async hear(said, number) {
    this.#add(said, number);
    if (this.last === undefined) return; // what's there is yet to be learnt, by joining
    this.#moveLast();
    if (number.id > this.last && !this.#filling) await this.catchUp(await this.#history(this.last));
  }

  #moveLast() {
    while (this.#items.has(this.last + 1)) this.last += 1;
  }

  #add(said, number) {
    if (this.#items.has(number.id)) return;
    const follow = this.#isAtEnd();
    const item = this.#draw(said, number);
    this.#items.set(number.id, item);
    item.dataset.id = number.id;
    let before = this.#list.lastElementChild;
    while (before && Number(before.dataset.id) > number.id) before = before.previousElementSibling;
    if (before) before.after(item);
    else this.#list.prepend(item);
    if (follow || said.user === this.own) this.#scrollToEnd();
  }

  #scrollToEnd() {
    this.#list.scrollTop = this.#list.scrollHeight;
  }

  #isAtEnd() {
    return this.#list.scrollHeight - this.#list.scrollTop - this.#list.clientHeight < NEAR_END_PX;
  }

  #draw(said, number) {
    const item = document.createElement("li");
    item.classList.toggle("own", said.user === this.own);
    const sender = document.createElement("b");
    sender.dir = "auto";
    sender.textContent = said.user;
    const time = document.createElement("time");
    const at = new Date(number.at);
    time.dateTime = at.toISOString();
    time.title = at.toLocaleString();
    time.textContent = at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    const text = document.createElement("p");
    text.dir = "auto";
    text.textContent = said.message;
    item.append(sender, " ", time, text);
    return item;
  }
}
