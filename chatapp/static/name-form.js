// Asks for a name.
export class NameForm {
  #form;
  #input;

  constructor(form, choose) {
    this.#form = form;
    this.#input = form.querySelector("input");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      choose(this.#input.value);
    });
  }

  show() {
    this.#form.hidden = false;
    this.#input.focus();
    this.#input.select();
  }

  hide() {
    this.#form.hidden = true;
  }
}
