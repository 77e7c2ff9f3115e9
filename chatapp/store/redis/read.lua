-- Read at most `count` messages with the numbers `low` to `high`; the last ones if `is_backward`.
--
-- Answer: {epoch, messages}, in the order of reading. Messages up to `max_count` before the newest
-- are kept.

local log, newest, epoch = unpack(KEYS)
local room, low, high, max_count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local count, is_backward = ARGV[5], ARGV[6] == '1'

local number = newest_of(newest, room)
low = math.max(low, number - max_count + 1)
local from, to, found = string.format('%.0f-0', low), string.format('%.0f-0', high), {}
if low <= high and is_backward then
  found = call('XREVRANGE', log, to, from, 'COUNT', count)
elseif low <= high then
  found = call('XRANGE', log, from, to, 'COUNT', count)
end
return {call('GET', epoch) or '', found}
