// Asks for a name, or for another one.
export class NameForm {
  #form;
  #input;
  #error;
  #hasSuggested = false;

  constructor(form, onSubmit) {
    this.#form = form;
    this.#input = form.querySelector("input");
    this.#error = form.querySelector("[role=alert]");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onSubmit(this.#input.value);
    });
    this.#input.addEventListener("input", () => this.#setError(""));
  }

  // `name` is there to be taken with one key.
  suggest(name) {
    if (this.#hasSuggested || !name || this.#input.value) return;
    this.#hasSuggested = true;
    this.#input.value = name;
  }

  edit(name) {
    this.#input.value = name;
    this.#setError("");
    this.#input.select();
  }

  showRefusal(refusal) {
    if (refusal) this.#setError(refusal);
  }

  focus() {
    this.#input.focus();
    this.#input.select();
  }

  #setError(text) {
    if (this.#error.textContent !== text) this.#error.textContent = text;
    this.#input.setAttribute("aria-invalid", String(text !== ""));
  }

  get isShown() {
    return this.#form.checkVisibility();
  }
}
