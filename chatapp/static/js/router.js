// The address is the room in view: `/` the start page, `/r/NAME` a room.
import { ROOM } from "./rooms.js";

export class Router {
  #root;
  #show;

  // `root`: the path under which the chat is served; `show(room)`: null for the start page.
  constructor(root, show) {
    this.#root = root;
    this.#show = show;
    window.addEventListener("popstate", () => this.#show(this.current()));
    document.addEventListener("click", (event) => this.#clicked(event));
  }

  current(path = location.pathname) {
    const name = decoded(path.slice(this.#root.length)).match(/^\/r\/([^/]+)$/)?.[1]?.toLowerCase();
    return name && ROOM.test(name) ? name : null;
  }

  address(room) {
    return room === null ? `${this.#root}/` : `${this.#root}/r/${room}`;
  }

  go(room) {
    if (this.current() !== room) history.pushState(null, "", this.address(room));
    this.#show(room);
  }

  #clicked(event) {
    const link = event.target.closest("a[data-room], a[data-home]");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.go(link.dataset.room ?? null);
  }
}

function decoded(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return "";
  }
}
