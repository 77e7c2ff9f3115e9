// All words that a person reads, in the language chosen: catalogues in words/, and the browser's own
// knowledge of numbers, plurals, lists and dates.
export const LANGUAGES = {
  en: "English",
  de: "Deutsch",
  es: "Español",
  fr: "Français",
  ja: "日本語",
  ar: "العربية",
};
const RIGHT_TO_LEFT = ["ar"];
const DAY = { weekday: "long", day: "numeric", month: "long", year: "numeric" };
const TIME = { hour: "2-digit", minute: "2-digit" };

let words = {};
let language = "en";
let clock = "language";
let plurals, numbers, lists, times, days, moments;

// The first of `wanted` (BCP 47 tags) that there's a catalogue for; else English.
export function languageFor(wanted) {
  const codes = wanted.map((tag) => String(tag).toLowerCase().split("-")[0]);
  return codes.find((code) => Object.hasOwn(LANGUAGES, code)) ?? "en";
}

export async function speak(code) {
  use(code, (await import(`./words/${code}.js`)).default);
}

export function use(code, catalogue) {
  language = code;
  words = catalogue;
  plurals = new Intl.PluralRules(code);
  numbers = new Intl.NumberFormat(code);
  lists = new Intl.ListFormat(code, { type: "conjunction" });
  days = new Intl.DateTimeFormat(code, DAY);
  setClock("language");
}

// `chosen`: "12", "24", or as the language has it.
export function setClock(chosen) {
  clock = chosen;
  const cycle = { 12: { hourCycle: "h12" }, 24: { hourCycle: "h23" } }[clock] ?? {};
  times = new Intl.DateTimeFormat(language, { ...TIME, ...cycle });
  moments = new Intl.DateTimeFormat(language, { ...DAY, ...TIME, second: "2-digit", ...cycle });
}

export const direction = () => (RIGHT_TO_LEFT.includes(language) ? "rtl" : "ltr");
export const currentLanguage = () => language;

// Changes whenever what's said is said otherwise.
export const edition = () => `${language} ${clock}`;

// The server's refusals are English sentences; other languages have their own for each code.
export function refusal({ code, message, retryAfter }, details = {}) {
  const key = `refused.${code}`;
  if (!Object.hasOwn(words, key)) return message;
  return say(key, { count: Math.ceil((retryAfter ?? 1000) / 1000), ...details });
}

// The words for `key`. Names in `details` are isolated, so that their direction is their own;
// `count` chooses the plural, and numbers are written as the language writes them.
export function say(key, details = {}) {
  let text = words[key] ?? key;
  if (typeof text === "object") text = text[plurals.select(details.count)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => written(details[name]));
}

function written(value) {
  if (typeof value === "number") return numbers.format(value);
  return value === undefined ? "" : isolated(String(value));
}

// FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE (UAX 9, section 2.5), unless they're there.
export function isolated(text) {
  return text.startsWith("\u2068") ? text : `\u2068${text}\u2069`;
}

// "Ann, Bo and 3 others"
export function named(users, most = 3) {
  const shown = users.length > most + 1 ? users.slice(0, most) : users;
  const items = shown.map(isolated);
  const others = users.length - shown.length;
  if (others > 0) items.push(say("people.others", { count: others }));
  return lists.format(items);
}

export const timeOf = (at) => times.format(at);
export const momentOf = (at) => moments.format(at);
export const number = (value) => numbers.format(value);

export function dayOf(at, now = Date.now()) {
  const apart = Math.round((startOfDay(now) - startOfDay(at)) / 86400000);
  if (apart === 0) return say("day.today");
  if (apart === 1) return say("day.yesterday");
  return days.format(at);
}

export function startOfDay(at) {
  return new Date(at).setHours(0, 0, 0, 0);
}
