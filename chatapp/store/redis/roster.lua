-- The names of a cluster, and the rooms in which each is listed. Each task is one atomic step.
--
-- These are the rules of chatapp/chat/people/ (usernames.py, presence.py), written a second time
-- for Redis. The tests of the rules (tests/chat/) run on both. Change both together.
--
-- scripts.py lists the keys. A record in `names` has these fields; times are Redis's own, in ms since
-- 1970:
--
--   user      the name as shown
--   entry     the name as sorted in its rooms: without case, NUL, as shown
--   likeness  the name's other key (names.py, `keys`); missing if it has none
--   holder    the connection that has the name; '' while the name is held for its owner
--   node      the node of that connection; '' while the name is held
--   token     the hash of the token that takes the name over; '' for none
--   hold      for how long the name is held when its connection breaks; 0: it isn't
--   ends      when the hold ends; 0 while a connection has the name
--   rooms     for each room, when the name leaves it unless its owner is back there; 0: it stays
--
-- A record that can't be parsed is an error of the request for its name, raised before anything is
-- changed. The keys `likenesses`, `users:`, `at:` and `due` follow from the records. One that has
-- a wrong type is skipped and noted, so that names go on. Only entering such a room is an error.
--
-- ARGV: the task, and its arguments as a map in MessagePack. All tasks have `node`, those for a
-- connection also `holder` and its name `folded` (as compared).
-- Answer: {the task's answer, notes of damage as in common.lua}.
-- MAX_LISTED comes from people/crowd.py, when the script is loaded.

local arguments = cmsgpack.unpack(ARGV[2])
local node, holder, folded = arguments.node, arguments.holder, arguments.folded
local names, nodes, due = PREFIX .. 'names', PREFIX .. 'nodes', PREFIX .. 'due'
local likenesses = PREFIX .. 'likenesses'
local epoch = call('GET', PREFIX .. 'epoch') or ''
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local BATCH_SIZE = 100 -- names that one call expires at most
local notes = {}

local function at_key(of_node)
  return PREFIX .. 'at:' .. of_node
end

local function users_key(room)
  return PREFIX .. 'users:' .. room
end

-- Return the answer, or note the damage and return nil.
local function or_note(answer, damage)
  notes[#notes + 1] = damage
  return answer
end

local function call_or_note(...)
  return or_note(try_call(...))
end

local function find(name)
  return unwrap(try_record(names, name))
end

local function find_or_note(name)
  return or_note(try_record(names, name))
end

-- Return when the node's lease ends; 0 if it has none.
local function lease_end(of_node)
  return tonumber(call('ZSCORE', nodes, of_node) or 0)
end

-- Publish a hint in a room, or to a node in the room `@NODE`.
local function publish(room, event, user, to, of_holder)
  local count = call_or_note('ZCARD', users_key(room)) or 0
  local hint = {'hint', epoch, event, count, user, to or '', of_holder or holder or ''}
  redis.call('PUBLISH', PREFIX .. 'said:' .. room, cmsgpack.pack(hint))
end

-- List a name in a room; return whether it wasn't listed before.
local function list(room, record)
  return call_or_note('ZADD', users_key(room), 0, record.entry) == 1
end

local function unlist(room, record)
  call_or_note('ZREM', users_key(room), record.entry)
end

local function leave_room(room, record)
  unlist(room, record)
  record.rooms[room] = nil
  publish(room, 'userLeft', record.user)
end

-- A name that is in the room by its record is listed again: the list may have been deleted.
local function enter_room(room, record)
  if list(room, record) then
    publish(room, 'userJoined', record.user)
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

-- Write a record, and when the next thing of it expires.
local function save(name, record)
  local first = record.holder == '' and record.ends or math.huge
  for _, deadline in pairs(record.rooms) do
    if deadline > 0 then
      first = math.min(first, deadline)
    end
  end
  redis.call('HSET', names, name, cmsgpack.pack(record))
  if first < math.huge then
    call_or_note('ZADD', due, first, name)
  else
    call_or_note('ZREM', due, name)
  end
end

local function delete_likeness(name, record)
  if record.likeness and call_or_note('HGET', likenesses, record.likeness) == name then
    redis.call('HDEL', likenesses, record.likeness)
  end
end

-- Remove a name from its rooms, and delete its record.
local function release(name, record)
  for _, room in ipairs(sorted(record.rooms)) do
    leave_room(room, record)
  end
  delete_likeness(name, record)
  redis.call('HDEL', names, name)
  call_or_note('ZREM', due, name)
  call_or_note('SREM', at_key(record.node), name)
end

-- Have the name leave its rooms a hold after `since`, unless its owner is back there.
local function set_deadlines(record, since)
  for room, deadline in pairs(record.rooms) do
    if deadline == 0 then
      record.rooms[room] = since + record.hold
    end
  end
end

-- The holder was disconnected at `since`. Return the record if the name is held, else nil.
local function hold_or_release(name, record, since)
  if record.hold == 0 then
    release(name, record)
    return nil
  end
  call_or_note('SREM', at_key(record.node), name)
  set_deadlines(record, since)
  record.holder, record.node, record.ends = '', '', since + record.hold
  save(name, record)
  return record
end

-- The lease of the holder's node ended at `since`. The node is told, as it may come back.
local function expire_holder(name, record, since)
  publish('@' .. record.node, 'nameLost', record.user, '', record.holder)
  return hold_or_release(name, record, since)
end

-- Apply what has expired of a name by now. Return the record, or nil if the name is free.
local function expire(name, record)
  if record.holder == '' and record.ends <= now then
    release(name, record)
    return nil
  end
  for _, room in ipairs(sorted(record.rooms)) do
    if record.rooms[room] > 0 and record.rooms[room] <= now then
      leave_room(room, record)
    end
  end
  save(name, record)
  return record
end

-- Return the record if the connection still has its name and its node has a lease, else nil.
local function own_record()
  local record = find(folded)
  if record and record.holder == holder and lease_end(node) > now then
    return record
  end
  return nil
end

-- Return the number of names in a room, and the first of them.
local function users_of(room)
  return {call('ZCARD', users_key(room)), call('ZRANGE', users_key(room), 0, MAX_LISTED - 1)}
end

-- Move the rooms of `old` to `new`. Where `new` is listed already, its owner is back there.
local function rename(old, new)
  for _, room in ipairs(sorted(old.rooms)) do
    unlist(room, old)
    if new.rooms[room] == nil then
      list(room, new)
      new.rooms[room] = old.rooms[room]
      publish(room, 'userRenamed', old.user, new.user)
    else
      if old.rooms[room] == 0 then
        new.rooms[room] = 0
      end
      publish(room, 'userLeft', old.user)
    end
  end
end

-- The connection of `record` loses its name to the one that had its token.
local function take_over(record)
  set_deadlines(record, now)
  call_or_note('SREM', at_key(record.node), folded)
  publish('@' .. record.node, 'takenOver', record.user, '', record.holder)
end

-- Move the rooms of the connection's previous name to `new`, and release that name.
local function give_up(previous, new)
  local record = previous ~= '' and previous ~= folded and find_or_note(previous)
  if record and record.holder == holder then
    rename(record, new)
    record.rooms = {}
    release(previous, record)
  end
end

-- Return the record of a name after what has expired, or nil if the name is free.
local function current_record(name, record)
  if record and record.holder ~= '' and arguments.may_expire_nodes then
    local lease = lease_end(record.node)
    if lease <= now then
      record = expire_holder(name, record, lease)
    end
  end
  return record and expire(name, record)
end

-- Return whether a name that the connection doesn't have has a key in common with the claimed name.
local function is_like_another(likeness)
  for _, key in ipairs({folded, likeness}) do
    for _, name in ipairs({key, call_or_note('HGET', likenesses, key) or key}) do
      local record = name ~= folded and current_record(name, find_or_note(name))
      if record and record.holder ~= holder and (name == key or record.likeness == key) then
        return true
      end
    end
  end
  return false
end

local tasks = {}

-- Give a name to the connection. `user` and `entry`: as in the record. `likeness`: the name's other
-- key, or `folded` if it has none. `known_hash`: the hash of
-- the token that was sent, if it fits the record; `new_hash`: of the token that is set otherwise.
-- `hold`: as in the record. `previous`: the name that the connection gives up, or ''. `rooms`: the
-- rooms that it is in. `may_expire_nodes`: whether a node without a lease is dead.
--
-- Answer: 'fits' or 'new', by the token that is valid now; 'taken'; 'lost' if the node has no lease.
function tasks.claim()
  if lease_end(node) <= now then
    return 'lost'
  end
  local likeness = arguments.likeness ~= folded and arguments.likeness or nil
  local current = current_record(folded, find(folded))
  local fits = current and current.token ~= '' and current.token == arguments.known_hash
  local is_own = current and current.holder == holder
  if current and not is_own and not fits then
    return 'taken'
  end
  if not (current and current.user == arguments.user) and is_like_another(likeness) then
    return 'taken'
  end

  local hold, token = arguments.hold, ''
  if hold > 0 then
    token = fits and arguments.known_hash or arguments.new_hash
  end
  local record = {
    user = arguments.user, entry = arguments.entry, likeness = likeness,
    holder = holder, node = node, token = token, hold = hold, ends = 0,
    rooms = {}
  }
  if current and not is_own and current.holder ~= '' then
    take_over(current)
  end
  if current and current.user == record.user then
    record.rooms = current.rooms
  elseif current then
    rename(current, record)
  end
  give_up(arguments.previous, record)
  for _, room in ipairs(arguments.rooms) do
    enter_room(room, record)
  end
  if current then
    delete_likeness(folded, current)
  end
  if likeness then
    call_or_note('HSET', likenesses, likeness, folded)
  end
  call_or_note('SADD', at_key(node), folded)
  save(folded, record)
  return fits and 'fits' or 'new'
end

-- Enter `room`. Answer: as users_of; nothing if the connection has lost its name.
function tasks.enter()
  local room, record = arguments.room, own_record()
  if not record then
    return false
  end
  call('ZCARD', users_key(room)) -- raises damage before anything is changed
  enter_room(room, record)
  save(folded, record)
  return users_of(room)
end

function tasks.users()
  return users_of(arguments.room)
end

function tasks.leave()
  local room, record = arguments.room, own_record()
  if record and record.rooms[room] then
    leave_room(room, record)
    save(folded, record)
  end
end

-- Be in `rooms`, and in no others.
function tasks.sync_rooms()
  local record, wanted = own_record(), {}
  if record then
    for _, room in ipairs(arguments.rooms) do
      enter_room(room, record)
      wanted[room] = true
    end
    for _, room in ipairs(sorted(record.rooms)) do
      if record.rooms[room] == 0 and not wanted[room] then
        leave_room(room, record)
      end
    end
    save(folded, record)
  end
end

-- The connection has ended. `is_clean`: by the client, so that its name isn't held.
function tasks.disconnected()
  local record = find(folded)
  if record and record.holder == holder then
    if arguments.is_clean then
      release(folded, record)
    else
      hold_or_release(folded, record, now)
    end
  end
end

-- Answer: whether others in `room` are told what the client does. It must have its name, and the
-- room must not be a crowd.
function tasks.may_announce()
  return own_record() and call('ZCARD', users_key(arguments.room)) <= MAX_LISTED
end

-- Start this node's lease, of `lease` ms.
function tasks.start_lease()
  call('ZADD', nodes, now + arguments.lease, node)
end

-- Renew it. Answer: 1, or 0 if other nodes have found it ended.
function tasks.renew_lease()
  if lease_end(node) == 0 then
    return 0
  end
  tasks.start_lease()
  return 1
end

-- Apply what has expired of some names. Answer: how many those are.
function tasks.expire_due()
  local found = call_or_note('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, BATCH_SIZE) or {}
  for _, name in ipairs(found) do
    local record = find_or_note(name)
    if record then
      expire(name, record)
    else
      redis.call('ZREM', due, name)
    end
  end
  return #found
end

-- Expire some holders of a node whose lease ended at `since`. Answer: how many those are.
local function expire_holders(dead, since)
  local found = call_or_note('SRANDMEMBER', at_key(dead), BATCH_SIZE) or {}
  for _, name in ipairs(found) do
    local record = find_or_note(name)
    if record and record.node == dead then
      expire_holder(name, record, since)
    else
      redis.call('SREM', at_key(dead), name)
    end
  end
  if #found < BATCH_SIZE then
    redis.call('ZREM', nodes, dead)
  end
  return #found
end

-- Expire some holders of one node whose lease has ended. Answer: how many those are. A node that
-- has no lease itself expires none: its request may have been delayed for longer than all leases.
function tasks.expire_node()
  if lease_end(node) <= now then
    return 0
  end
  for _, dead in ipairs(redis.call('ZRANGEBYSCORE', nodes, '-inf', now, 'LIMIT', 0, 2)) do
    if dead ~= node then
      return expire_holders(dead, lease_end(dead))
    end
  end
  return 0
end

-- This node stops. Expire some of its holders; answer: how many those are.
function tasks.stop_node()
  return expire_holders(node, now)
end

return {tasks[ARGV[1]]() or false, notes}
