-- common: what several functions share. Loaded first; registers nothing.

-- The clock reading in ms: the server's own, or the one passed in where the namespace records virtual time (T2).
local function reading(passed)
  if passed ~= '' then return tonumber(passed) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Whole numbers as text: Lua would print large ones in scientific notation.
local function whole(number) return string.format('%.0f', number) end

-- The number behind `0-`.
local function place(id) return tonumber(string.match(id, '%-(%d+)$')) end

-- L3: equality of the whole token, counter and nonce; a counter alone may be issued twice after a lost tail (L2).
local function owns(owner, token) return redis.call('HGET', owner, 'token') == token end

-- `<attempt><r while running><l when nobody waits any more>` (E1).
local function attempt_of(text)
  if not text then return 0, '', '' end
  local number, running, late = string.match(text, '^(%d+)(r?)(l?)$')
  return tonumber(number), running, late
end

-- Appends what must be admitted to an inbox and counts it (M1). Ids are gapless and made here (design: Redis).
local function accept(inbox, backlog, actor, message, body, now)
  local id = redis.call('XADD', inbox, '0-*', 'a', actor, 'm', message, 'b', body, 't', whole(now))
  redis.call('HINCRBY', backlog, '*', 1)
  redis.call('HINCRBY', backlog, actor, 1)
  return place(id)
end

-- So many messages of the actor less to handle; an idle actor keeps no counter. The shard's own count is the caller's.
local function handled(backlog, actor, count)
  if redis.call('HINCRBY', backlog, actor, -count) <= 0 then redis.call('HDEL', backlog, actor) end
end

-- The owner's line: what every commit changes, in one field. Journal head, position read up to, number of parked actors, time
-- of the last sign of an owner, id of the last call of this claim and its verdicts. `-` stands for no call yet.
local function parse_line(line) return string.match(line, '^(%d+) (%d+) (%d+) (%d+) (%S+) (%S*)$') end

local function line_of(head, read, parked, alive, call, reply)
  return whole(head) .. ' ' .. whole(read) .. ' ' .. whole(parked) .. ' ' .. alive .. ' ' .. call .. ' ' .. reply
end
