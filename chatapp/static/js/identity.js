// The name that this window goes by, and the tokens by which this browser takes names back.
export class Identity {
  name;
  #tab;
  #browserStorage;
  #tabStorage;

  // `browser` keeps what all windows share, `window` what is this one's and outlives a reload;
  // `createId()` names a window.
  constructor(browserStorage, tabStorage, createId = randomId) {
    this.#browserStorage = browserStorage;
    this.#tabStorage = tabStorage;
    const { name, tab } = tabStorage.read("chat.me");
    this.name = isName(name) ? name : "";
    this.#tab = typeof tab === "string" ? tab : createId();
    this.#save();
  }

  // The name that this browser used last.
  get lastName() {
    const names = Object.values(this.#browserStorage.read("chat.names"));
    const last = names.filter(isClaim).sort((a, b) => b.at - a.at)[0];
    return last ? last.name : "";
  }

  tokenOf(name) {
    return this.#claimOf(name)?.token ?? "";
  }

  isUsedInOtherTab(name) {
    const claim = this.#claimOf(name);
    return claim !== undefined && claim.tab !== this.#tab;
  }

  setName(name, token, now = Date.now()) {
    this.name = name;
    this.#save();
    const names = this.#browserStorage.read("chat.names");
    const claim = { name, token: token ?? "", tab: this.#tab, at: now };
    const others = Object.entries(names).filter(([key, value]) => key !== canonicalName(name) && isClaim(value));
    const recent = others.sort(([, a], [, b]) => b.at - a.at).slice(0, 19);
    this.#browserStorage.write("chat.names", Object.fromEntries([[canonicalName(name), claim], ...recent]));
  }

  clearName() {
    this.name = "";
    this.#save();
  }

  #claimOf(name) {
    const claim = this.#browserStorage.read("chat.names")[canonicalName(name)];
    return isClaim(claim) ? claim : undefined;
  }

  #save() {
    this.#tabStorage.write("chat.me", { name: this.name, tab: this.#tab });
  }
}

// More than this no server of ours reads (docs/wire.md, Names).
const isName = (value) => typeof value === "string" && value.length <= 512;

function isClaim(value) {
  return isName(value?.name) && typeof value.token === "string" && Number.isFinite(value.at);
}

// As near as a browser comes to how the server compares names.
export function canonicalName(name) {
  return name.normalize("NFKC").trim().replace(/\s+/g, " ").toLowerCase();
}

export function randomId(crypto = globalThis.crypto) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
