-- commit: make steps of actors of one shard durable, each as a whole or not at all (C1, C4).
--
-- KEYS   1 owner    2 inbox    3 journal    4 backlog    5 dedupe    6 parked    7.. the groups that ARGV 1 places, and keys that steps name by
--        their place in KEYS
-- ARGV   1 head of the call, fields apart by a space: token, call id, journal head expected, worker's estimate of the clock,
--        number of steps, then the places of timers (timers, rows, resumable), of effects (effects, attempts), of the outbox
--        (outbox, lanes out) and of the list of actors; 0 for a group that no step needs
--        2 clock reading or ''    3.. the steps, each:
--        head of the step, fields apart by a space: kind, actor, place of {actor, positions}, cause, generation or -, sequence
--        expected and sequence after, place of the waiting list or 0, whether an answer follows, number of lists, places of state sets left and of
--        state sets entered (apart by a comma, - for none), cause id, and of a message: when it was accepted and digest of its command (- where no
--        caller waits), message id
--          kind   C created (its message is still being stepped) | M moved | R refused | P parked | Q queued behind a parked actor
--                 | D duplicate | V redriving | X discarded | L late outcome
--          cause  I inbox | T timer | W waiting | E effect
--        snapshot, record, journal body, then the answer if one follows, then entry to keep and cause of parking if
--        there is a waiting list, then per list its letter, its number of items and the items:
--          t timer set (member, generation, due, resume policy and delay or '', event) | c timer cleared (member, generation)
--          | f effect (key, due, record) | x effect stopped (key) | s message sent (lane, actor, message id, body)
--          | o message to the own inbox (place of the actor, actor, message id, body)
-- Reply  'OK head verdict,verdict,…' | 'FENCED' | 'REWOUND head'
--        verdicts: COMMITTED, DUPLICATE (acknowledged), CONFLICT, GONE, EARLY, PARKED, SKIPPED (an earlier step of the actor was refused)
-- Cost   O(what the steps carry); at most 100 steps and 1 MB
--
-- Every check of every step comes before the first write: Redis does not roll back (redis.io, "Redis functions").

-- Few arguments: each costs Redis, and the client, as much as a hundred bytes.
local widths = { t = 5, c = 2, f = 3, x = 1, s = 4, o = 4 }
local step_head = '^(%u) (%S+) (%d+) (%u) (%S+) (%d+) (%d+) (%d+) (%d) (%d+) (%S+) (%S+) (.*)$'

local function parse_step(args, at)
  local kind, actor, key, cause, generation, before, after, waiting, answered, lists, left, entered, id = string.match(args[at], step_head)
  local step = {
    kind = kind, actor = actor, key = tonumber(key), cause = cause, generation = generation, before = before, after = after,
    left = left, entered = entered, id = id, snapshot = args[at + 1], record = args[at + 2], body = args[at + 3],
    waiting = false, message = false, asked = false, answer = false, entry = false, why = false, position = false, place = false,
  }
  at = at + 4
  if cause == 'I' or cause == 'W' then step.id, step.asked, step.message = string.match(id, '^(%S+) (%S+ %S+) (.+)$') end
  if answered == '1' then
    step.answer = args[at]
    at = at + 1
  end
  if waiting ~= '0' then
    step.waiting, step.entry, step.why = tonumber(waiting), args[at], args[at + 1]
    at = at + 2
  end
  if lists ~= '0' then
    for _ = 1, tonumber(lists) do
      local letter, count = args[at], tonumber(args[at + 1])
      step[letter] = { at + 2, at + 1 + count * widths[letter] }
      at = at + 2 + count * widths[letter]
    end
  end
  if cause == 'I' then
    step.place = string.sub(step.id, 3)
    step.position = tonumber(step.place)
  end
  return step, at
end

