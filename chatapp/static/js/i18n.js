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
export function matchLanguage(wanted) {
  const codes = wanted.map((tag) => String(tag).toLowerCase().split("-")[0]);
  return codes.find((code) => Object.hasOwn(LANGUAGES, code)) ?? "en";
}

// `load(code)` resolves to the language's catalogue.
export async function loadLanguage(code, load = importCatalogue) {
  words = await load(code);
  language = code;
  plurals = new Intl.PluralRules(code);
  numbers = new Intl.NumberFormat(code);
  lists = new Intl.ListFormat(code, { type: "conjunction" });
  days = new Intl.DateTimeFormat(code, DAY);
  setClock("language");
}

const importCatalogue = async (code) => (await import(`./words/${code}.js`)).default;

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
export const localeKey = () => `${language} ${clock}`;

// The server's refusals are English sentences; other languages have their own for each code.
export function translateRefusal({ code, message, retryAfter }, details = {}) {
  const key = `refused.${code}`;
  if (!Object.hasOwn(words, key)) return message;
  return translate(key, { count: Math.ceil((retryAfter ?? 1000) / 1000), ...details });
}

// The words for `key`. Names in `details` are isolate, so that their direction is their own;
// `count` chooses the plural, and numbers are formatValue as the language writes them.
export function translate(key, details = {}) {
  let text = words[key] ?? key;
  if (typeof text === "object") text = text[plurals.select(details.count)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => formatValue(details[name]));
}

function formatValue(value) {
  if (typeof value === "number") return numbers.format(value);
  return value === undefined ? "" : isolate(String(value));
}

// FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE (UAX 9, section 2.5), unless they're there.
function isolate(text) {
  return text.startsWith("\u2068") ? text : `\u2068${text}\u2069`;
}

// "Ann, Bo and 3 others"
export function formatNames(users, most = 3) {
  const shown = users.length > most + 1 ? users.slice(0, most) : users;
  const items = shown.map(isolate);
  const others = users.length - shown.length;
  if (others > 0) items.push(translate("people.others", { count: others }));
  return lists.format(items);
}

export const formatTime = (at) => times.format(at);
export const formatDateTime = (at) => moments.format(at);
export const formatNumber = (value) => numbers.format(value);

export function formatDay(at, now = Date.now()) {
  const apart = Math.round((startOfDay(now) - startOfDay(at)) / 86400000);
  if (apart === 0) return translate("day.today");
  if (apart === 1) return translate("day.yesterday");
  return days.format(at);
}

export function startOfDay(at) {
  return new Date(at).setHours(0, 0, 0, 0);
}
