// Alerts about errors and completed actions. Each stays until the user dismisses it or continues.
import { h, iconButton } from "../dom.js";
import { translate } from "../i18n.js";

export class Alerts {
  #region;

  constructor(region) {
    this.#region = region;
  }

  // A persistent alert stays when the user continues.
  show(text, { isPersistent = false } = {}) {
    const isShown = [...this.#region.children].some((item) => item.firstChild.textContent === text);
    if (isShown) return;
    const item = h("p", { class: isPersistent ? "trouble lasts" : "trouble" }, h("span", {}, text));
    item.append(iconButton("close", translate("notice.dismiss"), () => item.remove()));
    this.#region.append(item);
  }

  // The user continues: remove what isn't persistent.
  clear() {
    for (const item of this.#region.querySelectorAll(".trouble:not(.lasts)")) item.remove();
  }
}
