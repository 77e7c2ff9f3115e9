import assert from "node:assert/strict";
import { test } from "node:test";
import { newRoomName } from "../../chatapp/static/js/room-name.js";
import { wordlist } from "../../chatapp/static/vendor/bip39-english.js";

// Gives `numbers` for the random ones.
const dealing = (...numbers) => ({
  getRandomValues(values) {
    values.set(numbers);
    return values;
  },
});

test("a room's name is the five words of the numbers that were drawn", async () => {
  assert.equal(await newRoomName(dealing(0, 1, 2, 3, 2047)), "abandon-ability-able-about-zoo");
});

test("a number beyond the words begins with them again", async () => {
  assert.equal(await newRoomName(dealing(2048, 2049, 4096, 65535, 65534)), "abandon-ability-abandon-zoo-zone");
});

test("each word comes up as often as any other, as they divide the numbers without a rest", () => {
  assert.equal(2 ** 16 % wordlist.length, 0);
});

test("no two words are the same", () => {
  assert.equal(new Set(wordlist).size, 2048);
});

test("the longest name that can come is a room's name", () => {
  const longest = [...wordlist].sort((a, b) => b.length - a.length)[0];
  assert.match(Array(5).fill(longest).join("-"), /^[a-z0-9_-]{1,64}$/);
});

test("the browser's own randomness gives two names that differ", async () => {
  assert.notEqual(await newRoomName(), await newRoomName());
});
