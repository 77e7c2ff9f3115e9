// Fills the elements of the page's template with icons and translated text.
import { icon } from "../dom.js";
import { translate } from "../i18n.js";

const ATTRIBUTES = [
  ["aria-label", "i18nLabel"],
  ["placeholder", "i18nPlaceholder"],
  ["title", "i18nTitle"],
];

export function addIcons() {
  for (const element of document.querySelectorAll("[data-icon]")) element.append(icon(element.dataset.icon));
}

// `data-i18n` names an element's text, `data-i18n-label` and the others an attribute's.
export function translateTemplate() {
  for (const element of document.querySelectorAll("[data-i18n]")) element.textContent = translate(element.dataset.i18n);
  for (const [attribute, key] of ATTRIBUTES) {
    const selector = `[data-${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}]`;
    for (const element of document.querySelectorAll(selector)) {
      element.setAttribute(attribute, translate(element.dataset[key]));
      if (key === "i18nLabel" && element.tagName === "BUTTON") element.title = translate(element.dataset[key]);
    }
  }
}
