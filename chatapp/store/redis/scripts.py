"""What Redis does in one step for the log: its keys, and the scripts over them (Redis 7, Lua).

| key | what |
|---|---|
| `chatapp:schema` | the version of all this |
| `chatapp:epoch` | the numbering's name |
| `chatapp:trial` | nothing: written to see whether Redis takes anything |
| `chatapp:newest` | a hash: for each room, the number and the time of its newest message |
| `chatapp:log:ROOM` | a stream: message N under the id N-0 |
| `chatapp:keys:ROOM` | a hash: for each name as it is compared, a space, and a key, the number |

`roster.lua` has those of names. What a room is told goes over the channel `chatapp:said:ROOM`, in
MessagePack (listener.py). A channel is of all databases; the epoch tells whose it is.
"""

from __future__ import annotations

PREFIX = "chatapp:"
SCHEMA_VERSION = "1"

PRELUDE = """
-- What Redis answers to a command over one key; or nil, and `command | wrong` of a damaged one.
local function attempt(command, key, ...)
  local answer = redis.pcall(command, key, ...)
  local wrong = type(answer) == 'table' and answer.err
  if not wrong then
    return answer
  elseif string.find(wrong, '^WRONGTYPE') then
    local kind = redis.call('TYPE', key).ok
    return nil, 'TYPE ' .. key .. ' | ' .. key .. ' is a ' .. kind ..
      ', which the chat never writes there'
  elseif string.find(wrong, 'ID specified in XADD') then
    return nil, 'XINFO STREAM ' .. key .. ' | ' .. key .. " has messages beyond its room's number"
  end
  error(answer)
end

-- The answer, if nothing is damaged; else this ends the script.
local function checked(answer, damage)
  if damage then
    error({err = 'DAMAGED ' .. damage})
  end
  return answer
end

local function call(...)
  return checked(attempt(...))
end

-- The number and the time of a room's newest message.
local function newest_of(newest, room)
  local found = call('HGET', newest, room)
  local number, at = string.match(found or '0 0', '^(%d+) (%d+)$')
  if not number or #number > 16 then
    checked(nil, 'HGET ' .. newest .. ' ' .. room .. ' | the field ' .. room .. ' of ' .. newest ..
      " isn't a number and a time")
  end
  return tonumber(number), tonumber(at)
end

local function is_text(value)
  return type(value) == 'string'
end

local function is_record(record)
  if type(record) ~= 'table' or type(record.rooms) ~= 'table' then
    return false
  end
  for room, waits in pairs(record.rooms) do
    if not is_text(room) or type(waits) ~= 'number' then
      return false
    end
  end
  return is_text(record.user) and is_text(record.entry) and is_text(record.node) and
    is_text(record.holder) and is_text(record.token) and type(record.hold) == 'number' and
    type(record.ends) == 'number'
end

-- The record of a name, or nil where there is none; or nil and `command | wrong`.
local function record_of(names, folded)
  local packed = call('HGET', names, folded)
  if not packed then
    return nil
  end
  local is_packed, record = pcall(cmsgpack.unpack, packed)
  if not is_packed or not is_record(record) then
    return nil, 'HVALS ' .. names .. ' | a field of ' .. names .. " isn't the record of a name"
  end
  return record
end
"""
"""What all scripts begin with. An error of one key is raised as `DAMAGED command | wrong`
(damage.py), before the script has written anything. Neither has a text that a client chose, except
for a room's name."""

