// Maps addresses to views: `/` is the start page, `/r/NAME` a room.
import { ROOM } from "./rooms.js";

export class Router {
  #root;
  #show;

  // `root` is the path under which the chat is served. `show(room)` gets null for the start page.
  constructor(root, show) {
    this.#root = root;
    this.#show = show;
    window.addEventListener("popstate", () => this.#show(this.currentRoom()));
    document.addEventListener("click", (event) => this.#onClick(event));
  }

  currentRoom(path = location.pathname) {
    const name = decodePath(path.slice(this.#root.length)).match(/^\/r\/([^/]+)$/)?.[1]?.toLowerCase();
    return name && ROOM.test(name) ? name : null;
  }

  path(room) {
    return room === null ? `${this.#root}/` : `${this.#root}/r/${room}`;
  }

  navigate(room) {
    if (this.currentRoom() !== room) history.pushState(null, "", this.path(room));
    this.#show(room);
  }

  #onClick(event) {
    const link = event.target.closest("a[data-room], a[data-home]");
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    this.navigate(link.dataset.room ?? null);
  }
}

function decodePath(path) {
  try {
    return decodeURIComponent(path);
  } catch {
    return "";
  }
}
