import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as settled } from "node:timers/promises";
import { mentions, parseBlocks } from "../../chatapp/static/js/markdown.js";

// A short form of inline parts: text as a string, others as [kind, text or children].
const short = (parts) =>
  parts.map((part) => (part.kind === "text" ? part.text : [part.kind, part.children ? short(part.children) : part.text]));
// The inline parts of a text that is one paragraph.
const parseInline = (text, ownName) => parseBlocks(text, ownName)[0].children;
const blocksInShort = (text) =>
  parseBlocks(text).map(({ kind, children, text: code, language }) => (kind === "block" ? [kind, language, code] : [kind, ...short(children)]));

const inline = {
  // Marks
  "plain": ["plain"],
  "a *b* c": ["a ", ["em", ["b"]], " c"],
  "a _b_ c": ["a ", ["em", ["b"]], " c"],
  "a **b** c": ["a ", ["strong", ["b"]], " c"],
  "a `b` c": ["a ", ["code", "b"], " c"],
  "**a *b* c**": [["strong", ["a ", ["em", ["b"]], " c"]]],
  "**a** and **b**": [["strong", ["a"]], " and ", ["strong", ["b"]]],
  "``a`b``": [["code", "a`b"]],
  "`` `a` ``": [["code", "`a`"]],
  "`**a**`": [["code", "**a**"]],
  "`https://a.example`": [["code", "https://a.example"]],
  "*b*c": [["em", ["b"]], "c"],
  // Not marks
  "**a": ["**a"],
  "*a": ["*a"],
  "_a": ["_a"],
  "*a**": ["*a**"],
  "**a **": ["**a **"],
  "`a": ["`a"],
  "a * b * c": ["a * b * c"],
  "2 ** 3 ** 4": ["2 ** 3 ** 4"],
  "snake_case_name": ["snake_case_name"],
  "über_all_": ["über_all_"],
  "****": ["****"],
  "``": ["``"],
  "**a\nb**": ["**a\nb**"],
  "*a\nb*": ["*a\nb*"],
  "`a\nb`": ["`a\nb`"],
  "<b>a</b> &amp; <script>": ["<b>a</b> &amp; <script>"],
  // Links
  "https://a.example": [["link", "https://a.example"]],
  "see http://a.example/b?c=d&e#f now": ["see ", ["link", "http://a.example/b?c=d&e#f"], " now"],
  "HTTPS://A.example": [["link", "HTTPS://A.example"]],
  "https://a.example.": [["link", "https://a.example"], "."],
  "https://a.example/b, https://c.example!": [["link", "https://a.example/b"], ", ", ["link", "https://c.example"], "!"],
  "https://a.example/b?!": [["link", "https://a.example/b"], "?!"],
  "(https://a.example)": ["(", ["link", "https://a.example"], ")"],
  "(see https://a.example/b).": ["(see ", ["link", "https://a.example/b"], ")."],
  "https://a.example/b_(c)": [["link", "https://a.example/b_(c)"]],
  "(https://a.example/b_(c))": ["(", ["link", "https://a.example/b_(c)"], ")"],
  "https://a.example/b_(c).": [["link", "https://a.example/b_(c)"], "."],
  "https://a.example/?b[c]": [["link", "https://a.example/?b[c]"]],
  "[https://a.example/b]": ["[", ["link", "https://a.example/b"], "]"],
  "https://a.example/snake_case_name": [["link", "https://a.example/snake_case_name"]],
  "**https://a.example/b**": [["strong", [["link", "https://a.example/b"]]]],
  "_https://a.example/b_": [["em", [["link", "https://a.example/b"]]]],
  "<https://a.example>": ["<", ["link", "https://a.example"], ">"],
  '"https://a.example"': ['"', ["link", "https://a.example"], '"'],
  // Not links
  "https://": ["https://"],
  "xhttps://a.example": ["xhttps://a.example"],
  "javascript:alert(1)": ["javascript:alert(1)"],
  "data:text/html,a": ["data:text/html,a"],
  "ftp://a.example": ["ftp://a.example"],
  "a.example": ["a.example"],
};
for (const [text, parts] of Object.entries(inline)) {
  test(`${JSON.stringify(text)} parses to ${JSON.stringify(parts)}`, () => {
    assert.deepEqual(short(parseInline(text)), parts);
  });
}

const blocks = {
  "": [],
  "a": [["text", "a"]],
  "a\n\nb": [["text", "a\n\nb"]],
  "> a\n>b": [["quote", "a\nb"]],
  "a\n> b\nc": [["text", "a"], ["quote", "b"], ["text", "c"]],
  "> *a*": [["quote", ["em", ["a"]]]],
  "a > b": [["text", "a > b"]],
  "```\na\n```": [["block", "", "a"]],
  "```js\na\nb\n```": [["block", "js", "a\nb"]],
  "```c++\na\n```": [["block", "c++", "a"]],
  "```\n```": [["block", "", ""]],
  "a\n```\nb\n```\nc": [["text", "a"], ["block", "", "b"], ["text", "c"]],
  "```\na\n```\n```\nb\n```": [["block", "", "a"], ["block", "", "b"]],
  "```\n**a** @Ann > https://a.example\n```": [["block", "", "**a** @Ann > https://a.example"]],
  "```\n  a\n\n  b\n```": [["block", "", "  a\n\n  b"]],
  "```\na ``` b\n```": [["block", "", "a ``` b"]],
  "```\na": [["text", "```\na"]],
  "a ```\nb\n```": [["text", "a ```\nb\n```"]],
  "```a```": [["text", ["code", "a"]]],
};
for (const [text, expected] of Object.entries(blocks)) {
  test(`the blocks of ${JSON.stringify(text)} are ${JSON.stringify(expected)}`, () => {
    assert.deepEqual(blocksInShort(text), expected);
  });
}

