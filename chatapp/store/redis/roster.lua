-- Who has which name, and in which rooms: what Redis does in one step for RedisRoster.
--
--   chatapp:names       a hash: for each name as it is compared, its record in MessagePack
--   chatapp:users:ROOM  a sorted set: the names in a room, each as its record's `entry`
--   chatapp:nodes       a sorted set: each node, and when its lease ends
--   chatapp:at:NODE     a set: the names, as they are compared, whose holders are at that node
--   chatapp:due         a sorted set: the names of which something ends, and when
--
-- A record's `user` is the name as shown; `entry`: without case, NUL, and as shown, so that they are
-- sorted; `holder`: the connection that has it, or '' while it's held for one; `node`: where that
-- is; `token`: the hash of what takes it over, or ''; `hold`: for how long it's held, or 0; `ends`:
-- until when, while it is; `rooms`: for each the time until which it waits there for its holder to
-- be back, or 0. Times are Redis's own, in ms since 1970.
--
-- A record that can't be read is an error of the request for its name, found before anything is
-- changed. `users`, `at` and `due` are lists that follow from the records: one that is of a wrong
-- type is left out and noted, so that names go on. Only entering such a room is an error.
--
-- Arguments: what to do, this node, the connection for which it's done, and what `tasks` say.
-- Answer: what the task answers, and notes of damaged keys (`noted` in damage.py).

local node, holder = ARGV[2], ARGV[3]
local prefix = 'chatapp:'
local names, nodes, due = prefix .. 'names', prefix .. 'nodes', prefix .. 'due'
local epoch = call('GET', prefix .. 'epoch') or ''
local notes = {}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local CROWD, AT_ONCE = 200, 100

local function at(some_node)
  return prefix .. 'at:' .. some_node
end

local function users(room)
  return prefix .. 'users:' .. room
end

