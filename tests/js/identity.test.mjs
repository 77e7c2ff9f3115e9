import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalName, Identity, randomId } from "../../chatapp/static/js/identity.js";
import { memoryStorage } from "../support/page.mjs";

let ids = 0;
const nextId = () => `id ${(ids += 1)}`;
const createIdentity = (browser = memoryStorage(), tab = memoryStorage()) => new Identity(browser, tab, nextId);

test("a new tab has no name", () => {
  assert.equal(createIdentity().name, "");
});

test("a name survives a reload of the tab", () => {
  const [browser, tab] = [memoryStorage(), memoryStorage()];
  createIdentity(browser, tab).setName("Ann", "t");
  assert.equal(createIdentity(browser, tab).name, "Ann");
});

test("another tab of the browser doesn't get the name", () => {
  const browser = memoryStorage();
  createIdentity(browser).setName("Ann", "t");
  assert.equal(createIdentity(browser).name, "");
});

test("another tab of the browser gets the token", () => {
  const browser = memoryStorage();
  createIdentity(browser).setName("Ann", "t");
  assert.equal(createIdentity(browser).tokenOf("Ann"), "t");
});

test("a token is found by another spelling of its name", () => {
  const identity = createIdentity();
  identity.setName("Ann  Lee", "t");
  assert.equal(identity.tokenOf(" ａnn lee"), "t");
});

test("an unknown name has no token", () => {
  assert.equal(createIdentity().tokenOf("Ann"), "");
});

for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
  test(`the unknown name ${name}, an inherited property, has no token`, () => {
    assert.equal(createIdentity().tokenOf(name), "");
  });
  test(`${name} is stored like any other name`, () => {
    const [browser, tab] = [memoryStorage(), memoryStorage()];
    createIdentity(browser, tab).setName(name, "t");
    assert.equal(createIdentity(browser, tab).tokenOf(name), "t");
  });
}

test("a name set without a token has none", () => {
  const identity = createIdentity();
  identity.setName("Ann", undefined);
  assert.equal(identity.tokenOf("Ann"), "");
});

test("a name set in another tab is in use there", () => {
  const browser = memoryStorage();
  createIdentity(browser).setName("Ann", "t");
  assert.ok(createIdentity(browser).isUsedInOtherTab("Ann"));
});

test("a tab's own name isn't in use in another tab, even after a reload", () => {
  const [browser, tab] = [memoryStorage(), memoryStorage()];
  createIdentity(browser, tab).setName("Ann", "t");
  assert.ok(!createIdentity(browser, tab).isUsedInOtherTab("Ann"));
});

test("an unknown name isn't in use in another tab", () => {
  assert.ok(!createIdentity().isUsedInOtherTab("Ann"));
});

test("the last name is the one set last, in any tab", () => {
  const browser = memoryStorage();
  createIdentity(browser).setName("Ann", "t", 2);
  createIdentity(browser).setName("Bo", "t", 3);
  createIdentity(browser).setName("Cy", "t", 1);
  assert.equal(createIdentity(browser).lastName, "Bo");
});

test("a new browser has no last name", () => {
  assert.equal(createIdentity().lastName, "");
});

test("a cleared name is gone after a reload", () => {
  const [browser, tab] = [memoryStorage(), memoryStorage()];
  const identity = createIdentity(browser, tab);
  identity.setName("Ann", "t");
  identity.clearName();
  assert.equal(createIdentity(browser, tab).name, "");
});

test("a cleared name keeps its token", () => {
  const identity = createIdentity();
  identity.setName("Ann", "t");
  identity.clearName();
  assert.equal(identity.tokenOf("Ann"), "t");
});

test("the 20 latest names are stored", () => {
  const identity = createIdentity();
  for (let n = 1; n <= 25; n += 1) identity.setName(`N${n}`, `t${n}`, n);
  const kept = Array.from({ length: 25 }, (_, n) => n + 1).filter((n) => identity.tokenOf(`N${n}`) !== "");
  assert.deepEqual(kept, Array.from({ length: 20 }, (_, n) => n + 6));
});

test("damaged claims in the storage are ignored", () => {
  const browser = memoryStorage();
  browser.write("chat.names", { ann: null, bo: 1, cy: { name: "Cy", token: 5, at: 1 }, di: { name: "Di", token: "t" } });
  const identity = createIdentity(browser);
  assert.deepEqual([identity.lastName, ...["Ann", "Bo", "Cy", "Di"].map((name) => identity.tokenOf(name))], ["", "", "", "", ""]);
});

test("a damaged name in the tab's storage is ignored", () => {
  const tab = memoryStorage();
  tab.write("chat.me", { name: 5, tab: {} });
  assert.equal(createIdentity(memoryStorage(), tab).name, "");
});

for (const [one, other] of [
  ["Ann", "ANN"],
  [" Ann ", "Ann"],
  ["Ann  Lee", "Ann\u3000Lee"],
  ["Ａｎｎ", "Ann"],
  ["José", "Jose\u0301"],
]) {
  test(`${JSON.stringify(one)} and ${JSON.stringify(other)} have the same canonical name`, () => {
    assert.equal(canonicalName(one), canonicalName(other));
  });
}

test("different names have different canonical names", () => {
  assert.notEqual(canonicalName("Ann"), canonicalName("Anna"));
});

test("a random id is 16 random bytes in hexadecimal", () => {
  const crypto = { getRandomValues: (bytes) => bytes.fill(10) };
  assert.equal(randomId(crypto), "0a".repeat(16));
});

test("a random id is a valid message key", () => {
  assert.match(randomId(), /^[A-Za-z0-9_-]{8,64}$/);
});
