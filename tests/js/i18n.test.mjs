import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import {
  currentLanguage,
  direction,
  formatDay,
  formatNames,
  formatNumber,
  formatTime,
  loadLanguage,
  matchLanguage,
  setClock,
  startOfDay,
  translate,
  translateRefusal,
} from "../../chatapp/static/js/i18n.js";

const CATALOGUE = {
  plain: "plain",
  hello: "Hello {name}!",
  twice: "{name} and {name}",
  count: { one: "{count} thing", other: "{count} things" },
  "people.others": { one: "{count} other", other: "{count} others" },
  "day.today": "Today",
  "day.yesterday": "Yesterday",
  "refused.rate_limited": { one: "Wait {count} second.", other: "Wait {count} seconds." },
  "refused.name_taken": "{name} is taken.",
};
process.env.TZ = "Europe/Berlin"; // whose clocks change

const bare = (text) => text.replace(/[\u2068\u2069]/g, "");

const load = async () => CATALOGUE;
beforeEach(() => loadLanguage("en", load));

test("a key is translated", () => {
  assert.equal(translate("plain"), "plain");
});

test("an unknown key is its own translation", () => {
  assert.equal(translate("nothing"), "nothing");
});

test("a name is filled in, isolated", () => {
  assert.equal(translate("hello", { name: "Ann" }), "Hello \u2068Ann\u2069!");
});

test("a name is filled in at each of its placeholders", () => {
  assert.equal(bare(translate("twice", { name: "Ann" })), "Ann and Ann");
});

for (const name of ["$&", "$1", "{name}", "{count}"]) {
  test(`a name may be ${name}`, () => {
    assert.equal(bare(translate("hello", { name })), `Hello ${name}!`);
  });
}

test("a missing detail is left out", () => {
  assert.equal(translate("hello"), "Hello !");
});

test("a count of one takes the singular", () => {
  assert.equal(translate("count", { count: 1 }), "1 thing");
});

test("counts of zero and two take the plural", () => {
  assert.deepEqual([0, 2].map((count) => translate("count", { count })), ["0 things", "2 things"]);
});

test("a plural form that the catalogue lacks falls back to `other`", async () => {
  await loadLanguage("ar", load);
  assert.match(translate("count", { count: 2 }), / things$/);
});

test("a number is formatted in the language", async () => {
  assert.equal(translate("count", { count: 12345 }), "12,345 things");
  await loadLanguage("de", load);
  assert.equal(translate("count", { count: 12345 }), "12.345 things");
});

test("a list of isolated names isn't isolated again", () => {
  assert.equal(translate("hello", { name: formatNames(["Ann"]) }), "Hello \u2068Ann\u2069!");
});

for (const [users, words] of [
  [["Ann"], "Ann"],
  [["Ann", "Bo"], "Ann and Bo"],
  [["A", "B", "C"], "A, B, and C"],
  [["A", "B", "C", "D"], "A, B, C, and D"],
  [["A", "B", "C", "D", "E"], "A, B, C, and 2 others"],
]) {
  test(`${users.length} names are formatted as ${words}`, () => {
    assert.equal(bare(formatNames(users)), words);
  });
}

test("one name above the maximum is named, not counted", () => {
  assert.equal(bare(formatNames(["A", "B"], 1)), "A and B");
});

test("each name in a list is isolated", () => {
  assert.match(formatNames(["Ann", "Bo"]), /\u2068Ann\u2069.*\u2068Bo\u2069/);
});

test("a refusal is translated by its code", () => {
  assert.equal(bare(translateRefusal({ code: "name_taken", message: "Taken!" }, { name: "Ann" })), "Ann is taken.");
});

test("a refusal without a translation keeps the server's sentence", () => {
  assert.equal(translateRefusal({ code: "bad_request", message: "No." }), "No.");
});

for (const [retryAfter, words] of [
  [1, "Wait 1 second."],
  [1000, "Wait 1 second."],
  [1001, "Wait 2 seconds."],
  [undefined, "Wait 1 second."],
]) {
  test(`a refusal with retryAfter ${retryAfter} says: ${words}`, () => {
    assert.equal(translateRefusal({ code: "rate_limited", message: "Wait.", retryAfter }), words);
  });
}

const NOON = new Date(2024, 4, 15, 12).getTime();
const HOURS = 3600000;

test("a time this morning is today", () => {
  assert.equal(formatDay(new Date(2024, 4, 15).getTime(), NOON), "Today");
});

test("the minute before midnight is yesterday", () => {
  assert.equal(formatDay(new Date(2024, 4, 14, 23, 59).getTime(), NOON), "Yesterday");
});

test("the day before yesterday is a date", () => {
  assert.equal(formatDay(new Date(2024, 4, 13, 23, 59).getTime(), NOON), "Monday, May 13, 2024");
});

test("tomorrow, from a server whose clock is ahead, is a date", () => {
  assert.equal(formatDay(new Date(2024, 4, 16).getTime(), NOON), "Thursday, May 16, 2024");
});

test("each day of the year is yesterday on the next day, despite clock changes", () => {
  const odd = [];
  for (let day = 1; day <= 366; day += 1) {
    const words = formatDay(new Date(2024, 0, day, 1).getTime(), new Date(2024, 0, day + 1, 1).getTime());
    if (words !== "Yesterday") odd.push(day);
  }
  assert.deepEqual(odd, []);
});

test("a day starts at midnight", () => {
  assert.equal(startOfDay(NOON), NOON - 12 * HOURS);
});

const EVENING = new Date(2024, 4, 15, 21, 5).getTime();
const plainSpaces = (text) => text.replace(/\s/g, " ");

for (const [code, clock, time] of [
  ["en", "language", "09:05 PM"],
  ["en", "12", "09:05 PM"],
  ["en", "24", "21:05"],
  ["de", "language", "21:05"],
  ["de", "24", "21:05"],
]) {
  test(`the clock "${clock}" in ${code} shows ${time}`, async () => {
    await loadLanguage(code, load);
    setClock(clock);
    assert.equal(plainSpaces(formatTime(EVENING)), time);
  });
}

test("the 24-hour clock shows midnight as 00", () => {
  setClock("24");
  assert.equal(formatTime(new Date(2024, 4, 15).getTime()), "00:00");
});

test("formatNumber uses the language", () => {
  assert.equal(formatNumber(1234), "1,234");
});

for (const [wanted, code] of [
  [["de"], "de"],
  [["de-AT"], "de"],
  [["FR-ca"], "fr"],
  [["nl", "es-MX", "de"], "es"],
  [["nl"], "en"],
  [[], "en"],
  [[undefined], "en"],
  [["constructor"], "en"],
]) {
  test(`the language for ${JSON.stringify(wanted)} is ${code}`, () => {
    assert.equal(matchLanguage(wanted), code);
  });
}

test("Arabic runs from right to left, English from left to right", async () => {
  const english = direction();
  await loadLanguage("ar", load);
  assert.deepEqual([english, direction()], ["ltr", "rtl"]);
});

test("loading a language uses its own catalogue", async () => {
  await loadLanguage("de");
  assert.deepEqual([currentLanguage(), translate("day.today")], ["de", "Heute"]);
});
