// The list of users in the room in view.
import { bdi, h, iconButton } from "../dom.js";
import { currentLanguage, translate } from "../i18n.js";
import { canonicalName } from "../identity.js";
import { renderAvatar } from "./message-row.js";

export class PeopleList {
  #list;
  #counts;
  #truncationNote;
  #actions;
  #renderedKey = "";

  // `counts`: elements that show the number of users; `truncationNote`: shown instead of a list that is too
  // long; `actions`: mention(user), ignore(user), unignore(user).
  constructor({ list, counts, truncationNote }, actions) {
    this.#list = list;
    this.#counts = counts;
    this.#truncationNote = truncationNote;
    this.#actions = actions;
  }

  render({ rooms, view, me, ignored }) {
    const room = rooms.get(view);
    const users = room ? [...room.users].sort(nameOrder()) : [];
    const key = JSON.stringify([room?.count, users, me.name, [...ignored], currentLanguage()]);
    if (key === this.#renderedKey) return;
    this.#renderedKey = key;
    const count = room?.count ?? 0;
    for (const element of this.#counts) element.textContent = translate("people.here", { count });
    const isTruncated = users.length < count;
    this.#truncationNote.hidden = !isTruncated;
    this.#truncationNote.textContent = isTruncated ? translate("people.crowd") : "";
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const items = isTruncated ? [] : users.map((user) => this.#render(user, user === me.name, ignored.has(canonicalName(user))));
    this.#list.replaceChildren(...items);
    if (focused) this.#list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  #render(user, isOwn, isIgnored) {
    const name = h("span", { class: "name" }, bdi(user));
    if (isOwn) {
      return h("li", {}, h("span", { class: "person" }, renderAvatar(user), name, h("span", { class: "you" }, `(${translate("name.youMark")})`)));
    }
    const label = translate("people.mention", { name: user });
    const mention = h(
      "button",
      { type: "button", class: "person", title: label, dataset: { key: `@${user}` }, onclick: () => this.#actions.mention(user) },
      renderAvatar(user),
      name,
    );
    const [key, action] = isIgnored ? ["people.unignore", "unignore"] : ["people.ignore", "ignore"];
    const ignore = iconButton("ignore", translate(key, { name: user }), () => this.#actions[action](user), {
      "aria-pressed": String(isIgnored),
      dataset: { key: `-${user}` },
    });
    return h("li", { class: isIgnored ? "ignored" : "" }, mention, ignore);
  }
}

function nameOrder() {
  const collator = new Intl.Collator(currentLanguage(), { sensitivity: "base", numeric: true });
  return collator.compare;
}
