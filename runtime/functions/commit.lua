-- commit: make steps of actors of one shard durable, each as a whole or not at all (C1, C4).
--
-- KEYS   1 owner    2 inbox    3 journal    4 backlog    5 dedupe    6 parked    7.. the groups that ARGV 1 places, and keys that steps name by
--        their place in KEYS
-- ARGV   1 head of the call, fields apart by a space: token, call id, journal head expected, worker's estimate of the clock,
--        number of steps, then the places of timers (timers, rows, resumable), of effects (effects, attempts), of the outbox
--        (outbox, lanes out) and of the list of actors; 0 for a group that no step needs
--        2 clock reading or ''    3.. the steps, each:
--        head of the step, fields apart by a space: kind, actor, place of {actor, positions}, cause, generation or -, sequence
--        expected, place of the waiting list or 0, whether an answer follows, number of lists
--          kind   C created (its message is still being stepped) | M moved | R refused | P parked | Q queued behind a parked actor
--                 | D duplicate | V redriving | X discarded | L late outcome
--          cause  I inbox | T timer | W waiting | E effect
--        cause id, snapshot, record, journal body, then message id and dedupe record if an answer follows, then entry to keep and
--        cause of parking if there is a waiting list, then per list its letter, its number of items and the items:
--          l place of a state set left | e place of a state set entered | t timer set (member, generation, due, resume policy
--          and delay or '', event) | c timer cleared (member, generation) | f effect (key, due, record) | x effect stopped (key)
--          | s message sent (lane, actor, message id, body) | o message to the own inbox (actor, message id, body)
-- Reply  {'OK', head, 'verdict,verdict,…'} | {'FENCED'} | {'REWOUND', head}
--        verdicts: COMMITTED, DUPLICATE (acknowledged), CONFLICT, GONE, EARLY, PARKED, SKIPPED (an earlier step of the actor was refused)
-- Cost   O(what the steps carry); at most 100 steps and 1 MB
--
-- Every check of every step comes before the first write: Redis does not roll back (redis.io, "Redis functions").

-- Few arguments: each costs Redis, and the client, as much as a hundred bytes.
local widths = { l = 1, e = 1, t = 5, c = 2, f = 3, x = 1, s = 4, o = 3 }
local step_head = '^(%u) (%S+) (%d+) (%u) (%S+) (%d+) (%d+) (%d) (%d+)$'

local function parse_step(args, at)
  local kind, actor, key, cause, generation, sequence, waiting, answered, lists = string.match(args[at], step_head)
  local step = {
    kind = kind, actor = actor, key = tonumber(key), cause = cause, generation = generation, sequence = tonumber(sequence),
    waiting = tonumber(waiting), id = args[at + 1], snapshot = args[at + 2], record = args[at + 3], body = args[at + 4],
  }
  at = at + 5
  if answered == '1' then
    step.message, step.answer = args[at], args[at + 1]
    at = at + 2
  end
  if step.waiting > 0 then
    step.entry, step.why = args[at], args[at + 1]
    at = at + 2
  end
  for _ = 1, tonumber(lists) do
    local letter, count = args[at], tonumber(args[at + 1])
    step[letter] = { at + 2, at + 1 + count * widths[letter] }
    at = at + 2 + count * widths[letter]
  end
  if cause == 'I' then step.position = place(step.id) end
  return step, at
end

-- What a step will do to the parking of its actor, for the steps that follow it in this call.
local function foresee_parking(k, step, actor)
  actor.waiting = actor.waiting or redis.call('LLEN', k[step.waiting])
  if step.kind == 'P' or step.kind == 'Q' then
    actor.parked = true
    if step.cause == 'I' then actor.waiting = actor.waiting + 1 end
  elseif step.kind == 'X' then
    actor.parked, actor.waiting = false, 0
  elseif step.kind == 'V' then
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
    local facts = redis.call('HMGET', k[step.key], 'seq', 'last')
    actor = { sequence = tonumber(facts[1] or '0'), last = tonumber(facts[2] or '0'), refused = false,
      parked = k.parked_count > 0 and redis.call('HEXISTS', k.parked, step.actor) == 1 }
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
  if actor.sequence ~= step.sequence then return 'CONFLICT' end
  if actor.parked and step.cause ~= 'W' and kind ~= 'Q' and kind ~= 'V' and kind ~= 'X' and kind ~= 'L' then return 'PARKED' end
  if kind == 'Q' and not actor.parked then return 'CONFLICT' end

  if kind == 'C' then
    actor.sequence = actor.sequence + 1 -- Its message is stepped next: nothing is used up yet.
    return 'COMMITTED'
  end
  if kind == 'M' then actor.sequence = actor.sequence + 1 end
  if step.cause == 'I' then
    actor.last = step.position
  else
    actor.used = actor.used or {}
    actor.used[step.id] = true
  end
  if step.waiting > 0 then foresee_parking(k, step, actor) end
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

