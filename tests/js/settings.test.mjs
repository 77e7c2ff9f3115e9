import assert from "node:assert/strict";
import { test } from "node:test";
import { Settings } from "../../chatapp/static/js/settings.js";
import { Store } from "../../chatapp/static/js/store.js";
import { memoryStorage } from "../support/page.mjs";
import { LANGUAGES } from "../../chatapp/static/js/i18n.js";

globalThis.window = { addEventListener() {}, applyAppearance() {} };

// The settings of a browser that has stored `items`.
function validSettings(items) {
  const [store, storage] = [new Store({}, () => {}), memoryStorage()];
  storage.write("chat.settings", items);
  new Settings(store, storage);
  return store.state.settings;
}
const DEFAULTS = validSettings({});

test("the defaults follow the device and the browser, and are silent", () => {
  assert.deepEqual(DEFAULTS, {
    theme: "system",
    size: "normal",
    clock: "language",
    language: "",
    compact: false,
    sound: false,
    notices: false,
    onlyMentions: false,
    ignored: [],
  });
});

const good = {
  theme: ["system", "light", "dark", "contrast"],
  size: ["small", "normal", "large", "huge"],
  clock: ["language", "12", "24"],
  language: ["", ...Object.keys(LANGUAGES)],
  compact: [true, false],
  sound: [true, false],
  notices: [true, false],
  onlyMentions: [true, false],
  ignored: [[], ["Ann", "Bo"]],
};
for (const [name, values] of Object.entries(good)) {
  for (const value of values) {
    test(`${name} may be ${JSON.stringify(value)}`, () => {
      assert.deepEqual(validSettings({ [name]: value })[name], value);
    });
  }
}

for (const name of Object.keys(good)) {
  for (const value of [null, 1, "nonsense", {}, [1]]) {
    test(`${name} can't be ${JSON.stringify(value)} and takes the default`, () => {
      assert.deepEqual(validSettings({ [name]: value })[name], DEFAULTS[name]);
    });
  }
}

test("an invalid setting leaves the others unchanged", () => {
  assert.equal(validSettings({ theme: 1, size: "huge" }).size, "huge");
});

test("invalid names among the ignored users are dropped", () => {
  assert.deepEqual(validSettings({ ignored: ["Ann", null, 1, "Bo"] }).ignored, ["Ann", "Bo"]);
});

test("an unknown setting is dropped", () => {
  assert.ok(!("colour" in validSettings({ colour: "red" })));
});

test("the defaults can't be changed through the settings", () => {
  validSettings({}).ignored.push("Ann");
  assert.deepEqual(validSettings({}).ignored, []);
});
