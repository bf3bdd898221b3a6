-- common: what several functions share. Loaded first; registers nothing. LIBRARY, LIBRARY_HASH and LIBRARY_SUFFIX stand before it:
-- library.ts.
--
-- Every transition runs through here, and a callgrind count of it reads: 7,000 instructions per redis.call and 5,000 more where
-- it writes (the append-only file), 4,000 per string.format, 1,000 per tonumber, 500 per capture of a pattern and 100 per
-- character that it runs over, 10 per character that enters Lua (Redis hashes every one).
-- Hence: numbers stay texts where nothing is computed, what one step changes of a thing stands in one field, and long texts
-- come as arguments of their own, put together where they are needed.

-- Full name of a function: two versions of the library stand side by side while workers are replaced. It ends with the hash, so
-- that no call is executed by another library that stands under the name of ours.
local function named(name) return LIBRARY .. '_' .. name .. '_' .. LIBRARY_SUFFIX end

-- The clock reading in ms: the server's own, or the one passed in where the namespace records virtual time (T2).
local function reading(passed)
  if passed ~= '' then return tonumber(passed) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end

-- Whole numbers as text (a fraction is cut): Lua would print large ones in scientific notation. Small ones are remembered.
local small = {}
local function whole(number)
  local text = small[number]
  if not text then
    text = string.format('%d', number)
    if number >= -100 and number <= 100 then small[number] = text end
  end
  return text
end

-- The other way round: what a text of digits says. Most are places and small counts.
local counts = {}
for n = 0, 127 do counts[n .. ''] = n end
local function number(text) return counts[text] or tonumber(text) end

-- The number behind `0-`.
local function place(id) return tonumber(string.sub(id, 3)) end

-- C1: Redis judges the commands of a function one by one, as it comes to them, and takes nothing back: a right withdrawn from a
-- running worker would leave half a commit. So a function asks before its first write for what it may come to behind it, but for
-- what it has used by then; 140 ns each. A command needs its key in the second place and room for two more words. The reply of
-- the refusal, or nil.
local function may(...) return redis.acl_check_cmd(...) end
local function refusal(what)
  return redis.error_reply('NOPERM this user may not run ' .. what .. ', which the function needs; nothing was written')
end
local function denied(key, ...)
  local may = redis.acl_check_cmd
  for i = 1, select('#', ...) do
    local name = select(i, ...)
    if not may(name, key, '', '') then return refusal(name) end
  end
end

-- L3: equality of the whole token, counter and nonce; a counter alone may be issued twice after a lost tail (L2).
local function owns(owner, token) return redis.call('HGET', owner, 'token') == token end

-- `<attempt><r while running><l when nobody waits any more>` (E1).
local function attempt_of(text)
  if not text then return 0, '', '' end
  local attempt, running, late = string.match(text, '^(%d+)(r?)(l?)$')
  return tonumber(attempt), running, late
end

-- Appends what must be admitted to an inbox and counts it, for the shard and for the actor (M1). Ids are gapless and made here
-- (design: Redis). An entry is two fields, since each costs every reader: `h`, `time digest actor|message id`, the digest of a
-- caller's command or -, and `b`, the body. Nil, with nothing written, where there is no inbox: `found` alone makes one.
local function accept(inbox, backlog, actor_key, actor, message, body, now)
  local id = redis.call('XADD', inbox, 'NOMKSTREAM', '0-*', 'h', now .. ' - ' .. actor .. '|' .. message, 'b', body)
  if not id then return nil end
  redis.call('INCRBY', backlog, '1')
  redis.call('HINCRBY', actor_key, 'open', '1')
  return string.sub(id, 3)
end

-- Head of a journal entry: kind, token, time, actor and its sequence (or worker and 0), and the id of the message that caused
-- it. The body stands in `b`, the dedupe record with what its caller is answered in `r`.
local function entry_head(kind, token, now, who, sequence, message)
  local head = kind .. ' ' .. token .. ' ' .. now .. ' ' .. who .. ' ' .. sequence
  if message == '' then return head end
  return head .. ' ' .. message
end

-- The owner's line: what every commit changes, in one field. Journal head, id of the last call of this claim, position read up
-- to, number of parked actors, time of the last sign of an owner, verdicts of that call. `-` stands for no call yet. All texts.
local function parse_line(line) return string.match(line, '^(%d+) (%S+) (%d+) (%d+) (%d+) (%S*)$') end

local function line_of(head, id, read, parked, alive, reply)
  return head .. ' ' .. id .. ' ' .. read .. ' ' .. parked .. ' ' .. alive .. ' ' .. reply
end

-- What stands of a parked actor: how it is treated, how often owners have resumed that over the message that is next, and the
-- cause. P: nothing is done. V: it is redriven. X<position>: what was accepted before that position is discarded, what came
-- later redriven. `V+1 {…}` has been resumed once.
local function treatment(text)
  if not text then return nil end
  local how, tries, why = string.match(text, '^(%u%d*)%+?(%d*) (.*)$')
  return how, tonumber(tries) or 0, why
end
local function treated(how, tries, why) return how .. (tries > 0 and '+' .. tries or '') .. ' ' .. why end