-- What is stored of an actor: its line (sequence, last entry handled, time of the last step) and its open messages. `last` and
-- `sequence` run ahead as steps are judged; `handled` and `open` follow as they are written.
local function stored_actor(k, step)
  local facts = redis.call('HMGET', k[step.key], 'line', 'open')
  local sequence, last, at = '0', '0', '0'
  if facts[1] then sequence, last, at = string.match(facts[1], '^(%d+) (%d+) (%d+)$') end
  return {
    sequence = sequence, last = tonumber(last), handled = last, at = at, open = tonumber(facts[2] or '0'), refused = false,
    parked = k.parked_count > 0 and redis.call('HEXISTS', k.parked, step.actor) == 1, used = false, waiting = false,
  }
end

-- What a step will do to the parking of its actor, for the steps that follow it in this call.
local function foresee_parking(k, step, actor)
  actor.waiting = actor.waiting or redis.call('LLEN', k[step.waiting])
  if step.kind == 'P' or step.kind == 'Q' then
    actor.parked = true
    if step.cause == 'I' then actor.waiting = actor.waiting + 1 end
  elseif step.kind == 'V' or step.kind == 'X' then
    actor.parked = actor.waiting > 0
  elseif step.cause == 'W' then
    actor.waiting = actor.waiting - 1
    actor.parked = actor.waiting > 0
  end
end

-- One step's verdict, before anything is written. `seen` carries what earlier steps of this call will have done to the actor.
local function judge(k, step, seen, clock)
  local actor = seen[step.actor]
  if not actor then
    actor = stored_actor(k, step)
    seen[step.actor] = actor
  end
  if actor.refused then return 'SKIPPED' end

  if actor.used and actor.used[step.id] then return 'GONE' end -- An earlier step of this call uses up the same cause.
  if step.cause == 'I' then
    if step.position <= actor.last then return 'DUPLICATE' end -- M2
  elseif step.cause == 'T' then
    local row = redis.call('HGET', k.rows, step.id)
    if not row or string.match(row, '^(%S+) ') ~= step.generation then return 'GONE' end
    if tonumber(redis.call('ZSCORE', k.timers, step.id) or '0') > reading(clock) then return 'EARLY' end -- T1
  elseif step.cause == 'W' then
    local first = redis.call('LINDEX', k[step.waiting], 0)
    if not first or string.match(first, '^(%S+) ') ~= step.id then return 'GONE' end
  elseif step.cause == 'E' then
    local number = attempt_of(redis.call('HGET', k.attempts, step.id))
    if redis.call('HEXISTS', k.effects, step.id) == 0 or number ~= tonumber(step.generation) then return 'GONE' end
  end

  local kind = step.kind
  if kind == 'D' then return 'CONFLICT' end -- Not a duplicate after all: the owner's copy is stale.
  if actor.sequence ~= step.before then return 'CONFLICT' end
  if actor.parked and step.cause ~= 'W' and kind ~= 'Q' and kind ~= 'V' and kind ~= 'X' and kind ~= 'L' then return 'PARKED' end
  if kind == 'Q' and not actor.parked then return 'CONFLICT' end

  actor.sequence = step.after
  if kind == 'C' then return 'COMMITTED' end -- Its message is stepped next: nothing is used up yet.
  if step.cause == 'I' then
    actor.last = step.position
  else
    actor.used = actor.used or {}
    actor.used[step.id] = true
  end
  if step.waiting then foresee_parking(k, step, actor) end
  return 'COMMITTED'
end

local function write_timers(k, args, step)
  local cleared = step.c
  if cleared then
    for i = cleared[1], cleared[2], 2 do
      local row = redis.call('HGET', k.rows, args[i])
      if row and string.match(row, '^(%S+) ') == args[i + 1] then
        redis.call('ZREM', k.timers, args[i])
        redis.call('HDEL', k.rows, args[i])
        redis.call('HDEL', k.resumable, args[i])
      end
    end
  end
  local set = step.t
  if set then
    for i = set[1], set[2], 5 do
      redis.call('ZADD', k.timers, args[i + 2], args[i])
      redis.call('HSET', k.rows, args[i], args[i + 1] .. ' ' .. args[i + 4])
      if args[i + 3] ~= '' then redis.call('HSET', k.resumable, args[i], args[i + 3]) else redis.call('HDEL', k.resumable, args[i]) end
    end
  end
