// The messages, in the order of their numbers, each once. Text is text: never markup.
const NEAR_END_PX = 60;

export class Messages {
  own = null;
  #list;
  #epoch = null;
  #items = new Map();

  constructor(list) {
    this.#list = list;
  }

  // Another epoch is another log: what is shown is of the one before.
  startEpoch(epoch) {
    if (this.#epoch !== null && this.#epoch !== epoch) {
      this.#items.clear();
      this.#list.replaceChildren();
    }
    this.#epoch = epoch;
  }

  add(said, number) {
    if (this.#items.has(number.id)) return;
    const follow = this.#isAtEnd();
    const item = this.#draw(said, number);
    this.#items.set(number.id, item);
    item.dataset.id = number.id;
    let before = this.#list.lastElementChild;
    while (before && Number(before.dataset.id) > number.id) before = before.previousElementSibling;
    if (before) before.after(item);
    else this.#list.prepend(item);
    if (follow || said.user === this.own) this.scrollToEnd();
  }

  scrollToEnd() {
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