-- The answer, or nil where something is damaged, which is noted.
local function noted(answer, damage)
  notes[#notes + 1] = damage
  return answer
end

local function try(...)
  return noted(attempt(...))
end

local function find(folded)
  return checked(record_of(names, folded))
end

local function try_to_find(folded)
  return noted(record_of(names, folded))
end

local function lease_of(some_node)
  return tonumber(call('ZSCORE', nodes, some_node) or 0)
end

-- A hint to those who hear a room, or to a node.
local function tell(channel, event, user, to, whose)
  local count = try('ZCARD', users(channel)) or 0
  local hint = {'hint', epoch, event, count, user, to or '', whose or holder}
  redis.call('PUBLISH', prefix .. 'said:' .. channel, cmsgpack.pack(hint))
end

-- Whether it wasn't listed there.
local function list(room, record)
  return try('ZADD', users(room), 0, record.entry) == 1
end

local function strike(room, record)
  try('ZREM', users(room), record.entry)
end

local function leave(room, record)
  strike(room, record)
  record.rooms[room] = nil
  tell(room, 'userLeft', record.user)
end

-- It is listed even if it is in the room by its record: the list may have been deleted.
local function enter(room, record)
  if list(room, record) then
    tell(room, 'userJoined', record.user)
  end
  record.rooms[room] = 0
end

local function sorted(rooms)
  local found = {}
  for room in pairs(rooms) do
    found[#found + 1] = room
  end
  table.sort(found)
  return found
end

local function keep(folded, record)
  local first = record.holder == '' and record.ends or math.huge
  for _, waits in pairs(record.rooms) do
    if waits > 0 then
      first = math.min(first, waits)
    end
  end
  redis.call('HSET', names, folded, cmsgpack.pack(record))
  if first < math.huge then
    try('ZADD', due, first, folded)
  else
    try('ZREM', due, folded)
  end
end

local function free(folded, record)
  for _, room in ipairs(sorted(record.rooms)) do
    leave(room, record)
  end
  redis.call('HDEL', names, folded)
  try('ZREM', due, folded)
  try('SREM', at(record.node), folded)
end

-- Its rooms wait for its holder, who has gone at `since`.
local function await(record, since)
  for room, waits in pairs(record.rooms) do
    if waits == 0 then
      record.rooms[room] = since + record.hold
    end
  end
end

-- Its holder has gone at `since`: the record, if it's held, or nothing.
local function break_off(folded, record, since)
  if record.hold == 0 then
    free(folded, record)
    return nil
  end
  try('SREM', at(record.node), folded)
  await(record, since)
  record.holder, record.node, record.ends = '', '', since + record.hold
  keep(folded, record)
  return record
end

-- Its holder's node is dead, or was too long away and is to hear of it.
local function bury(folded, record, since)
  tell('@' .. record.node, 'nameLost', record.user, '', record.holder)
  return break_off(folded, record, since)
end

-- What of it has ended by now is over: the record, if it's still somebody's.
local function settle(folded, record)
  if record.holder == '' and record.ends <= now then
    free(folded, record)
    return nil
  end
  for _, room in ipairs(sorted(record.rooms)) do
    if record.rooms[room] > 0 and record.rooms[room] <= now then
      leave(room, record)
    end
  end
  keep(folded, record)
  return record
end

-- The record, if its holder is who asks, at a node whose lease hasn't ended.
local function own(folded)
  local record = find(folded)
  if record and record.holder == holder and lease_of(node) > now then
    return record
  end
  return nil
end

-- How many are in a room, and the first of them.
local function people(room)
  return {call('ZCARD', users(room)), call('ZRANGE', users(room), 0, CROWD - 1)}
end

-- Who had `record` has it by another name: those in its rooms hear so, unless it's there already.
local function rename(record, its)
  for _, room in ipairs(sorted(record.rooms)) do
    strike(room, record)
    if its.rooms[room] == nil then
      list(room, its)
      its.rooms[room] = record.rooms[room]
      tell(room, 'userRenamed', record.user, its.user)
    else
      if record.rooms[room] == 0 then
        its.rooms[room] = 0
      end
      tell(room, 'userLeft', record.user)
    end
  end
end

local tasks = {}

-- Give a name to who asks, who is in `rooms`: whether its token fits; or why not. `known`: the hash
-- of its token, if that is known to fit; `new`: of another; `hold`: ms for which it's to be held, or
-- 0; `before`: the name that it gives up, or ''; `may_bury`: whether a node without a lease is dead.
function tasks.claim(folded, user, entry, known, new, hold, before, may_bury, ...)
  if lease_of(node) <= now then
    return 'lost'
  end
  local there = find(folded)
  if there and there.holder ~= '' and lease_of(there.node) <= now and may_bury == '1' then
    there = bury(folded, there, lease_of(there.node))
  end
  there = there and settle(folded, there)
  local fits = there and there.token ~= '' and there.token == known
  local is_own = there and there.holder == holder
  if there and not is_own and not fits then
    return 'taken'
  end
  local its = {user = user, entry = entry, node = node, holder = holder, ends = 0, rooms = {}}
  its.hold = tonumber(hold)
  its.token = its.hold == 0 and '' or fits and known or new
  if there and not is_own and there.holder ~= '' then
    await(there, now)
    try('SREM', at(there.node), folded)
    tell('@' .. there.node, 'takenOver', there.user, '', there.holder)
  end
  if there and there.user == user then
    its.rooms = there.rooms
  elseif there then
    rename(there, its)
  end
  local previous = before ~= '' and before ~= folded and try_to_find(before)
  if previous and previous.holder == holder then
    rename(previous, its)
    previous.rooms = {}
    free(before, previous)
  end
  for _, room in ipairs({...}) do
    enter(room, its)
  end
  try('SADD', at(node), folded)
  keep(folded, its)
  return fits and 'fits' or 'new'
end

-- Be in a room: who is there; or nothing, where the name isn't its own any more.
function tasks.enter(folded, room)
  local record = own(folded)
  if not record then
    return false
  end
  call('ZCARD', users(room)) -- which fails before anything is changed
  enter(room, record)
  keep(folded, record)
  return people(room)
end

tasks.users = people

function tasks.leave(folded, room)
  local record = own(folded)
  if record and record.rooms[room] then
    leave(room, record)
    keep(folded, record)
  end
end

-- Be in `rooms`, and in no other.
function tasks.be_in(folded, ...)
  local record, there = own(folded), {}
  if record then
    for _, room in ipairs({...}) do
      enter(room, record)
      there[room] = true
    end
    for _, room in ipairs(sorted(record.rooms)) do
      if record.rooms[room] == 0 and not there[room] then
        leave(room, record)
      end
    end
    keep(folded, record)
  end
end

-- The connection has ended, perhaps with a goodbye.
function tasks.gone(folded, is_goodbye)
  local record = find(folded)
  if record and record.holder == holder then
    if is_goodbye == '1' then
      free(folded, record)
    else
      break_off(folded, record, now)
    end
  end
end

-- Whether others in a room are told what a client does: it has its name, and the room is no crowd.
function tasks.may_announce(folded, room)
  return own(folded) and call('ZCARD', users(room)) <= CROWD
end

-- A lease for this node, of so many ms.
function tasks.begin(lease)
  call('ZADD', nodes, now + lease, node)
end

-- The same for another such time: whether nobody has taken it for dead.
function tasks.renew(lease)
  if lease_of(node) == 0 then
    return 0
  end
  tasks.begin(lease)
  return 1
end

-- End what is due, of some names: of how many.
function tasks.settle()
  local found = try('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, AT_ONCE) or {}
  for _, folded in ipairs(found) do
    local record = try_to_find(folded)
    if record then
      settle(folded, record)
    else
      redis.call('ZREM', due, folded)
    end
  end
  return #found
end

-- Let go of some names of a node that is dead since then: of how many.
local function bury_node(dead, since)
  local found = try('SRANDMEMBER', at(dead), AT_ONCE) or {}
  for _, folded in ipairs(found) do
    local record = try_to_find(folded)
    if record and record.node == dead then
      bury(folded, record, since)
    else
      redis.call('SREM', at(dead), folded)
    end
  end
  if #found < AT_ONCE then
    redis.call('ZREM', nodes, dead)
  end
  return #found
end

-- Let go of some names of a node without a lease, unless this one has none, either, as when this was
-- stuck on its way: of how many.
function tasks.bury()
  if lease_of(node) <= now then
    return 0
  end
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', nodes, '-inf', now, 'LIMIT', 0, 2)) do
    if dead ~= node then
      return bury_node(dead, lease_of(dead))
    end
  end
  return 0
end

-- This node ends.
function tasks.quit()
  return bury_node(node, now)
end

return {tasks[ARGV[1]](unpack(ARGV, 4)) or false, notes}
