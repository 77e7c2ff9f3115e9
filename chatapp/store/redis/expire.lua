-- Delete at most `count` expired messages of a room.
--
-- Answer: how many were deleted. Messages up to `max_count` before the newest are kept, and those
-- since `cutoff` (ms since 1970). A message without a time expires by count only.

local log, keys, newest = KEYS[1], KEYS[2], KEYS[3]
local room, max_count, cutoff, count = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]

local number = newest_of(newest, room)
local deleted = 0
for _, entry in ipairs(call('XRANGE', log, '-', '+', 'COUNT', count)) do
  local id = string.match(entry[1], '^%d+')
  local at, key, folded = tonumber(entry[2][2]), entry[2][8] or '', entry[2][10] or ''
  local is_among_newest = tonumber(id) > number - max_count
  if is_among_newest and at and at >= cutoff then
    break
  elseif at or not is_among_newest then
    local name = folded .. ' ' .. key
    if key ~= '' and call('HGET', keys, name) == id then
      call('HDEL', keys, name)
    end
    redis.call('XDEL', log, entry[1])
    deleted = deleted + 1
  end
end
return deleted