local function write_messages(k, args, step, token, now)
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
    for i = own[1], own[2], 3 do accept(k.inbox, k.backlog, args[i], args[i + 1], args[i + 2], now) end
  end
end

-- How many actors are parked is known to every commit, so that one without any need not ask for each.
local function park(k, actor, why) k.parked_count = k.parked_count + redis.call('HSET', k.parked, actor, why) end
local function unpark(k, actor) k.parked_count = k.parked_count - redis.call('HDEL', k.parked, actor) end

-- The cause is used up: counted as handled, removed or taken off the waiting list.
local function consume(k, step)
  if step.cause == 'I' then
    if step.kind ~= 'P' and step.kind ~= 'Q' then handled(k.backlog, step.actor, 1) end
  elseif step.cause == 'T' and step.kind ~= 'P' then
    redis.call('ZREM', k.timers, step.id)
    redis.call('HDEL', k.rows, step.id)
    redis.call('HDEL', k.resumable, step.id)
  elseif step.cause == 'W' and step.kind ~= 'P' then
    redis.call('LPOP', k[step.waiting])
    handled(k.backlog, step.actor, 1)
    redis.call('HINCRBY', k.backlog, '*', -1)
    if redis.call('LLEN', k[step.waiting]) == 0 then unpark(k, step.actor) end -- M5
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
  elseif kind == 'X' then
    local dropped = redis.call('LLEN', waiting)
    handled(k.backlog, step.actor, dropped)
    redis.call('HINCRBY', k.backlog, '*', -dropped)
    redis.call('DEL', waiting)
    unpark(k, step.actor)
  elseif kind == 'V' and redis.call('LLEN', waiting) == 0 then
    unpark(k, step.actor)
  end
end

local function write_step(k, args, step, token, now, head)
  local kind, actor_key = step.kind, k[step.key]
  local last = step.position
  if kind == 'M' or kind == 'C' then
    if kind == 'C' or not last then -- A created actor's message has yet to be handled; timers and outcomes are no entries.
      redis.call('HSET', actor_key, 'seq', whole(step.sequence + 1), 'snap', step.snapshot, 'rec', step.record, 'at', now)
    else
      redis.call('HSET', actor_key, 'seq', whole(step.sequence + 1), 'snap', step.snapshot, 'rec', step.record, 'at', now, 'last', whole(last))
    end
    if step.sequence == 0 then redis.call('ZADD', k.actors, now, step.actor) end
    if step.l then for i = step.l[1], step.l[2] do redis.call('ZREM', k[tonumber(args[i])], step.actor) end end
    if step.e then for i = step.e[1], step.e[2] do redis.call('ZADD', k[tonumber(args[i])], now, step.actor) end end
  else
    write_parking(k, step)
    if kind == 'R' and step.record ~= '' then redis.call('HSET', actor_key, 'rec', step.record) end -- A timer or execution less.
    -- A refusal by an actor that does not exist leaves no key behind: its entry is known by the group's position.
    if last and (kind ~= 'R' or step.sequence > 0) then redis.call('HSET', actor_key, 'last', whole(last)) end
  end

  if step.body ~= '' then
    head = head + 1
    local sequence = (kind == 'M' or kind == 'C') and step.sequence + 1 or step.sequence
    redis.call('XADD', k.journal, '0-' .. whole(head), 'k', kind, 't', token, 'a', step.actor, 'q', whole(sequence), 'c', now, 'b', step.body)
    if sequence > 0 then redis.call('RPUSH', k[step.key + 1], whole(head)) end
  end
  if kind ~= 'C' then consume(k, step) end -- First: a timer that its own step arms again is a new row under the old name.
  write_timers(k, args, step)
  write_effects(k, args, step)
  write_messages(k, args, step, token, now)
  if step.message then redis.call('HSET', k.dedupe, step.actor .. '|' .. step.message, step.answer) end
  return head
