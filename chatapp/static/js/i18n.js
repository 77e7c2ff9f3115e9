// Translates and formats all text of the page in the chosen language. The catalogues are in words/;
// numbers, plurals, lists and dates come from the browser's Intl.
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

let catalogue = {};
let language = "en";
let clock = "language";
let pluralRules, numberFormat, listFormat, timeFormat, dayFormat, dateTimeFormat;

// The first language of `wanted` (BCP 47 tags) that has a catalogue, or English.
export function matchLanguage(wanted) {
  const codes = wanted.map((tag) => String(tag).toLowerCase().split("-")[0]);
  return codes.find((code) => Object.hasOwn(LANGUAGES, code)) ?? "en";
}

// `load(code)` resolves to the language's catalogue.
export async function loadLanguage(code, load = importCatalogue) {
  catalogue = await load(code);
  language = code;
  pluralRules = new Intl.PluralRules(code);
  numberFormat = new Intl.NumberFormat(code);
  listFormat = new Intl.ListFormat(code, { type: "conjunction" });
  dayFormat = new Intl.DateTimeFormat(code, DAY);
  setClock("language");
}

const importCatalogue = async (code) => (await import(`./words/${code}.js`)).default;

// `chosen` is "12", "24", or "language" for the language's own.
export function setClock(chosen) {
  clock = chosen;
  const cycle = { 12: { hourCycle: "h12" }, 24: { hourCycle: "h23" } }[clock] ?? {};
  timeFormat = new Intl.DateTimeFormat(language, { ...TIME, ...cycle });
  dateTimeFormat = new Intl.DateTimeFormat(language, { ...DAY, ...TIME, second: "2-digit", ...cycle });
}

export const direction = () => (RIGHT_TO_LEFT.includes(language) ? "rtl" : "ltr");
export const currentLanguage = () => language;

// A key that changes whenever translations or formats do.
export const localeKey = () => `${language} ${clock}`;

// The server's refusals are English sentences. The other catalogues have a sentence for each code.
export function translateRefusal({ code, message, retryAfter }, details = {}) {
  const key = `refused.${code}`;
  if (!Object.hasOwn(catalogue, key)) return message;
  return translate(key, { count: Math.ceil((retryAfter ?? 1000) / 1000), ...details });
}

// Translate `key`. Strings in `details` are isolated, so that their direction stays their own;
// `count` chooses the plural, and numbers are formatted.
export function translate(key, details = {}) {
  let text = catalogue[key] ?? key;
  if (typeof text === "object") text = text[pluralRules.select(details.count)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, name) => formatValue(details[name]));
}

function formatValue(value) {
  if (typeof value === "number") return numberFormat.format(value);
  return value === undefined ? "" : isolate(String(value));
}

// Add FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE (UAX 9, section 2.5), once.
function isolate(text) {
  return text.startsWith("\u2068") ? text : `\u2068${text}\u2069`;
}

// "Ann, Bo and 3 others"
export function formatNames(users, max = 3) {
  const shown = users.length > max + 1 ? users.slice(0, max) : users;
  const items = shown.map(isolate);
  const others = users.length - shown.length;
  if (others > 0) items.push(translate("people.others", { count: others }));
  return listFormat.format(items);
}

export const formatTime = (at) => timeFormat.format(at);
export const formatDateTime = (at) => dateTimeFormat.format(at);
export const formatNumber = (value) => numberFormat.format(value);

export function formatDay(at, now = Date.now()) {
  const daysAgo = Math.round((startOfDay(now) - startOfDay(at)) / 86400000);
  if (daysAgo === 0) return translate("day.today");
  if (daysAgo === 1) return translate("day.yesterday");
  return dayFormat.format(at);
}

export function startOfDay(at) {
  return new Date(at).setHours(0, 0, 0, 0);
}
