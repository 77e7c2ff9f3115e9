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

test("what is completed may be at the text's beginning", () => {
  assert.equal(atEnd("@an").start, 0);
});

test("what is completed may stand after a bracket", () => {
  assert.equal(atEnd("(@an").start, 1);
});

test("what is completed may begin a line", () => {
  assert.equal(atEnd("hi\n@an").start, 3);
});

test("what stands after the caret isn't looked at", () => {
  assert.deepEqual(findCompletion("hi @anna", 5), { start: 3, kind: "name", prefix: "a" });
});

test("a letter beyond the basic plane counts as its two code units", () => {
  assert.equal(atEnd("😀 @😀").start, 3);
});

for (const text of ["", "hi", "@", ":", ":s", "ann@example", "12:30", "@an ", "@an@", ":smile:", "@an\n"]) {
  test(`${JSON.stringify(text)} can't be completed`, () => {
    assert.equal(atEnd(text), null);
  });
}

test("names that begin with it come before those of which another word does", () => {
  assert.deepEqual(matchNames("le", ["Ann Lee", "Leo", "Bo", "Lena"]), ["Lena", "Leo", "Ann Lee"]);
});

test("case doesn't matter to a name", () => {
  assert.deepEqual(matchNames("ANN", ["anna"]), ["anna"]);
});

test("the middle of a word doesn't begin a name", () => {
  assert.deepEqual(matchNames("nn", ["Ann"]), []);
});

test("the names that were given stay in their order", () => {
  const users = ["Bea", "Bab"];
  matchNames("b", users);
  assert.deepEqual(users, ["Bea", "Bab"]);
});

test("at most twenty names come", () => {
  const users = Array.from({ length: 30 }, (_, n) => `Ann ${n}`);
  assert.equal(matchNames("ann", users).length, 20);
});

const table = { smile: "😄", smiley: "😃", smirk: "😏", tada: "🎉", "+1": "👍" };

test("shorter names of emoji come first, then by the alphabet", () => {
  assert.deepEqual(matchEmoji("smi", table), ["smile", "smirk", "smiley"]);
});

test("case doesn't matter to an emoji", () => {
  assert.deepEqual(matchEmoji("TA", table), ["tada"]);
});

test("an emoji's name may have signs", () => {
  assert.deepEqual(matchEmoji("+1", table), ["+1"]);
});

test("at most twenty emoji come", () => {
  const many = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`e${n}`, "😄"]));
  assert.equal(matchEmoji("e", many).length, 20);
});

test("a finished name of an emoji is its emoji", () => {
  assert.deepEqual(findShortcode("hi :smile:", 10, table), { start: 3, emoji: "😄" });
});

test("a finished name before the caret is found where text follows", () => {
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
  test(`${JSON.stringify(text)}, ${what}, stays as it is`, () => {
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
