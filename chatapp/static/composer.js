// Writes a message: Enter sends it, Shift+Enter breaks the line.
export class Composer {
  #text;

  constructor(form, send) {
    this.#text = form.querySelector("textarea");
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    this.#text.addEventListener("input", () => this.#fit());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const message = this.#text.value;
      if (message.trim() === "") return;
      this.#text.value = "";
      this.#fit();
      this.focus();
      send(message);
    });
  }

  // A message that can't be sent as it is, for its writer to mend.
  giveBack(message) {
    if (this.#text.value === "") this.#text.value = message;
    this.#fit();
  }

  focus() {
    this.#text.focus();
  }

  #fit() {
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}
