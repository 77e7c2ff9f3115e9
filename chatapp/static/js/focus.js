// Whoever works by keyboard never loses their place: where what had the focus is gone, it goes to
// what is written in.
const PLACES = "#message, #name, #open-room";

export function focusMain() {
  [...document.querySelectorAll(PLACES)].find((place) => place.checkVisibility({ visibilityProperty: true }))?.focus();
}

export function keepFocus(store) {
  let isByKeyboard = false;
  const rescue = () => {
    const isLost = document.activeElement === document.body || document.activeElement === null;
    if (isByKeyboard && isLost && !document.querySelector("dialog[open]")) focusMain();
  };
  const rescueSoon = () => requestAnimationFrame(() => requestAnimationFrame(rescue));
  document.addEventListener("keydown", () => (isByKeyboard = true), true);
  document.addEventListener("pointerdown", () => (isByKeyboard = false), true);
  document.addEventListener("click", rescueSoon);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    focusMain();
  });
  store.follow(rescueSoon);
}
