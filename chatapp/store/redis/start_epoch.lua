-- Start a new epoch after the epoch `known`, unless another node has done so.
--
-- Answer: the epoch that is valid now.

local epoch, schema = KEYS[1], KEYS[2]
local known, new, schema_version = ARGV[1], ARGV[2], ARGV[3]

local current = call('GET', epoch)
if current and current ~= known and string.match(current, '^[%w_-]+$') then
  return current
end
redis.call('SET', epoch, new)
redis.call('SET', schema, schema_version)
return new
