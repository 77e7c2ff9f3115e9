import assert from "node:assert/strict";
import { test } from "node:test";
import { newRoomName } from "../../chatapp/static/js/room-name.js";
import { wordlist } from "../../chatapp/static/vendor/bip39-english.js";

// A crypto object that returns `numbers` as the random ones.
const fakeCrypto = (...numbers) => ({
  getRandomValues(values) {
    values.set(numbers);
    return values;
  },
});

test("a room name is five words picked by random numbers", async () => {
  assert.equal(await newRoomName(fakeCrypto(0, 1, 2, 3, 2047)), "abandon-ability-able-about-zoo");
});

test("numbers above the number of words wrap around", async () => {
  assert.equal(await newRoomName(fakeCrypto(2048, 2049, 4096, 65535, 65534)), "abandon-ability-abandon-zoo-zone");
});

test("the words divide the range of the numbers evenly", () => {
  assert.equal(2 ** 16 % wordlist.length, 0);
});

test("all words differ", () => {
  assert.equal(new Set(wordlist).size, 2048);
});

test("the longest possible name is a valid room name", () => {
  const longest = [...wordlist].sort((a, b) => b.length - a.length)[0];
  assert.match(Array(5).fill(longest).join("-"), /^[a-z0-9_-]{1,64}$/);
});

test("two random names differ", async () => {
  assert.notEqual(await newRoomName(), await newRoomName());
});
