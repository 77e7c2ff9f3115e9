// Who is in the room in view.
import { bdi, h, iconButton } from "../dom.js";
import { canonicalName } from "../identity.js";
import { currentLanguage, translate } from "../i18n.js";
import { avatar } from "./message-row.js";

export class PeopleList {
  #list;
  #counts;
  #crowd;
  #actions;
  #shown = "";

  // `counts`: elements that show how many; `actions`: mention(user), ignore(user), unignore(user).
  constructor({ list, counts, crowd }, actions) {
    this.#list = list;
    this.#counts = counts;
    this.#crowd = crowd;
    this.#actions = actions;
  }

  draw({ rooms, view, me, ignored }) {
    const room = rooms.get(view);
    const users = room ? [...room.users].sort(inOrder()) : [];
    const shown = JSON.stringify([room?.count, users, me.name, [...ignored], currentLanguage()]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    const count = room?.count ?? 0;
    for (const place of this.#counts) place.textContent = translate("people.here", { count });
    const isCrowd = users.length < count;
    this.#crowd.hidden = !isCrowd;
    this.#crowd.textContent = isCrowd ? translate("people.crowd") : "";
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    const items = isCrowd ? [] : users.map((user) => this.#draw(user, user === me.name, ignored.has(canonicalName(user))));
    this.#list.replaceChildren(...items);
    if (focused) this.#list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  }

  #draw(user, isOwn, isIgnored) {
    const name = h("span", { class: "name" }, bdi(user));
    if (isOwn) {
      return h("li", {}, h("span", { class: "person" }, avatar(user), name, h("span", { class: "you" }, `(${translate("name.youMark")})`)));
    }
    const label = translate("people.mention", { name: user });
    const mention = h(
      "button",
      { type: "button", class: "person", title: label, dataset: { key: `@${user}` }, onclick: () => this.#actions.mention(user) },
      avatar(user),
      name,
    );
    const [words, act] = isIgnored ? ["people.unignore", "unignore"] : ["people.ignore", "ignore"];
    const ignore = iconButton("ignore", translate(words, { name: user }), () => this.#actions[act](user), {
      "aria-pressed": String(isIgnored),
      dataset: { key: `-${user}` },
    });
    return h("li", { class: isIgnored ? "ignored" : "" }, mention, ignore);
  }
}

function inOrder() {
  const collator = new Intl.Collator(currentLanguage(), { sensitivity: "base", numeric: true });
  return collator.compare;
}
