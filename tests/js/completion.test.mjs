import assert from "node:assert/strict";
import { test } from "node:test";
import { findCompletion, findShortcode, matchEmoji, matchNames, replaceShortcodes } from "../../chatapp/static/js/completion.js";

const atEnd = (text) => findCompletion(text, text.length);

test("@ and a letter can be completed to a name", () => {
  assert.deepEqual(atEnd("hi @an"), { start: 3, kind: "name", prefix: "an" });
});

test("a colon and two letters can be completed to an emoji", () => {
  assert.deepEqual(atEnd("hi :sm"), { start: 3, kind: "emoji", prefix: "sm" });
});

test("a completion may start at the beginning of the text", () => {
  assert.equal(atEnd("@an").start, 0);
});

test("a completion may follow a bracket", () => {
  assert.equal(atEnd("(@an").start, 1);
});

test("a completion may start at the beginning of a line", () => {
  assert.equal(atEnd("hi\n@an").start, 3);
});

test("text after the caret is ignored", () => {
  assert.deepEqual(findCompletion("hi @anna", 5), { start: 3, kind: "name", prefix: "a" });
});

test("offsets count UTF-16 code units", () => {
  assert.equal(atEnd("😀 @😀").start, 3);
});

for (const text of ["", "hi", "@", ":", ":s", "ann@example", "12:30", "@an ", "@an@", ":smile:", "@an\n"]) {
  test(`${JSON.stringify(text)} can't be completed`, () => {
    assert.equal(atEnd(text), null);
  });
}

test("names that begin with the prefix precede names with another word that does", () => {
  assert.deepEqual(matchNames("le", ["Ann Lee", "Leo", "Bo", "Lena"]), ["Lena", "Leo", "Ann Lee"]);
});

test("names match without case", () => {
  assert.deepEqual(matchNames("ANN", ["anna"]), ["anna"]);
});

test("a prefix doesn't match inside a word", () => {
  assert.deepEqual(matchNames("nn", ["Ann"]), []);
});

test("matching leaves the given names in their order", () => {
  const users = ["Bea", "Bab"];
  matchNames("b", users);
  assert.deepEqual(users, ["Bea", "Bab"]);
});

test("at most 20 names match", () => {
  const users = Array.from({ length: 30 }, (_, n) => `Ann ${n}`);
  assert.equal(matchNames("ann", users).length, 20);
});

const table = { smile: "😄", smiley: "😃", smirk: "😏", tada: "🎉", "+1": "👍" };

test("shorter emoji names come first, then alphabetical order", () => {
  assert.deepEqual(matchEmoji("smi", table), ["smile", "smirk", "smiley"]);
});

test("emoji names match without case", () => {
  assert.deepEqual(matchEmoji("TA", table), ["tada"]);
});

test("emoji names may contain signs", () => {
  assert.deepEqual(matchEmoji("+1", table), ["+1"]);
});

test("at most 20 emoji match", () => {
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`e${n}`, "😄"]));
  assert.equal(matchEmoji("e", many).length, 20);
});

test("a complete shortcode is found with its emoji", () => {
  assert.deepEqual(findShortcode("hi :smile:", 10, table), { start: 3, emoji: "😄" });
});

test("a complete shortcode is found before the caret, with text after it", () => {
  assert.deepEqual(findShortcode(":tada: yes", 6, table), { start: 0, emoji: "🎉" });
});

for (const [text, what] of [
  [":nothing:", "no emoji's name"],
  [":constructor:", "what every object has"],
  [":smile", "unfinished"],
  ["12:30:", "a time"],
  ["a:smile:", "in a word"],
  ["`:smile:", "in code"],
  [":smile: ", "not at the caret"],
]) {
  test(`no shortcode is found in ${JSON.stringify(text)}: ${what}`, () => {
    assert.equal(findShortcode(text, text.length, table), null);
  });
}

for (const [text, replaced] of [
  [":tada: yes :smile:, no", "🎉 yes 😄, no"],
  [":tada::smile:", "🎉😄"],
  [":nothing: :constructor:", ":nothing: :constructor:"],
  ["a:smile: 12:30:00", "a:smile: 12:30:00"],
  ["`:smile:` :smile:", "`:smile:` 😄"],
  ["```\n:smile:\n``` :smile:", "```\n:smile:\n``` 😄"],
  ["```\n:smile:", "```\n:smile:"],
  ["``a ` :smile:`` :smile:", "``a ` :smile:`` 😄"],
  ["````\n```\n:smile:\n````\n:smile:", "````\n```\n:smile:\n````\n😄"],
  ["crate::smile::Foo ::smile::", "crate::smile::Foo ::smile::"],
  ["http://h/:smile:/y 2001:db8::smile:b", "http://h/:smile:/y 2001:db8::smile:b"],
  [":smile:x (:smile:) \":tada:\"", ":smile:x (😄) \"🎉\""],
  [":tada::nothing::smile:", "🎉:nothing:😄"],
]) {
  test(`${JSON.stringify(text)} is sent as ${JSON.stringify(replaced)}`, () => {
    assert.equal(replaceShortcodes(text, table), replaced);
  });
}