test("a link's URL is normalized", () => {
  assert.equal(parseInline("HTTPS://A.Example")[0].url, "https://a.example/");
});

for (const mark of ["\u202e", "\u2066"]) {
  test(`a link ends before the direction mark ${mark.codePointAt(0).toString(16)}`, () => {
    assert.equal(parseInline(`https://a.example/${mark}gpj.exe`)[0].text, "https://a.example/");
  });
}

test("deep nesting loses no text", () => {
  const deep = "**a *b **c *d **e *f** g*";
  const flat = (parts) => parts.map((part) => part.text ?? flat(part.children)).join("");
  assert.equal(flat(parseInline(deep)).replace(/[* ]/g, ""), "abcdefg");
});

// Mentions

const mentioned = (text, own) => parseInline(text, own).filter(({ kind }) => kind === "mention").map((part) => part.text);

for (const [text, own, found] of [
  ["hi @Ann!", "Ann", ["@Ann"]],
  ["@ANN, @ann", "Ann", ["@ANN", "@ann"]],
  ["@Ann Lee", "Ann Lee", ["@Ann Lee"]],
  ["(@a.b)", "a.b", ["@a.b"]],
  ["@axb", "a.b", []],
  ["@C++ is", "C++", ["@C++"]],
  ["@[x]", "[x]", ["@[x]"]],
  ["@😀", "😀", ["@😀"]],
  ["@Öz", "öz", ["@Öz"]],
  ["@Anna", "Ann", []],
  ["@Ann1", "Ann", []],
  ["@Ann_", "Ann", []],
  ["mail@Ann", "Ann", []],
  ["@@Ann", "Ann", []],
  ["Ann", "Ann", []],
  ["`@Ann`", "Ann", []],
  ["https://a.example/@Ann", "Ann", []],
  ["@Ann", "", []],
]) {
  test(`in ${JSON.stringify(text)}, mentions of ${JSON.stringify(own)} are ${JSON.stringify(found)}`, () => {
    assert.deepEqual(mentioned(text, own), found);
  });
}

test("a mention may be in strong text and in a quote", () => {
  assert.deepEqual(parseBlocks("> **@Ann**", "Ann")[0].children[0].children, [{ kind: "mention", text: "@Ann" }]);
});

test("mentions are found for alternating names", () => {
  const found = ["Ann", "Bo", "Ann"].map((own) => mentioned("@Ann @Bo", own).join());
  assert.deepEqual(found, ["@Ann", "@Bo", "@Ann"]);
});

test("asking for mentions twice gives the same result", () => {
  assert.deepEqual([mentions("@Ann", "Ann"), mentions("@Ann", "Ann")], [true, true]);
});

test("a prefix of another name is no mention", () => {
  assert.ok(!mentions("@Anna", "Ann"));
});

// Hostile texts, each of the maximum length of a message unless noted.

const LENGTH = 4000;
const pieces = [
  "*", "**", "***", "_", "`", "``", "```", "````", "*a", "**a", "**a ", "_a", " _a", "`a", "``a ", "*a ", "a*", "a**", "a_", "**a*", "*a**",
  "`a``b", "`a\n", "```\n", "```\na\n", "```a\n", "```\n```", "``` \t", "```\n``` ", "\n```", ">", "> ", "> \n", "\n", " ", "\t",
  "http://", "https://a", "https://a.", "https://a ", "https://(", "https://)", "https://a()", "https://a)(", "https:", "h", "[", "](",
  "@", "@Ann", "@Ann ", "@A", "@@Ann", "@Ann*", "**@Ann", "*_`", "`*_", "_*_", "**_a", "__a__", "*a _b **c `d ", "é_", "😀*", "\u202e*",
];
const hostile = pieces.flatMap((piece) => {
  const text = piece.repeat(LENGTH).slice(0, LENGTH);
  return [text, `https://a${text.slice(9)}`, `${text.slice(1)}a`, `**${text.slice(4)}**`, `\`\`\`\n${text.slice(4)}`];
});
hostile.push(`https://a/${".".repeat(LENGTH - 11)}a`, `https://a/${"(".repeat(1990)}${")".repeat(2000)}`);
hostile.push(...[..."]})"].map((bracket) => `https://a/${bracket.repeat(100_000)}`)); // longer, so that quadratic time shows
hostile.push(`${"```\n".repeat(400)}${"```          x".repeat(170)}`);

test("a hostile text of the maximum length parses quickly", { timeout: 30000 }, async () => {
  for (const text of hostile) {
    parseBlocks(text, "Ann");
    await settled(); // lets the runner's timeout fire
  }
});

test("mentions in a hostile text are found quickly", { timeout: 30000 }, async () => {
  for (const text of hostile) {
    mentions(text, "Ann Ann Ann Ann Ann Ann Ann Ann");
    await settled();
  }
});
