// Whoever works by keyboard never loses their place: where what had the focus is gone, it goes to
// what is written in.
const TARGETS = "#message, #name, #open-room";

export function focusMain() {
  [...document.querySelectorAll(TARGETS)].find((place) => place.checkVisibility({ visibilityProperty: true }))?.focus();
}

export function keepFocus(store) {
  let isByKeyboard = false;
  let last = null; // what had the focus last: while it's there to be seen, it was left, not lost
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
