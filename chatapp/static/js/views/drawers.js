// The drawers of a small window: the list of rooms, and the list of people. At most one is open.
const byId = (id) => document.getElementById(id);

export class Drawers {
  #view;

  constructor() {
    for (const [button, drawer] of [["show-rooms", "rooms"], ["show-people", "people"]]) {
      byId(button).addEventListener("click", () => this.#toggle(drawer));
    }
    for (const button of document.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => this.close(true));
    }
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape" && !document.querySelector("dialog[open]")) this.close(true);
    });
    window.matchMedia("(max-width: 64rem)").addEventListener("change", () => this.close(false));
    byId("veil").addEventListener("click", () => this.close(true));
  }

  render({ view }) {
    if (view !== this.#view) this.close(false);
    this.#view = view;
  }

  // `returnsFocus`: whether the button that opened the drawer gets the focus.
  close(returnsFocus) {
    const open = document.querySelector(".drawer.is-open");
    if (!open) return;
    this.#show(open.id, false);
    if (returnsFocus) byId(`show-${open.id}`).focus();
  }

  #toggle(drawer) {
    const isOpen = !byId(drawer).classList.contains("is-open");
    this.close(false);
    this.#show(drawer, isOpen);
    if (isOpen) byId(drawer).querySelector("[data-close]").focus();
  }

  #show(drawer, isOpen) {
    byId(drawer).classList.toggle("is-open", isOpen);
    byId(`show-${drawer}`).setAttribute("aria-expanded", String(isOpen));
    byId("veil").hidden = !isOpen;
    for (const part of document.querySelectorAll("main, .skip, .drawer")) part.inert = isOpen && part.id !== drawer;
  }
}