end

local function write_effects(k, args, step)
  local stops = step.x
  if stops then
    for i = stops[1], stops[2] do
      local number, running = attempt_of(redis.call('HGET', k.attempts, args[i]))
      if number == 0 then -- Never tried: nothing outside knows of it.
        redis.call('HDEL', k.effects, args[i])
        redis.call('ZREM', k.timers, 'e|' .. args[i])
      else -- It runs to its outcome, which is then late (E1).
        redis.call('HSET', k.attempts, args[i], whole(number) .. running .. 'l')
      end
    end
  end
  local effects = step.f
  if effects then
    for i = effects[1], effects[2], 3 do
      redis.call('HSET', k.effects, args[i], args[i + 2])
      redis.call('ZADD', k.timers, args[i + 1], 'e|' .. args[i])
    end
  end
end

local function write_messages(k, args, step, seen, token, now)
  local sends = step.s
  if sends then
    for i = sends[1], sends[2], 4 do
      -- M3: the record names its predecessor on the lane, so that the receiver sees a gap.
      local before = redis.call('HGET', k.lanes_out, args[i]) or ''
      local before_token, before_n = string.match(before, '^(.*)|(%d+)$')
      local n = before_token == token and tonumber(before_n) + 1 or 1
      redis.call('HSET', k.lanes_out, args[i], token .. '|' .. whole(n))
      redis.call('XADD', k.outbox, '0-*', 'l', args[i], 't', token, 'n', whole(n), 'p', before, 'a', args[i + 1], 'm', args[i + 2],
        'b', args[i + 3], 'c', now)
    end
  end
  local own = step.o
  if own then
    for i = own[1], own[2], 4 do
      accept(k.inbox, k.backlog, k[tonumber(args[i])], args[i + 1], args[i + 2], args[i + 3], now)
      local actor = seen[args[i + 1]]
      if actor then actor.open = actor.open + 1 end
    end
  end
end

-- How many actors are parked is known to every commit, so that one without any need not ask for each. How they are treated is
-- stored beside the cause, for the next owner to go on with (M5).
local function park(k, actor, why) k.parked_count = k.parked_count + redis.call('HSET', k.parked, actor, treated('P', 0, why)) end
local function treat(k, actor, how)
  local _, _, why = treatment(redis.call('HGET', k.parked, actor))
  redis.call('HSET', k.parked, actor, treated(how, 0, why))
end
local function unpark(k, actor) k.parked_count = k.parked_count - redis.call('HDEL', k.parked, actor) end

-- The cause is used up: removed or taken off the waiting list.
local function consume(k, step)
  if step.cause == 'T' and step.kind ~= 'P' then
    redis.call('ZREM', k.timers, step.id)
    redis.call('HDEL', k.rows, step.id)
    redis.call('HDEL', k.resumable, step.id)
  elseif step.cause == 'W' and step.kind ~= 'P' then
    redis.call('LPOP', k[step.waiting])
    if redis.call('LLEN', k[step.waiting]) == 0 then
      unpark(k, step.actor) -- M5
    else
      local how, tries = treatment(redis.call('HGET', k.parked, step.actor))
      if how and tries > 0 then treat(k, step.actor, how) end -- It was not this message that ended the owners before us.
    end
  elseif step.cause == 'E' then
    redis.call('HDEL', k.effects, step.id)
    redis.call('HDEL', k.attempts, step.id)
    redis.call('ZREM', k.timers, 'e|' .. step.id)
  end
end

