// Keeps the keyboard focus on the page: when the focused element disappears, the main input gets the
// focus.
const TARGETS = "#message, #name, #open-room";

export function focusMain() {
  [...document.querySelectorAll(TARGETS)].find((element) => element.checkVisibility({ visibilityProperty: true }))?.focus();
}

export function keepFocus(store) {
  let isByKeyboard = false;
  let last = null; // the last focused element; while it's visible, the user has left it
  const restore = () => {
    const isNowhere = document.activeElement === document.body || document.activeElement === null;
    const isLost = isNowhere && last !== null && !last.checkVisibility({ visibilityProperty: true });
    if (isByKeyboard && isLost && !document.querySelector("dialog[open]")) focusMain();
  };
  document.addEventListener("focusin", ({ target }) => (last = target));
  const restoreSoon = () => requestAnimationFrame(() => requestAnimationFrame(restore));
  document.addEventListener("keydown", () => (isByKeyboard = true), true);
  document.addEventListener("pointerdown", () => (isByKeyboard = false), true);
  document.addEventListener("click", restoreSoon);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    focusMain();
  });
  store.subscribe(restoreSoon);
}
