// What the server says (docs/wire.md), checked for its shape. What is odd raises Odd.
export class Odd extends Error {}

const SOONEST_MS = 250; // bounds of how long a server may have one wait
const LATEST_MS = 60000;
const RETRY_MS = 1000; // where it doesn't say

export function entryOf(said, number) {
  check(isObject(said) && isObject(number));
  const { user, message } = said;
  const { room, id, at, key } = number;
  check([user, message, room].every(isText) && isWhole(id) && isWhole(at));
  check(Math.abs(at) <= 8.64e15); // the last day that there is
  return Object.freeze({ user, message, room, id, at, key: isText(key) ? key : undefined });
}

// The answer to `join` or `history`; a refusal as it is.
export function pageOf(answer) {
  if (isRefusal(answer)) return answer;
  const { room, epoch, messages, more, count = 0, users = [] } = answer;
  check(answer.ok === true && isText(room) && isText(epoch) && typeof more === "boolean");
  check(Array.isArray(messages) && messages.every(Array.isArray));
  check(isWhole(count) && Array.isArray(users) && users.every(isText));
  const entries = messages.map(([said, number]) => entryOf(said, number));
  return { ok: true, room, epoch, more, count, users, entries };
}

export function saidOf(answer) {
  if (!isRefusal(answer)) check(answer.ok === true && isWhole(answer.id));
  return answer;
}

export function namedOf(answer) {
  if (!isRefusal(answer)) check(answer.ok === true && isText(answer.user));
  return answer;
}

export function leftOf(answer) {
  if (!isRefusal(answer)) check(answer.ok === true && isText(answer.room));
  return answer;
}

// What is told of people in a room: `fields`, by name, and how each is checked.
export function changeOf(change, fields) {
  check(isObject(change) && isText(change.room));
  for (const [name, isRight] of Object.entries(fields)) check(isRight(change[name]));
  return change;
}

export function refusedOf(refused) {
  check(isObject(refused));
  return refused;
}

// A refusal that time mends, and how long to wait before it's asked again, in ms.
export const isForLater = ({ code }) => code === "rate_limited" || code === "unavailable";
export const waitOf = ({ retryAfter }) => retryAfter ?? RETRY_MS;

function isRefusal(answer) {
  check(isObject(answer));
  if (answer.ok !== false) return false;
  check(isText(answer.code) && isText(answer.message));
  const { retryAfter = SOONEST_MS } = answer;
  check(isWhole(retryAfter));
  if (answer.retryAfter !== undefined) answer.retryAfter = Math.min(Math.max(retryAfter, SOONEST_MS), LATEST_MS);
  return true;
}

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
export const isText = (value) => typeof value === "string";
export const isWhole = (value) => Number.isSafeInteger(value) && value >= 0;

function check(holds) {
  if (!holds) throw new Odd("an odd answer");
}
