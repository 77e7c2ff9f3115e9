// Parsers of the server's answers and events (docs/wire.md). They throw ProtocolError on a wrong shape.
export class ProtocolError extends Error {}

const MIN_RETRY_MS = 250; // bounds for `retryAfter`, whatever the server sends
const MAX_RETRY_MS = 60000;
const DEFAULT_RETRY_MS = 1000; // for a refusal without `retryAfter`

export function parseEntry(said, number) {
  check(isObject(said) && isObject(number));
  const { user, message } = said;
  const { room, id, at, key } = number;
  check([user, message, room].every(isString) && isUnsignedInteger(id) && isUnsignedInteger(at));
  check(Math.abs(at) <= 8.64e15); // the last day of a JavaScript Date
  return Object.freeze({ user, message, room, id, at, key: isString(key) ? key : undefined });
}

// The answer to `join` or `history`. All parsers of answers return a refusal unchanged.
export function parsePage(answer) {
  if (isRefusal(answer)) return answer;
  const { room, epoch, messages, more, count = 0, users = [] } = answer;
  check(answer.ok === true && isString(room) && isString(epoch) && typeof more === "boolean");
  check(Array.isArray(messages) && messages.every(Array.isArray));
  check(isUnsignedInteger(count) && Array.isArray(users) && users.every(isString));
  const entries = messages.map(([said, number]) => parseEntry(said, number));
  return { ok: true, room, epoch, more, count, users, entries };
}

export function parseMessageAnswer(answer) {
  if (!isRefusal(answer)) check(answer.ok === true && isUnsignedInteger(answer.id));
  return answer;
}

export function parseNameAnswer(answer) {
  if (!isRefusal(answer)) check(answer.ok === true && isString(answer.user));
  return answer;
}

export function parseLeaveAnswer(answer) {
  if (!isRefusal(answer)) check(answer.ok === true && isString(answer.room));
  return answer;
}

// An event about users in a room. `fields` maps the name of each field to its check.
export function parsePeopleEvent(change, fields) {
  check(isObject(change) && isString(change.room));
  for (const [name, isRight] of Object.entries(fields)) check(isRight(change[name]));
  return change;
}

export function parseRefused(refused) {
  check(isObject(refused));
  return refused;
}

// Whether to repeat a refused request, and after how many milliseconds.
export const isTemporary = ({ code }) => code === "rate_limited" || code === "unavailable";
export const retryDelay = ({ retryAfter }) => retryAfter ?? DEFAULT_RETRY_MS;

function isRefusal(answer) {
  check(isObject(answer));
  if (answer.ok !== false) return false;
  check(isString(answer.code) && isString(answer.message));
  const { retryAfter = MIN_RETRY_MS } = answer;
  check(isUnsignedInteger(retryAfter));
  if (answer.retryAfter !== undefined) answer.retryAfter = Math.min(Math.max(retryAfter, MIN_RETRY_MS), MAX_RETRY_MS);
  return true;
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
export const isString = (value) => typeof value === "string";
export const isUnsignedInteger = (value) => Number.isSafeInteger(value) && value >= 0;

function check(holds) {
  if (!holds) throw new ProtocolError("an answer or event of the wrong shape");
}
