// Parses a small subset of Markdown into a tree of plain objects. Views make nodes of it, never HTML.
//
//   blocks:  {kind: "text" | "quote", children} and {kind: "block", text, language}
//   inline:  {kind: "text" | "code" | "link" | "mention", text} and {kind: "strong" | "em", children}

const FENCE = /^```([\w+#-]{0,20})[ \t]*\n([\s\S]*?)\n?```[ \t]*$/m;
const MAX_DEPTH = 4;

export function parseBlocks(text, ownName = "") {
  const blocks = [];
  let rest = text;
  while (rest) {
    const fence = rest.includes("```") ? FENCE.exec(rest) : null;
    const before = fence ? rest.slice(0, fence.index).replace(/\n$/, "") : rest;
    if (before) blocks.push(...parseLines(before, ownName));
    if (!fence) break;
    blocks.push({ kind: "block", language: fence[1], text: fence[2] });
    rest = rest.slice(fence.index + fence[0].length).replace(/^\n/, "");
  }
  return blocks;
}

function parseLines(text, ownName) {
  const blocks = [];
  for (const line of text.split("\n")) {
    const quoted = /^> ?(.*)$/.exec(line);
    const kind = quoted ? "quote" : "text";
    const last = blocks.at(-1);
    if (last?.kind === kind) last.lines.push(quoted ? quoted[1] : line);
    else blocks.push({ kind, lines: [quoted ? quoted[1] : line] });
  }
  return blocks.map(({ kind, lines }) => ({ kind, children: parseInline(lines.join("\n"), ownName) }));
}

// The first match wins, and an unclosed mark is text. The lengths are bounded, so that no text makes a
// pattern slow.
const INLINE = [
  { kind: "code", pattern: /(?<!`)(`{1,3})(?!`)([^\n]{0,1000}?[^`\n])\1(?!`)/g },
  { kind: "link", pattern: /\bhttps?:\/\/[^\s<>"`\u2066-\u2069\u202a-\u202e]+/gi },
  { kind: "strong", pattern: /\*\*(?=[^\s*])([^\n]{0,500}?\S)\*\*(?!\*)/g },
  { kind: "em", pattern: /\*(?=[^\s*])([^*\n]{0,500}[^\s*])\*(?!\*)/g },
  { kind: "em", pattern: /(?<![\p{L}\p{N}_])_(?=[^\s_])([^_\n]{0,500}[^\s_])_(?![\p{L}\p{N}_])/gu },
];

const SPECIAL = /[`*_@]|https?:/i;

function parseInline(text, ownName = "", depth = 0) {
  if (!SPECIAL.test(text)) return text ? [{ kind: "text", text }] : [];
  const parts = [];
  const plain = (from, to) => to > from && parts.push({ kind: "text", text: text.slice(from, to) });
  const finders = INLINE.map(({ kind, pattern }) => ({ kind, pattern, match: undefined }));
  if (ownName) finders.push({ kind: "mention", pattern: mentionPattern(ownName), match: undefined });
  let at = 0;
  while (depth < MAX_DEPTH) {
    const found = nextMatch(finders, text, at);
    if (!found) break;
    plain(at, found.match.index);
    const [length, part] = parsePart(found.kind, found.match, ownName, depth);
    parts.push(part);
    at = found.match.index + length;
  }
  plain(at, text.length);
  return parts;
}

// Each finder caches its next match, or null if there is none.
function nextMatch(finders, text, at) {
  let first = null;
  for (const finder of finders) {
    if (finder.match === undefined || finder.match?.index < at) {
      finder.pattern.lastIndex = at;
      finder.match = finder.pattern.exec(text);
    }
    if (finder.match && (!first || finder.match.index < first.match.index)) first = finder;
  }
  return first;
}

function parsePart(kind, match, ownName, depth) {
  const whole = match[0];
  if (kind === "code") return [whole.length, { kind, text: match[2].replace(/^ (.*\S.*) $/, "$1") }];
  if (kind === "link") {
    const text = trimLink(whole);
    const url = URL.canParse(text) ? new URL(text).href : null;
    return [text.length, url ? { kind, text, url } : { kind: "text", text }];
  }
  if (kind === "mention") return [whole.length, { kind, text: whole }];
  return [whole.length, { kind, children: parseInline(match[1], ownName, depth + 1) }];
}

const OPENING = { ")": "(", "]": "[", "}": "{" };

// Exclude punctuation at the end of a link, and a closing bracket that the link doesn't open.
function trimLink(text) {
  const counts = new Map();
  for (const char of text) counts.set(char, (counts.get(char) ?? 0) + 1);
  const closesOne = (char) => (counts.get(OPENING[char]) ?? 0) >= counts.get(char);
  let end = text.length;
  while (end > 0 && ".,;:!?*_~)]}'".includes(text[end - 1]) && !closesOne(text[end - 1])) {
    end -= 1;
    counts.set(text[end], counts.get(text[end]) - 1);
  }
  return text.slice(0, end);
}

const patterns = new Map();

function mentionPattern(name) {
  if (!patterns.has(name)) {
    const escaped = name.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
    patterns.clear(); // only the user's present name is looked up
    patterns.set(name, new RegExp(`(?<![\\p{L}\\p{N}_@])@${escaped}(?![\\p{L}\\p{N}_])`, "giu"));
  }
  return patterns.get(name);
}

// Whether a text shows a mention of the name. Code and links show none.
export function mentions(text, name) {
  if (!text.includes("@") || text.search(mentionPattern(name)) < 0) return false;
  const isIn = (parts) => parts.some((part) => part.kind === "mention" || isIn(part.children ?? []));
  return isIn(parseBlocks(text, name));
}
