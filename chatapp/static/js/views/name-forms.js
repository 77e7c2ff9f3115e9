// The forms in which the user enters a name: in a room, and in the dialog that changes the name.
import { focusMain } from "../focus.js";
import { translate } from "../i18n.js";
import { LOBBY } from "../rooms.js";

const byId = (id) => document.getElementById(id);

export class NameForms {
  #nameForm;
  #renameForm;
  #view;
  #shownRefusal = "";

  // `setName(name)` resolves to whether the server gave the name.
  constructor(setName) {
    this.#nameForm = new NameForm(byId("name-form"), setName);
    this.#renameForm = new NameForm(byId("rename-form"), async (name) => {
      if (await setName(name)) byId("rename").close();
    });
    byId("change-name").addEventListener("click", () => {
      this.#renameForm.edit(byId("own-name").textContent);
      byId("rename").showModal();
    });
  }

  render({ view, me }) {
    const hasChanged = view !== this.#view;
    this.#view = view;
    const isNameNeeded = me.name === "" && (me.requested === "" || me.refusal !== "");
    this.#showForm(isNameNeeded);
    const isBlocked = isNameNeeded && view !== null && view !== LOBBY;
    byId("room").classList.toggle("is-closed", isBlocked);
    byId("invitation").textContent = isBlocked ? translate("room.choose", { room: view }) : "";
    byId("own-name").textContent = me.name || me.requested;
    byId("me").hidden = (me.name || me.requested) === "";
    this.#nameForm.suggest(me.requested || me.lastUsed);
    this.#showRefusal(me.refusal);
    if (hasChanged && isNameNeeded && this.#nameForm.isShown) this.#nameForm.focus();
  }

  // Show either the name form or the message form.
  #showForm(isNameNeeded) {
    const losesFocus = !isNameNeeded && byId("name-form").contains(document.activeElement);
    byId("name-form").hidden = !isNameNeeded;
    byId("message-form").hidden = isNameNeeded;
    if (losesFocus) focusMain();
  }

  #showRefusal(refusal) {
    if (refusal === this.#shownRefusal) return;
    this.#shownRefusal = refusal;
    const form = byId("rename").open ? this.#renameForm : this.#nameForm;
    form.showRefusal(refusal);
  }
}

class NameForm {
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

  // Fill in a name once, so that one key submits it.
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