APPEND = (
    PRELUDE
    + """
local log, keys, newest, epoch, names, nodes = unpack(KEYS)
local room, user, message, key, folded = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local now, most, cutoff = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local channel, known_epoch, told, holder = ARGV[9], ARGV[10], tonumber(ARGV[11]), ARGV[12]

local number, at = newest_of(newest, room)
if call('GET', epoch) ~= known_epoch or number < told then
  return {-1, 0, {}}
end
if holder ~= '' then
  local record, time = checked(record_of(names, folded)), redis.call('TIME')
  local lease = record and call('ZSCORE', nodes, record.node)
  if not lease or record.holder ~= holder or tonumber(lease) <= tonumber(time[1]) * 1000 then
    return {-2, 0, {}}
  end
end
local known = key ~= '' and call('HGET', keys, folded .. ' ' .. key)
if known and not string.match(known, '^%d+$') then
  checked(nil, 'HVALS ' .. keys .. ' | a field of ' .. keys .. " isn't a message's number")
end
if known and tonumber(known) > number - most then
  local entry = call('XRANGE', log, known .. '-0', known .. '-0')[1]
  local its = entry and tonumber(entry[2][2])
  if entry and not its then
    checked(nil, 'XRANGE ' .. log .. ' ' .. known .. ' ' .. known .. ' | the message ' .. known ..
      ' of ' .. log .. ' lacks a field, or has a wrong one')
  elseif entry and its >= cutoff then
    return {0, known, entry[2]}
  end
end
number = string.format('%.0f', number + 1)
at = string.format('%.0f', math.max(at, now))
local fields = {'at', at, 'user', user, 'message', message, 'key', key, 'folded', folded}
call('XADD', log, number .. '-0', unpack(fields))
redis.call('HSET', newest, room, number .. ' ' .. at)
if key ~= '' then
  redis.call('HSET', keys, folded .. ' ' .. key, number)
end
local said = {'newmsg', known_epoch, number, at, user, message, key}
redis.call('PUBLISH', channel, cmsgpack.pack(said))
return {1, number, fields}
"""
)
"""Append a message, unless its key is known: whether it's new, its number, its fields.

-1 where Redis has begun anew, or has lost what was `told`; -2 where `holder` has the name no
longer, or its node has no lease. Messages up to `most` before the newest are kept, and those since
`cutoff` (ms since 1970)."""

READ = (
    PRELUDE
    + """
local log, newest, epoch = unpack(KEYS)
local room, low, high, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local count, is_back = ARGV[5], ARGV[6] == '1'
local number = newest_of(newest, room)
low = math.max(low, number - most + 1)
local from, to, found = string.format('%.0f-0', low), string.format('%.0f-0', high), {}
if low <= high and is_back then
  found = call('XREVRANGE', log, to, from, 'COUNT', count)
elseif low <= high then
  found = call('XRANGE', log, from, to, 'COUNT', count)
end
return {call('GET', epoch) or '', found}
"""
)
"""At most `count` messages with numbers from `low` to `high`, the last ones first if that's asked
for; and the epoch. Messages up to `most` before the newest are kept."""

START_EPOCH = (
    PRELUDE
    + """
local epoch, version, schema = KEYS[1], KEYS[2], ARGV[3]
local current = call('GET', epoch)
if current and current ~= ARGV[1] and string.match(current, '^[%w_-]+$') then
  return current
end
redis.call('SET', epoch, ARGV[2])
redis.call('SET', version, schema)
return ARGV[2]
"""
)
"""Begin a new epoch after the one that is known, unless another process has: which is it now?"""

EXPIRE = (
    PRELUDE
    + """
local log, keys, newest = KEYS[1], KEYS[2], KEYS[3]
local room, most, cutoff, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local number = newest_of(newest, room)
local retired = 0
for _, entry in ipairs(call('XRANGE', log, '-', '+', 'COUNT', count)) do
  local id = string.match(entry[1], '^%d+')
  local at, key, folded = tonumber(entry[2][2]), entry[2][8] or '', entry[2][10] or ''
  local is_among_newest = tonumber(id) > number - most
  if is_among_newest and at and at >= cutoff then
    break
  elseif at or not is_among_newest then
    local name = folded .. ' ' .. key
    if key ~= '' and call('HGET', keys, name) == id then
      call('HDEL', keys, name)
    end
    redis.call('XDEL', log, entry[1])
    retired = retired + 1
  end
end
return retired
"""
)
"""Take away `count` messages at most that are no longer kept: how many those were. One without a
time is kept until newer ones take its place."""


def log_key(room: str) -> str:
    return f"{PREFIX}log:{room}"


def keys_key(room: str) -> str:
    return f"{PREFIX}keys:{room}"


def channel(room: str) -> str:
    return f"{PREFIX}said:{room}"


NEWEST = f"{PREFIX}newest"
EPOCH = f"{PREFIX}epoch"
NAMES = f"{PREFIX}names"
NODES = f"{PREFIX}nodes"
SCHEMA_KEY = f"{PREFIX}schema"
PROBE = f"{PREFIX}trial"