end

-- Takes the entries up to `highest` from our group, in the same call that handles them (M2). Where every one of them is
-- handled the group is moved past them, which is what reading with NOACK does, without the bodies; else they are read into
-- the pending list, each handled one is acknowledged by itself, and the others wait for a later call.
local function take(k, steps, verdicts, token, read, highest, whole_batch)
  if highest > read then
    if whole_batch then
      redis.call('XGROUP', 'SETID', k.inbox, token, '0-' .. whole(highest))
    else
      redis.call('XREADGROUP', 'GROUP', token, 'owner', 'COUNT', whole(highest - read), 'STREAMS', k.inbox, '>')
    end
  end
  local done = 0
  for i, step in ipairs(steps) do
    if step.position and step.kind ~= 'C' then
      local good = verdicts[i] == 'COMMITTED' or verdicts[i] == 'DUPLICATE'
      if good and (not whole_batch or step.position <= read) then redis.call('XACK', k.inbox, token, step.id) end
      if verdicts[i] == 'COMMITTED' and step.kind ~= 'P' and step.kind ~= 'Q' then done = done + 1 end
    end
  end
  return done
end

-- The keys by name; a group is there when some step needs it.
local function named(keys, timers, effects, outbox, actors)
  local k = keys
  k.owner, k.inbox, k.journal, k.backlog, k.dedupe, k.parked = keys[1], keys[2], keys[3], keys[4], keys[5], keys[6]
  if timers > 0 then k.timers, k.rows, k.resumable = keys[timers], keys[timers + 1], keys[timers + 2] end
  if effects > 0 then k.effects, k.attempts = keys[effects], keys[effects + 1] end
  if outbox > 0 then k.outbox, k.lanes_out = keys[outbox], keys[outbox + 1] end
  if actors > 0 then k.actors = keys[actors] end
  return k
end

local call_head = '^(%S+) (%S+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+) (%d+)$'

local function commit(keys, args)
  local token, call, expected, estimate, count, timers, effects, outbox, actors = string.match(args[1], call_head)
  local owner = redis.call('HMGET', keys[1], 'token', 'line')
  if owner[1] ~= token then return { 'FENCED' } end -- L3
  local head, read, parked, _, last_call, last_reply = parse_line(owner[2])
  if last_call == call then return { 'OK', head, last_reply } end -- C3: a repeat gets the first answer.
  if head ~= expected then return { 'REWOUND', head } end -- C2

  local k = named(keys, tonumber(timers), tonumber(effects), tonumber(outbox), tonumber(actors))
  k.parked_count = tonumber(parked)
  read = tonumber(read)
  local steps, verdicts, seen, at = {}, {}, {}, 3
  local highest, fresh, whole_batch = 0, 0, true
  for i = 1, tonumber(count) do
    local step
    step, at = parse_step(args, at)
    local verdict = judge(k, step, seen, args[2])
    if verdict ~= 'COMMITTED' and verdict ~= 'DUPLICATE' then
      seen[step.actor].refused = true
      if step.position then whole_batch = false end
    end
    if step.position and step.position > read and step.kind ~= 'C' then fresh = fresh + 1 end
    if step.position and step.position > highest then highest = step.position end
    steps[i], verdicts[i] = step, verdict
  end

  -- What is written down beside the steps; a timer is judged by the server's own clock.
  local now = args[2] ~= '' and args[2] or estimate
  head = tonumber(head)
  if highest > 0 then
    if highest > read and fresh < highest - read then whole_batch = false end -- An entry was left out: it stays pending (M2).
    local done = take(k, steps, verdicts, token, read, highest, whole_batch)
    if done > 0 then redis.call('HINCRBY', k.backlog, '*', whole(-done)) end
    if highest > read then read = highest end
  end
  for i, step in ipairs(steps) do
    if verdicts[i] == 'COMMITTED' then head = write_step(k, args, step, token, now, head) end
  end
  local reply = table.concat(verdicts, ',')
  redis.call('HSET', k.owner, 'line', line_of(head, read, k.parked_count, now, call, reply))
  return { 'OK', whole(head), reply }
end

redis.register_function('emboss_v1_commit', commit)