-- M5: what happens to a parked actor and its waiting entries.
local function write_parking(k, step)
  local kind, waiting = step.kind, k[step.waiting]
  if kind == 'P' then
    park(k, step.actor, step.why)
    if step.cause == 'I' then redis.call('RPUSH', waiting, step.entry) end
  elseif kind == 'Q' then
    redis.call('RPUSH', waiting, step.entry)
  elseif (kind == 'V' or kind == 'X') and redis.call('LLEN', waiting) == 0 then
    unpark(k, step.actor)
  elseif kind == 'V' or kind == 'X' then
    treat(k, step.actor, kind == 'V' and 'V' or 'X' .. step.place)
  end
end

local function write_index(k, step, now)
  if step.left ~= '-' then for at in string.gmatch(step.left, '%d+') do redis.call('ZREM', k[tonumber(at)], step.actor) end end
  if step.entered ~= '-' then for at in string.gmatch(step.entered, '%d+') do redis.call('ZADD', k[tonumber(at)], now, step.actor) end end
end

-- The cause was a message, and the actor has handled it: not where it is kept for later, nor where the next step takes it up.
local function handles(step)
  local kind = step.kind
  return (step.cause == 'I' or step.cause == 'W') and kind ~= 'C' and kind ~= 'P' and kind ~= 'Q'
end

local function write_actor(k, step, actor, now, moves)
  local key = k[step.key]
  if moves then
    actor.at = now
    redis.call('HSET', key, 'line', step.after .. ' ' .. actor.handled .. ' ' .. now, 'open', whole(actor.open), 'snap', step.snapshot,
      'rec', step.record)
    if step.before == '0' then redis.call('ZADD', k.actors, now, step.actor) end
    write_index(k, step, now)
    return
  end
  if step.record ~= '' then redis.call('HSET', key, 'rec', step.record) end -- A timer or execution less.
  if not step.place and not handles(step) then return end
  if step.kind == 'R' and step.before == '0' and actor.open == 0 then
    -- A refusal by an actor that does not exist leaves no key behind: its entry is known by the group's position, and is refused
    -- once more should that be lost.
    redis.call('HDEL', key, 'open', 'line')
  elseif step.kind == 'R' and step.before == '0' then
    redis.call('HSET', key, 'open', whole(actor.open))
  else
    redis.call('HSET', key, 'line', step.after .. ' ' .. actor.handled .. ' ' .. actor.at, 'open', whole(actor.open))
  end
end

local function write_step(k, args, step, seen, token, now, head)
  local kind, actor = step.kind, seen[step.actor]
  local moves = kind == 'M' or kind == 'C'
  if step.place and kind ~= 'C' then actor.handled = step.place end -- A created actor's message has yet to be handled.
  if handles(step) and actor.open > 0 then -- A refusal by an actor that does not exist may come twice, and was counted once.
    actor.open = actor.open - 1
    k.handled = k.handled + 1
  end
  if not moves then write_parking(k, step) end
  write_actor(k, step, actor, now, moves)
  if step.body ~= '' then
    head = head + 1
    local position = whole(head)
    local facts = entry_head(kind, token, now, step.actor, step.after)
    if step.message then facts = facts .. ' ' .. step.message end
    if step.answer then
      redis.call('XADD', k.journal, '0-' .. position, 'h', facts, 'b', step.body, 'r', step.answer)
    else
      redis.call('XADD', k.journal, '0-' .. position, 'h', facts, 'b', step.body)
    end
    if step.after ~= '0' then redis.call('RPUSH', k[step.key + 1], position) end -- C2
  end
  if kind ~= 'C' then consume(k, step) end -- First: a timer that its own step arms again is a new row under the old name.
  write_timers(k, args, step)
  write_effects(k, args, step)
  write_messages(k, args, step, seen, token, now)
  if step.answer then redis.call('HSET', k.dedupe, step.actor .. '|' .. step.message, step.asked .. ' ' .. step.answer) end
  return head
end

