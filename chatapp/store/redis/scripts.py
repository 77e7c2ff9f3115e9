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
SCHEMA = "1"

APPEND = """
local log, keys, newest, epoch, names, nodes = unpack(KEYS)
local room, user, message, key, folded = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local now, most, cutoff = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local channel, known_epoch, told, holder = ARGV[9], ARGV[10], tonumber(ARGV[11]), ARGV[12]

local number, at = 0, 0
local before = redis.call('HGET', newest, room)
if before then
  number, at = string.match(before, '^(%d+) (%d+)$')
  number, at = tonumber(number), tonumber(at)
end
if redis.call('GET', epoch) ~= known_epoch or number < told then
  return {-1, 0, {}}
end
if holder ~= '' then
  local packed, time = redis.call('HGET', names, folded), redis.call('TIME')
  local record = packed and cmsgpack.unpack(packed)
  local lease = record and redis.call('ZSCORE', nodes, record.node)
  if not lease or record.holder ~= holder or tonumber(lease) <= tonumber(time[1]) * 1000 then
    return {-2, 0, {}}
  end
end
local known = key ~= '' and redis.call('HGET', keys, folded .. ' ' .. key)
if known and tonumber(known) > number - most then
  local entry = redis.call('XRANGE', log, known .. '-0', known .. '-0')[1]
  if entry and tonumber(entry[2][2]) >= cutoff then
    return {0, known, entry[2]}
  end
end
number = string.format('%.0f', number + 1)
at = string.format('%.0f', math.max(at, now))
local fields = {'at', at, 'user', user, 'message', message, 'key', key, 'folded', folded}
redis.call('XADD', log, number .. '-0', unpack(fields))
redis.call('HSET', newest, room, number .. ' ' .. at)
if key ~= '' then
  redis.call('HSET', keys, folded .. ' ' .. key, number)
end
local said = {'newmsg', known_epoch, number, at, user, message, key}
redis.call('PUBLISH', channel, cmsgpack.pack(said))
return {1, number, fields}
"""
"""Append a message, unless its key is known: whether it's new, its number, its fields.

-1 where Redis has begun anew, or has lost what was `told`; -2 where `holder` has the name no
longer, or its node has no lease. Messages up to `most` before the newest are kept, and those since
`cutoff` (ms since 1970)."""

READ = """
local log, newest, epoch = unpack(KEYS)
local room, low, high, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local count, is_back = ARGV[5], ARGV[6] == '1'
local number = tonumber(string.match(redis.call('HGET', newest, room) or '0', '^%d+'))
low = math.max(low, number - most + 1)
local from, to, found = string.format('%.0f-0', low), string.format('%.0f-0', high), {}
if low <= high and is_back then
  found = redis.call('XREVRANGE', log, to, from, 'COUNT', count)
elseif low <= high then
  found = redis.call('XRANGE', log, from, to, 'COUNT', count)
end
return {redis.call('GET', epoch) or '', found}
"""
"""At most `count` messages with numbers from `low` to `high`, the last ones first if that's asked
for; and the epoch. Messages up to `most` before the newest are kept."""

BEGIN_ANEW = """
local epoch, version, schema = KEYS[1], KEYS[2], ARGV[3]
local current = redis.call('GET', epoch)
if current and current ~= ARGV[1] then
  return current
end
redis.call('SET', epoch, ARGV[2])
redis.call('SET', version, schema)
return ARGV[2]
"""
"""Begin a new epoch after the one that is known, unless another process has: which is it now?"""

RETIRE = """
local log, keys, newest = KEYS[1], KEYS[2], KEYS[3]
local room, most, cutoff, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local number = tonumber(string.match(redis.call('HGET', newest, room) or '0', '^%d+'))
local retired = 0
for _, entry in ipairs(redis.call('XRANGE', log, '-', '+', 'COUNT', count)) do
  local id = string.match(entry[1], '^%d+')
  local at, key, folded = entry[2][2], entry[2][8], entry[2][10]
  if tonumber(id) > number - most and tonumber(at) >= cutoff then
    break
  end
  redis.call('XDEL', log, entry[1])
  local name = folded .. ' ' .. key
  if key ~= '' and redis.call('HGET', keys, name) == id then
    redis.call('HDEL', keys, name)
  end
  retired = retired + 1
end
return retired
"""
"""Take away `count` messages at most that are no longer kept: how many those were."""


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
VERSION = f"{PREFIX}schema"
TRIAL = f"{PREFIX}trial"
