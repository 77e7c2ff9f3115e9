// Who is here: by name, or in a crowd as a count.
export class People {
  #label;
  #list;
  #names = new Set();
  #count = 0;

  constructor(label, list) {
    this.#label = label;
    this.#list = list;
  }

  reset(count, users) {
    this.#names = new Set(users);
    this.#count = count;
    this.#draw();
  }

  // What changed: a name that left, one that joined, or in a crowd how many there are.
  // False if the names known were not all: a crowd that is none any more; they must be asked for.
  apply({ left, joined, count }) {
    const complete = count !== undefined || this.#names.size === this.#count;
    if (this.#names.delete(left)) this.#count -= 1;
    if (joined !== undefined && !this.#names.has(joined)) {
      this.#names.add(joined);
      this.#count += 1;
    }
    if (count !== undefined) this.#count = count;
    this.#draw();
    return complete;
  }

  #draw() {
    this.#label.textContent = this.#count === 1 ? "1 person here" : `${this.#count} people here`;
    const names = [...this.#names].sort((a, b) => a.localeCompare(b));
    const items = names.map((name) => {
      const item = document.createElement("li");
      item.dir = "auto";
      item.textContent = name;
      return item;
    });
    this.#list.replaceChildren(...items);
  }
}