-- Takes the entries up to `highest` from our group, in the same call that handles them (M2). Where every one of them is
-- handled the group is moved past them, which is what reading with NOACK does, without the bodies; else they are read into
-- the pending list, each handled one is acknowledged by itself, and the others wait for a later call.
local function take(k, steps, verdicts, token, read, highest, highest_place, whole_batch)
  if highest > read then
    if whole_batch then
      redis.call('XGROUP', 'SETID', k.inbox, token, '0-' .. highest_place)
    else
      redis.call('XREADGROUP', 'GROUP', token, 'owner', 'COUNT', whole(highest - read), 'STREAMS', k.inbox, '>')
    end
  end
  for i, step in ipairs(steps) do
    if step.position and step.kind ~= 'C' then
      local good = verdicts[i] == 'COMMITTED' or verdicts[i] == 'DUPLICATE'
      if good and (not whole_batch or step.position <= read) then redis.call('XACK', k.inbox, token, step.id) end
    end
  end
end

-- The keys by name; a group is there when some step needs it.
local function named(keys, timers, effects, outbox, actors)
  local k = keys
  k.owner, k.inbox, k.journal, k.backlog, k.dedupe, k.parked = keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]
  if timers ~= '0' then
    local at = tonumber(timers)
    k.timers, k.rows, k.resumable = keys[at], keys[at + 1], keys[at + 2]
  end
  if effects ~= '0' then k.effects, k.attempts = keys[tonumber(effects)], keys[effects + 1] end
  if outbox ~= '0' then k.outbox, k.lanes_out = keys[tonumber(outbox)], keys[outbox + 1] end
  if actors ~= '0' then k.actors = keys[tonumber(actors)] end
  return k
end

local call_head = '^(%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'

local function commit(keys, args)
  local token, id, expected, estimate, count, timers, effects, outbox, actors = string.match(args[1], call_head)
  local owner = redis.call('HMGET', keys[1], 'token', 'line')
  if owner[1] ~= token then return 'FENCED' end -- L3
  local head, read_place, parked, _, last_id, last_reply = parse_line(owner[2])
  if last_id == id then return 'OK ' .. head .. ' ' .. last_reply end -- C3: a repeat gets the first answer.
  if head ~= expected then return 'REWOUND ' .. head end -- C2

  local k = named(keys, timers, effects, outbox, actors)
  k.parked_count, k.handled = tonumber(parked), 0
  local read, highest, highest_place = tonumber(read_place), 0, '0'
  local steps, verdicts, seen, at = {}, {}, {}, 3
  local fresh, whole_batch = 0, true
  for i = 1, tonumber(count) do
    local step
    step, at = parse_step(args, at)
    local verdict = judge(k, step, seen, args[2])
    if verdict ~= 'COMMITTED' and verdict ~= 'DUPLICATE' then
      seen[step.actor].refused = true
      if step.position then whole_batch = false end
    end
    if step.position then
      if step.position > read and step.kind ~= 'C' then fresh = fresh + 1 end
      if step.position > highest then highest, highest_place = step.position, step.place end
    end
    steps[i], verdicts[i] = step, verdict
  end

  -- What is written down beside the steps; a timer is judged by the server's own clock.
  local now = args[2] ~= '' and args[2] or estimate
  if highest > 0 then
    if highest > read and fresh < highest - read then whole_batch = false end -- An entry was left out: it stays pending (M2).
    take(k, steps, verdicts, token, read, highest, highest_place, whole_batch)
    if highest > read then read_place = highest_place end
  end
  head = tonumber(head)
  for i, step in ipairs(steps) do
    if verdicts[i] == 'COMMITTED' then head = write_step(k, args, step, seen, token, now, head) end
  end
  if k.handled > 0 then redis.call('INCRBY', k.backlog, whole(-k.handled)) end
  local reply, position = table.concat(verdicts, ','), whole(head)
  redis.call('HSET', k.owner, 'line', line_of(position, read_place, whole(k.parked_count), now, id, reply))
  return 'OK ' .. position .. ' ' .. reply
end

redis.register_function('emboss_v1_commit', commit)
