// Makes DOM nodes of a message's tree (markdown.js).
import { h, iconButton } from "./dom.js";
import { translate } from "./i18n.js";

export function renderBlocks(blocks) {
  return blocks.map((block) => {
    if (block.kind === "block") return renderCode(block.text);
    return h(block.kind === "quote" ? "blockquote" : "p", { dir: "auto" }, block.children.map(renderInline));
  });
}

function renderInline(part) {
  if (part.kind === "text") return part.text;
  if (part.kind === "link") {
    return h("a", { href: part.url, target: "_blank", rel: "noopener noreferrer nofollow" }, part.text);
  }
  if (part.kind === "code") return h("code", {}, part.text);
  if (part.kind === "mention") return h("mark", {}, part.text);
  return h(part.kind, {}, part.children.map(renderInline));
}

function renderCode(text) {
  const button = iconButton("copy", translate("message.copy"), async () => {
    const { copyText } = await import("./clipboard.js"); // not needed for the first message
    if (await copyText(text)) button.title = translate("message.copied");
    button.classList.add("is-done");
    button.setAttribute("aria-label", button.title);
  });
  return h("div", { class: "code" }, h("pre", { dir: "ltr", tabindex: "0" }, h("code", {}, text)), button);
}
