import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { CHOICES } from "../../chatapp/static/js/settings.js";
import { LANGUAGES } from "../../chatapp/static/js/i18n.js";

const ROOT = new URL("../../", import.meta.url);
const MODULES = new URL("chatapp/static/js/", ROOT);
const OTHERS = Object.keys(LANGUAGES).filter((code) => code !== "en");

const catalogues = {};
for (const code of Object.keys(LANGUAGES)) {
  catalogues[code] = (await import(new URL(`words/${code}.js`, MODULES))).default;
}
const english = catalogues.en;

const read = (path, base = ROOT) => readFileSync(new URL(path, base), "utf8");
const modules = readdirSync(MODULES, { recursive: true }).filter((path) => path.endsWith(".js") && !path.startsWith("words/"));
const page = read("templates/chat.html");
const scripts = modules.map((path) => read(path, MODULES)).join("\n");

// Keys that the modules build from parts.
const BUILT_KEYS = [
  ...["connecting", "connected", "waiting", "away"].map((phase) => `connection.${phase}`),
  ...["waiting", "sending"].map((state) => `message.${state}`),
  ...[...Object.keys(CHOICES), "compact", "sound", "notices", "onlyMentions", "ignored"].map((name) => `settings.${name}`),
  ...["theme", "size", "clock"].flatMap((name) => CHOICES[name].map((choice) => `settings.${name}.${choice}`)),
];

const formsOf = (words) => (typeof words === "string" ? { other: words } : words);
const placeholdersOf = (text) => [...new Set(Array.from(text.matchAll(/\{(\w+)\}/g), ([, name]) => name))].sort();
const refusalsOf = (catalogue) => Object.keys(catalogue).filter((key) => key.startsWith("refused.")).sort();
const pluralsOf = (code) => new Intl.PluralRules(code).resolvedOptions().pluralCategories.toSorted();

// Codes in docs/wire.md that no user can cause on the page.
const CODES_OF_PROGRAMS = ["bad_request", "unknown_event", "taken_over"];
const table = read("docs/wire.md").split("## Refusals")[1].split("\n## ")[0];
const codes = Array.from(table.matchAll(/^\| (`.*?`) \|/gm), ([, cell]) => Array.from(cell.matchAll(/`(\w+)`/g), ([, code]) => code)).flat();

test("each language has a catalogue, and each catalogue a language", () => {
  const files = readdirSync(new URL("words/", MODULES)).sort();
  assert.deepEqual(files, Object.keys(LANGUAGES).map((code) => `${code}.js`).sort());
});

test("each text of the English catalogue is used", () => {
  const isUsed = (key) => BUILT_KEYS.includes(key) || scripts.includes(`"${key}"`) || page.includes(`"${key}"`);
  assert.deepEqual(Object.keys(english).filter((key) => !isUsed(key)), []);
});

test("each text that the page uses is in the English catalogue", () => {
  const inScripts = Array.from(scripts.matchAll(/\b(?:translate|textFor)\("([^"]+)"/g), ([, key]) => key);
  const inPage = Array.from(page.matchAll(/data-i18n(?:-[\w-]+)?="([^"]+)"/g), ([, key]) => key);
  const said = new Set([...inScripts, ...inPage, ...BUILT_KEYS]);
  assert.deepEqual([...said].filter((key) => !Object.hasOwn(english, key)), []);
});

test("the English catalogue has no refusals: the server's are English", () => {
  assert.deepEqual(refusalsOf(english), []);
});

for (const code of OTHERS) {
  const catalogue = catalogues[code];

  test(`${code} has the same keys as English`, () => {
    const keys = Object.keys(catalogue).filter((key) => !key.startsWith("refused."));
    assert.deepEqual(keys.sort(), Object.keys(english).sort());
  });

  test(`${code} translates each refusal that a user can cause`, () => {
    const expected = codes.filter((each) => !CODES_OF_PROGRAMS.includes(each)).map((each) => `refused.${each}`);
    assert.deepEqual(refusalsOf(catalogue), expected.sort());
  });

  test(`${code} has plural forms where English has them`, () => {
    const differing = Object.keys(english).filter((key) => typeof catalogue[key] !== typeof english[key]);
    assert.deepEqual(differing, []);
  });

  test(`${code} has the same placeholders as English`, () => {
    const differing = Object.entries(english).filter(([key, words]) => {
      const expected = placeholdersOf(formsOf(words).other);
      return String(placeholdersOf(formsOf(catalogue[key] ?? "").other)) !== String(expected);
    });
    assert.deepEqual(differing.map(([key]) => key), []);
  });

  test(`${code} has the placeholders of refusals: the name, the seconds`, () => {
    const filled = refusalsOf(catalogue).filter((key) => placeholdersOf(formsOf(catalogue[key]).other).length > 0);
    const placeholders = filled.map((key) => [key, ...placeholdersOf(formsOf(catalogue[key]).other)]);
    assert.deepEqual(placeholders, [["refused.name_taken", "name"], ["refused.rate_limited", "count"]]);
  });

  test(`${code} has no empty text and no space at an end`, () => {
    const all = Object.entries(catalogue).flatMap(([key, words]) => Object.values(formsOf(words)).map((text) => [key, text]));
    assert.deepEqual(all.filter(([, text]) => text === "" || text.trim() !== text), []);
  });
}

for (const [code, catalogue] of Object.entries(catalogues)) {
  const plurals = Object.entries(catalogue).filter(([, words]) => typeof words === "object");

  test(`${code} has exactly the plural forms of the language`, () => {
    const lacking = plurals.filter(([, forms]) => String(Object.keys(forms).sort()) !== String(pluralsOf(code)));
    assert.deepEqual(lacking.map(([key]) => key), []);
  });

  // The forms for zero, one and two may spell the number out.
  test(`${code} has the same placeholders in each plural form, except the number`, () => {
    const differing = plurals.filter(([, forms]) =>
      Object.entries(forms).some(([form, text]) => {
        const isUsed = (name) => name !== "count" || !["zero", "one", "two"].includes(form);
        const expected = placeholdersOf(forms.other).filter(isUsed);
        return String(placeholdersOf(text).filter(isUsed)) !== String(expected);
      }),
    );
    assert.deepEqual(differing.map(([key]) => key), []);
  });
}

test("in French, a narrow no-break space precedes ? ! : and ;", () => {
  const texts = Object.values(catalogues.fr).flatMap((words) => Object.values(formsOf(words)));
  assert.deepEqual(texts.filter((text) => /[^\u202f][?!:;]/.test(text)), []);
});

test("an ellipsis is one character", () => {
  const texts = Object.values(catalogues).flatMap((catalogue) => Object.values(catalogue).flatMap((words) => Object.values(formsOf(words))));
  assert.deepEqual(texts.filter((text) => text.includes("...")), []);
});
