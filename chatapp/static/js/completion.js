// Finds completions of user names (`@an`) and of emoji shortcodes (`:smi`).
const MAX_CANDIDATES = 20;

// The prefix before the caret that can be completed: {start, kind, prefix}, or null.
export function findCompletion(text, caret) {
  const before = text.slice(0, caret);
  const found = /(?:^|[\s(])(@([^\s@]{1,32})|:([\w+-]{2,32}))$/u.exec(before);
  if (!found) return null;
  const [, whole, name, emoji] = found;
  const start = caret - whole.length;
  return name === undefined ? { start, kind: "emoji", prefix: emoji } : { start, kind: "name", prefix: name };
}

// The names that begin with `prefix`, then those with another word that does.
export function matchNames(prefix, users) {
  const needle = prefix.toLowerCase();
  const isFirst = (name) => name.toLowerCase().startsWith(needle);
  const isWord = (name) => name.toLowerCase().split(/\s/).some((word) => word.startsWith(needle));
  const sorted = [...users].sort((a, b) => a.localeCompare(b));
  const first = sorted.filter(isFirst);
  return [...first, ...sorted.filter((name) => !isFirst(name) && isWord(name))].slice(0, MAX_CANDIDATES);
}

export function matchEmoji(prefix, table) {
  const needle = prefix.toLowerCase();
  const names = Object.keys(table).filter((name) => name.startsWith(needle));
  return names.sort((a, b) => a.length - b.length || a.localeCompare(b)).slice(0, MAX_CANDIDATES);
}

// The emoji for a `:shortcode:` that ends at the caret: {start, emoji}, or null.
export function findShortcode(text, caret, table) {
  const found = /(?:^|[^\w`])(:([\w+-]{1,40}):)$/u.exec(text.slice(0, caret));
  if (!found || !Object.hasOwn(table, found[2])) return null;
  return { start: caret - found[1].length, emoji: table[found[2]] };
}

const CODE_OR_SHORTCODES = /(`+)[^]*?(?:\1(?!`)|$)|(^|[\s("'])((?::[\w+-]{1,40}:)+)(?![\w:])/g;

// Replace each `:shortcode:` that stands apart and outside code.
export function replaceShortcodes(text, table) {
  const emoji = (whole, name) => (Object.hasOwn(table, name) ? table[name] : whole);
  return text.replace(CODE_OR_SHORTCODES, (whole, code, before, names) =>
    code ? whole : before + names.replace(/:([\w+-]+):/g, emoji),
  );
}
