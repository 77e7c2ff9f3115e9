// Renders one row of the conversation (rows.js).
import { bdi, h, icon } from "../dom.js";
import { formatDateTime, formatDay, formatNames, formatTime, translate, translateRefusal } from "../i18n.js";
import { renderBlocks } from "../markdown-nodes.js";
import { parseBlocks } from "../markdown.js";

const LONG_LINES = 18;
const LONG_CHARS = 1500;

// `actions`: mention(user), retry(item), remove(item).
export function renderRow(row, ownName, actions) {
  const element = RENDERERS[row.kind](row, ownName, actions);
  element.dataset.key = row.key;
  return element;
}

const RENDERERS = {
  beginning: () => h("li", { class: "row note" }, translate("room.beginning")),
  day: ({ at }) => h("li", { class: "row day" }, h("span", {}, formatDay(at))),
  new: () => h("li", { class: "row new" }, h("span", {}, translate("message.new"))),
  note: ({ note }) => h("li", { class: "row note" }, renderNote(note)),
  message: renderMessage,
  unsent: renderUnsent,
};

function renderMessage({ entry, isFirst, isOwn }, ownName, actions) {
  const { user, message, at, id } = entry;
  const time = h("time", { datetime: new Date(at).toISOString(), title: formatDateTime(at) }, formatTime(at));
  const sent = isOwn && h("span", { class: "sent", title: translate("message.sent") }, icon("check"));
  const body = h("div", { class: "body" }, renderText(message, ownName), sent);
  const kind = `row message${isFirst ? " first" : ""}${isOwn ? " own" : ""}`;
  const item = h("li", { class: kind, dataset: { id } });
  if (isFirst) item.append(renderAvatar(user), h("div", { class: "head" }, renderSender(user, isOwn, actions), time));
  else item.append(h("span", { class: "unseen" }, bdi(user), ": "), time);
  item.append(body);
  if (body.querySelector("mark")) item.classList.add("mentions");
  return item;
}

function renderSender(user, isOwn, actions) {
  const mark = isOwn && h("span", { class: "you" }, ` (${translate("name.youMark")})`);
  if (isOwn) return h("b", { class: "sender" }, bdi(user), mark);
  const label = translate("people.mention", { name: user });
  return h("button", { type: "button", class: "sender", title: label, onclick: () => actions.mention(user) }, bdi(user));
}

function renderUnsent({ item }, ownName, actions) {
  const body = h("div", { class: "body" }, renderText(item.message, ownName), h("p", { class: "state" }, ...renderState(item, actions)));
  return h("li", { class: `row message own unsent ${item.state}` }, body);
}

function renderState(item, actions) {
  if (item.state !== "failed") return [translate(`message.${item.state}`)];
  return [
    h("span", { class: "wrong" }, translate("message.failed", { reason: translateRefusal(item.refusal) })),
    h("button", { type: "button", class: "link", onclick: () => actions.retry(item) }, translate("message.again")),
    h("button", { type: "button", class: "link", onclick: () => actions.remove(item) }, translate("message.remove")),
  ];
}

function renderText(message, ownName) {
  const text = h("div", { class: "text" }, renderBlocks(parseBlocks(message, ownName)));
  if (message.length <= LONG_CHARS && message.split("\n").length <= LONG_LINES) return text;
  text.classList.add("folded");
  const button = h("button", { type: "button", class: "link", "aria-expanded": "false" }, translate("message.more"));
  const fold = (isFolded) => {
    text.classList.toggle("folded", isFolded);
    button.setAttribute("aria-expanded", String(!isFolded));
    button.textContent = translate(isFolded ? "message.more" : "message.less");
  };
  button.addEventListener("click", () => fold(!text.classList.contains("folded")));
  text.addEventListener("focusin", () => fold(false)); // a focused link must be visible
  return [text, button];
}

function renderNote({ joined, left, renamed }) {
  const textFor = (key, users) => users.size > 0 && translate(key, { names: formatNames([...users]), count: users.size });
  const parts = [textFor("people.joined", joined), textFor("people.left", left)];
  parts.push(...renamed.map(([from, to]) => translate("people.renamed", { from, to })));
  return parts.filter(Boolean).join(" · ");
}

const GOLDEN_ANGLE = 137.508; // degrees; spreads the hues of similar hashes
const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

// A circle with the name's first letter, in a colour derived from the name.
export function renderAvatar(user) {
  const first = graphemes.segment(user)[Symbol.iterator]().next().value?.segment ?? "";
  let hash = 0;
  for (const char of user.toLowerCase()) hash = (hash * 31 + char.codePointAt(0)) >>> 0;
  const circle = h("span", { class: "avatar", "aria-hidden": "true" }, first.toUpperCase());
  circle.style.setProperty("--hue", String((hash * GOLDEN_ANGLE) % 360));
  return circle;
}
