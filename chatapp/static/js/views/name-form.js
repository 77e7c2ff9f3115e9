// Asks for a name, or for another one.
export class NameForm {
  #form;
  #input;
  #error;
  #isOffered = false;

  constructor(form, choose) {
    this.#form = form;
    this.#input = form.querySelector("input");
    this.#error = form.querySelector("[role=alert]");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      choose(this.#input.value);
    });
    this.#input.addEventListener("input", () => this.#tell(""));
  }

  // `name` is there to be taken with one key.
  offer(name) {
    if (this.#isOffered || !name || this.#input.value) return;
    this.#isOffered = true;
    this.#input.value = name;
  }

  ask(name) {
    this.#input.value = name;
    this.#tell("");
    this.#input.select();
  }

  refuse(refusal) {
    if (refusal) this.#tell(refusal);
  }

  focus() {
    this.#input.focus();
    this.#input.select();
  }

  #tell(words) {
    if (this.#error.textContent !== words) this.#error.textContent = words;
    this.#input.setAttribute("aria-invalid", String(words !== ""));
  }

  get isShown() {
    return this.#form.checkVisibility();
  }
}
