import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalName, Identity, randomId } from "../../chatapp/static/js/identity.js";
import { memoryStorage } from "../support/page.mjs";

let ids = 0;
const nextId = () => `id ${(ids += 1)}`;
const opened = (browser = memoryStorage(), tab = memoryStorage()) => new Identity(browser, tab, nextId);

test("a new window has no name", () => {
  assert.equal(opened().name, "");
});

test("a name outlives a reload of the window", () => {
  const [browser, tab] = [memoryStorage(), memoryStorage()];
  opened(browser, tab).setName("Ann", "t");
  assert.equal(opened(browser, tab).name, "Ann");
});

test("another window of the same browser doesn't go by the name", () => {
  const browser = memoryStorage();
  opened(browser).setName("Ann", "t");
  assert.equal(opened(browser).name, "");
});

test("another window of the same browser has the token", () => {
  const browser = memoryStorage();
  opened(browser).setName("Ann", "t");
  assert.equal(opened(browser).tokenOf("Ann"), "t");
});

test("a token is found by another spelling of its name", () => {
  const identity = opened();
  identity.setName("Ann  Lee", "t");
  assert.equal(identity.tokenOf(" ａnn lee"), "t");
});

test("a name that was never had has no token", () => {
  assert.equal(opened().tokenOf("Ann"), "");
});

for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty"]) {
  test(`${name}, which every object has, has no token before it's given`, () => {
    assert.equal(opened().tokenOf(name), "");
  });
  test(`${name} is a name like any other`, () => {
    const [browser, tab] = [memoryStorage(), memoryStorage()];
    opened(browser, tab).setName(name, "t");
    assert.equal(opened(browser, tab).tokenOf(name), "t");
  });
}

test("a name given without a token has none", () => {
  const identity = opened();
  identity.setName("Ann", undefined);
  assert.equal(identity.tokenOf("Ann"), "");
});

test("a name that another window took is in another window", () => {
  const browser = memoryStorage();
  opened(browser).setName("Ann", "t");
  assert.ok(opened(browser).isUsedInOtherTab("Ann"));
});

test("one's own name isn't in another window, after a reload either", () => {
  const [browser, tab] = [memoryStorage(), memoryStorage()];
  opened(browser, tab).setName("Ann", "t");
  assert.ok(!opened(browser, tab).isUsedInOtherTab("Ann"));
});

test("a name that nobody had isn't in another window", () => {
  assert.ok(!opened().isUsedInOtherTab("Ann"));
});

test("the last name is the one given last, whichever window it was", () => {
  const browser = memoryStorage();
  opened(browser).setName("Ann", "t", 2);
  opened(browser).setName("Bo", "t", 3);
  opened(browser).setName("Cy", "t", 1);
  assert.equal(opened(browser).lastName, "Bo");
});

test("a browser that had no name has no last one", () => {
  assert.equal(opened().lastName, "");
});

test("a name that is forgotten is gone after a reload", () => {
  const [browser, tab] = [memoryStorage(), memoryStorage()];
  const identity = opened(browser, tab);
  identity.setName("Ann", "t");
  identity.clearName();
  assert.equal(opened(browser, tab).name, "");
});

test("a name that is forgotten keeps its token", () => {
  const identity = opened();
  identity.setName("Ann", "t");
  identity.clearName();
  assert.equal(identity.tokenOf("Ann"), "t");
});

test("the twenty names given last are kept", () => {
  const identity = opened();
  for (let n = 1; n <= 25; n += 1) identity.setName(`N${n}`, `t${n}`, n);
  const kept = Array.from({ length: 25 }, (_, n) => n + 1).filter((n) => identity.tokenOf(`N${n}`) !== "");
  assert.deepEqual(kept, Array.from({ length: 20 }, (_, n) => n + 6));
});

test("what is damaged in the browser's storage counts as not there", () => {
  const browser = memoryStorage();
  browser.write("chat.names", { ann: null, bo: 1, cy: { name: "Cy", token: 5, at: 1 }, di: { name: "Di", token: "t" } });
  const identity = opened(browser);
  assert.deepEqual([identity.lastName, ...["Ann", "Bo", "Cy", "Di"].map((name) => identity.tokenOf(name))], ["", "", "", "", ""]);
});

test("a damaged name of the window is none", () => {
  const tab = memoryStorage();
  tab.write("chat.me", { name: 5, tab: {} });
  assert.equal(opened(memoryStorage(), tab).name, "");
});

for (const [one, other] of [
  ["Ann", "ANN"],
  [" Ann ", "Ann"],
  ["Ann  Lee", "Ann\u3000Lee"],
  ["Ａｎｎ", "Ann"],
  ["José", "Jose\u0301"],
]) {
  test(`${JSON.stringify(one)} and ${JSON.stringify(other)} are one name`, () => {
    assert.equal(canonicalName(one), canonicalName(other));
  });
}

test("two names are two", () => {
  assert.notEqual(canonicalName("Ann"), canonicalName("Anna"));
});

test("an id is sixteen random bytes in hexadecimal", () => {
  const crypto = { getRandomValues: (bytes) => bytes.fill(10) };
  assert.equal(randomId(crypto), "0a".repeat(16));
});

test("an id is a key as the server takes it", () => {
  assert.match(randomId(), /^[A-Za-z0-9_-]{8,64}$/);
});
