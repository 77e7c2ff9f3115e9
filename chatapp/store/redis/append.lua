-- Append a message, unless its key is known.
--
-- Answer: {status, number, fields}. The statuses are those of AppendStatus (log.py):
--    1  appended
--    0  a duplicate: number and fields are those of the first message with this key
--   -1  Redis is in another epoch, or has lost messages up to `delivered`
--   -2  `holder` no longer has the name, or its node has no lease
--
-- Messages up to `max_count` before the newest are kept, and those since `cutoff`. Times are in ms
-- since 1970. An empty key or holder isn't checked.

local log, keys, newest, epoch, names, nodes = unpack(KEYS)
local room, user, message, key, folded = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local now, max_count, cutoff = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local channel, known_epoch, delivered = ARGV[9], ARGV[10], tonumber(ARGV[11])
local holder = ARGV[12]
local APPENDED, DUPLICATE, EPOCH_LOST, NAME_LOST = 1, 0, -1, -2

local number, at = newest_of(newest, room)
if call('GET', epoch) ~= known_epoch or number < delivered then
  return {EPOCH_LOST, 0, {}}
end

if holder ~= '' then
  local record, time = unwrap(try_record(names, folded)), redis.call('TIME')
  local lease = record and call('ZSCORE', nodes, record.node)
  if not lease or record.holder ~= holder or tonumber(lease) <= tonumber(time[1]) * 1000 then
    return {NAME_LOST, 0, {}}
  end
end

local known = key ~= '' and call('HGET', keys, folded .. ' ' .. key)
if known and not string.match(known, '^%d+$') then
  unwrap(nil, 'HVALS ' .. keys .. ' | a field of ' .. keys .. " isn't a message's number")
end
if known and tonumber(known) > number - max_count then
  local entry = call('XRANGE', log, known .. '-0', known .. '-0')[1]
  local appended_at = entry and tonumber(entry[2][2])
  if entry and not appended_at then
    unwrap(nil, 'XRANGE ' .. log .. ' ' .. known .. ' ' .. known .. ' | the message ' .. known ..
      ' of ' .. log .. ' lacks a field, or has a wrong one')
  elseif entry and appended_at >= cutoff then
    return {DUPLICATE, known, entry[2]}
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
local event = {'newmsg', known_epoch, number, at, user, message, key}
redis.call('PUBLISH', channel, cmsgpack.pack(event))
return {APPENDED, number, fields}
