// Writes a message: Enter sends it, Shift+Enter breaks the line.
export class Composer {
  #form;
  #text;
  #button;
  #open = false;
  #sending = false;

  constructor(form, say) {
    this.#form = form;
    this.#text = form.querySelector("textarea");
    this.#button = form.querySelector("button");
    this.#text.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
        event.preventDefault();
        form.requestSubmit();
      }
    });
    this.#text.addEventListener("input", () => this.#fit());
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const message = this.#text.value;
      if (this.#button.disabled || message.trim() === "") return;
      this.#sending = true;
      this.#update();
      const sent = await say(message);
      this.#sending = false;
      this.#update();
      if (sent && this.#text.value === message) this.#text.value = "";
      this.#fit();
      this.focus();
    });
  }

  // What is written stays; it can't be sent while there's no connection.
  enable(open) {
    this.#open = open;
    this.#update();
  }

  #update() {
    this.#button.disabled = !this.#open || this.#sending;
  }

  focus() {
    this.#text.focus();
  }

  #fit() {
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
  }
}
