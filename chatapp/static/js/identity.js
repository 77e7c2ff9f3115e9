// The name that this window goes by, and the tokens by which this browser takes names back.
export class Identity {
  name;
  #tab;
  #browser;
  #window;

  // `browser` keeps what all windows share, `window` what is this one's and outlives a reload;
  // `makeId()` names a window.
  constructor(browser, window, makeId = newId) {
    this.#browser = browser;
    this.#window = window;
    const { name, tab } = window.read("chat.me");
    this.name = isName(name) ? name : "";
    this.#tab = typeof tab === "string" ? tab : makeId();
    this.#keep();
  }

  // The name that this browser used last.
  get lastName() {
    const names = Object.values(this.#browser.read("chat.names"));
    const last = names.filter(isHolding).sort((a, b) => b.at - a.at)[0];
    return last ? last.name : "";
  }

  tokenOf(name) {
    return this.#holdingOf(name)?.token ?? "";
  }

  isInAnotherWindow(name) {
    const holding = this.#holdingOf(name);
    return holding !== undefined && holding.tab !== this.#tab;
  }

  given(name, token, now = Date.now()) {
    this.name = name;
    this.#keep();
    const names = this.#browser.read("chat.names");
    const holding = { name, token: token ?? "", tab: this.#tab, at: now };
    const others = Object.entries(names).filter(([key, value]) => key !== folded(name) && isHolding(value));
    const recent = others.sort(([, a], [, b]) => b.at - a.at).slice(0, 19);
    this.#browser.write("chat.names", Object.fromEntries([[folded(name), holding], ...recent]));
  }

  forget() {
    this.name = "";
    this.#keep();
  }

  #holdingOf(name) {
    const holding = this.#browser.read("chat.names")[folded(name)];
    return isHolding(holding) ? holding : undefined;
  }

  #keep() {
    this.#window.write("chat.me", { name: this.name, tab: this.#tab });
  }
}

// More than this no server of ours reads (docs/wire.md, Names).
const isName = (value) => typeof value === "string" && value.length <= 512;

function isHolding(value) {
  return isName(value?.name) && typeof value.token === "string" && Number.isFinite(value.at);
}

// As near as a browser comes to how the server compares names.
export function folded(name) {
  return name.normalize("NFKC").trim().replace(/\s+/g, " ").toLowerCase();
}

export function newId(crypto = globalThis.crypto) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
