// The name of this tab, and the tokens with which this browser reclaims names.

const MAX_OTHER_CLAIMS = 19;

export class Identity {
  name;
  #tab;
  #browserStorage;
  #tabStorage;

  // All tabs share `browserStorage`. `tabStorage` belongs to this tab and survives a reload.
  // `createId()` returns an id for the tab.
  constructor(browserStorage, tabStorage, createId = randomId) {
    this.#browserStorage = browserStorage;
    this.#tabStorage = tabStorage;
    const { name, tab } = tabStorage.read("chat.me");
    this.name = isName(name) ? name : "";
    this.#tab = typeof tab === "string" ? tab : createId();
    this.#save();
  }

  // The name that was claimed last, in any tab.
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
    const recent = others.sort(([, a], [, b]) => b.at - a.at).slice(0, MAX_OTHER_CLAIMS);
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

// The server reads no longer names: 256 code points (docs/wire.md, Names).
const isName = (value) => typeof value === "string" && value.length <= 512;

function isClaim(value) {
  return isName(value?.name) && typeof value.token === "string" && Number.isFinite(value.at);
}

// Fold a name for comparison. The server also folds look-alikes, which a browser can't.
export function canonicalName(name) {
  return name.normalize("NFKC").trim().replace(/\s+/g, " ").toLowerCase();
}

export function randomId(crypto = globalThis.crypto) {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
