// The dialog that says that another tab uses the name. It stays open until the user takes the name back.
import { translate } from "../i18n.js";

export class AwayDialog {
  #dialog;
  #isAway = false;

  constructor(dialog, resume) {
    this.#dialog = dialog;
    dialog.querySelector("#come-back").addEventListener("click", resume);
    dialog.addEventListener("close", () => this.#isAway && dialog.showModal()); // Escape closes a dialog
  }

  render({ me, connection }) {
    this.#dialog.querySelector("#away-text").textContent = translate("connection.awayText", { name: me.requested });
    this.#isAway = connection.phase === "away";
    if (this.#isAway && !this.#dialog.open) this.#dialog.showModal();
    if (!this.#isAway && this.#dialog.open) this.#dialog.close();
  }
}
