// Makes DOM nodes without HTML, so that text is never markup.
const SVG = "http://www.w3.org/2000/svg";

// Make an element with properties (`dataset`, `on…` listeners, attributes) and children.
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  setProperties(element, properties);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function setProperties(element, properties) {
  for (const [name, value] of Object.entries(properties)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "dataset") Object.assign(element.dataset, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value === false || value === null || value === undefined) element.removeAttribute(name);
    else element.setAttribute(name, value);
  }
}

// A name or text from a user, isolated: its direction doesn't affect the text around it.
export const bdi = (text) => h("bdi", {}, text);

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("icon");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

// A button with an icon, and a label for screen readers.
export function iconButton(name, label, onclick, properties = {}) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, title: label, onclick, ...properties }, icon(name));
}

const ICONS = {
  menu: "M4 6h16M4 12h16M4 18h16",
  people: "M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8M2 21v-1a6 6 0 0 1 6-6h2a6 6 0 0 1 6 6v1M17 3.5a4 4 0 0 1 0 7M18 14.5a6 6 0 0 1 4 5.5v1",
  settings: "M4 7h10M18 7h2M4 17h2M10 17h10M16 4.5v5M8 14.5v5",
  close: "M6 6l12 12M18 6L6 18",
  link: "M10 14a4 4 0 0 0 6 0l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6 0l-3 3a4 4 0 0 0 6 6l1-1",
  leave: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  bell: "M6 16V11a6 6 0 0 1 12 0v5l2 2H4l2-2M10 21h4",
  mute: "M6 16V11a6 6 0 0 1 8-5.6M18 11v5l2 2H8M10 21h4M4 4l16 16",
  send: "M4 12l16-8-6 16-3-7-7-1",
  down: "M12 5v14M6 13l6 6 6-6",
  ignore: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18M5.6 5.6l12.8 12.8",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  check: "M5 13l4 4 10-11",
  edit: "M4 20l1-4L16 5l3 3L8 19l-4 1",
  home: "M4 11l8-7 8 7v9h-5v-6H9v6H4z",
  plus: "M12 5v14M5 12h14",
};
