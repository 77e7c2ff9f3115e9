-- What all scripts share: commands over one key, and how they report a damaged one.
--
-- A key is damaged if it has a wrong type, or a field of it can't be parsed. A script reports that
-- as `command | fault`: the command for redis-cli that shows it, and the fault in words. Neither
-- contains text that a client chose, except for a room's name. The error of a request is raised
-- before the script has written anything, as `DAMAGED command | fault` (damage.py).

-- Run a command over one key. Return its answer, or nil and the damage.
local function try_call(command, key, ...)
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

-- Return `answer`, or raise the damage.
local function unwrap(answer, damage)
  if damage then
    error({err = 'DAMAGED ' .. damage})
  end
  return answer
end

local function call(...)
  return unwrap(try_call(...))
end

-- Return the number and the time (ms) of a room's newest message.
local function newest_of(newest, room)
  local found = call('HGET', newest, room)
  local number, at = string.match(found or '0 0', '^(%d+) (%d+)$')
  if not number or #number > 16 then
    unwrap(nil, 'HGET ' .. newest .. ' ' .. room .. ' | the field ' .. room .. ' of ' .. newest ..
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
  for room, deadline in pairs(record.rooms) do
    if not is_text(room) or type(deadline) ~= 'number' then
      return false
    end
  end
  if record.likeness ~= nil and not is_text(record.likeness) then
    return false
  end
  return is_text(record.user) and is_text(record.entry) and is_text(record.node) and
    is_text(record.holder) and is_text(record.token) and type(record.hold) == 'number' and
    type(record.ends) == 'number'
end

-- Return the record of a name, nil if there is none, or nil and the damage.
local function try_record(names, folded)
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
