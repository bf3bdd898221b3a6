-- commit: make steps of actors of one shard durable, each as a whole or not at all (C1, C4).
--
-- KEYS   1 owner    2 inbox    3 journal    4 backlog    5 dedupe    6 parked
--        7.. the groups that ARGV 6 places, and keys that steps name by their place in KEYS; an actor's key, with its positions
--        behind it, ends with the actor's id
-- ARGV   1 token    2 call id    3 journal head expected    4 worker's estimate of the clock    5 clock reading or ''
--        6 '' or, apart by a space, the places of timers (timers, rows, resumable), of effects (effects, attempts), of the outbox
--        (outbox, lanes out) and of the list of actors; 0 for a group that no step needs
--        7.. the steps, each:
--        head of the step, fields apart by a space: kind and cause, place of {actor, positions}, sequence expected and after,
--        places of state sets left and of state sets entered (apart by a comma, - for none), and '' or what a rarer step needs:
--        generation or -, place of the waiting list or 0, number of lists
--          kind   C created (its message is still being stepped) | M moved | R refused | P parked | Q queued behind a parked actor
--                 | D duplicate | V redriving | X discarded | L late outcome
--          cause  I inbox | T timer | W waiting | E effect
--        cause id, message id or '', snapshot, record, journal body, the caller's dedupe record with its answer or '', then, if
--        there is a waiting list, entry to keep and cause of parking, then per list its letter, number of items and items:
--          t timer set (member, generation, due, resume policy and delay or '', event) | c timer cleared (member, generation)
--          | f effect (key, due, record) | x effect stopped (key) | s message sent (lane, actor, message id, body)
--          | o message to the own inbox (place of the actor, actor, message id, body)
-- Reply  'OK head verdict,verdict,…' | 'FENCED' | 'REWOUND head' | 'DAMAGED inbox': it is gone, and nothing was written
--        verdicts: COMMITTED, DUPLICATE (acknowledged), CONFLICT, GONE, EARLY, PARKED, SKIPPED (an earlier step of the actor was
--        refused)
-- Cost   O(what the steps carry); at most 100 steps and 1 MB
--
-- Every check of every step comes before the first write: Redis does not roll back (redis.io, "Redis functions").
local OWNER, INBOX, JOURNAL, BACKLOG, DEDUPE, PARKED = 1, 2, 3, 4, 5, 6
local FIRST_STEP = 7
local widths = { t = 5, c = 2, f = 3, x = 1, s = 4, o = 4 }

local function parse_step(call, at)
  local args = call.args
  local kind, cause, key, before, after, left, entered, more =
    string.match(args[at], '^(%u)(%u) (%d+) (%d+) (%d+) (%S+) (%S+) ?(.*)$')
  key = number(key)
  local id, message, answer = args[at + 1], args[at + 2], args[at + 6]
  local step = {
    kind = kind, cause = cause, key = key, actor = string.sub(call.keys[key], call.actor_at), before = before, after = after,
    left = left, entered = entered, id = id, message = message, snapshot = args[at + 3], record = args[at + 4],
    body = args[at + 5], answer = answer ~= '' and answer, place = false, position = false, generation = false,
  }
  at = at + 7
  if more ~= '' then
    local waiting, lists
    call.rare = true
    step.generation, waiting, lists = string.match(more, '^(%S+) (%d+) (%d+)$')
    if waiting ~= '0' then
      step.waiting, step.entry, step.why = number(waiting), args[at], args[at + 1]
      at = at + 2
    end
    for _ = 1, number(lists) do
      local letter, count = args[at], number(args[at + 1])
      step[letter] = { at + 2, at + 1 + count * widths[letter] }
      if letter == 'o' then call.own = true end
      at = at + 2 + count * widths[letter]
    end
  end
  if cause == 'I' then
    step.place = string.sub(id, 3)
    step.position = tonumber(step.place)
  end
  return step, at
end

-- What is stored of an actor: its line (sequence, last entry handled, time of the last step) and its open messages. `last` and
-- `sequence` run ahead as steps are judged; `handled` and `open` follow as they are written.
local function stored_actor(call, step)
  local facts = redis.call('HMGET', call.keys[step.key], 'line', 'open')
  local line = facts[1] or '0 0 0'
  local sequence, last = string.match(line, '^(%d+) (%d+)')
  return {
    sequence = sequence, last = tonumber(last), handled = last, line = line, open = number(facts[2] or '0'), refused = false,
    parked = call.parked > 0 and redis.call('HEXISTS', call.keys[PARKED], step.actor) == 1, used = false,
  }
end

-- What a step will do to the parking of its actor, for the steps that follow it in this call.
local function foresee_parking(call, step, actor)
  actor.waiting = actor.waiting or redis.call('LLEN', call.keys[step.waiting])
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
local function judge(call, step)
  local keys, seen, cause, kind = call.keys, call.seen, step.cause, step.kind
  local actor = seen[step.actor]
  if not actor then
    actor = stored_actor(call, step)
    seen[step.actor] = actor
  end
  if actor.refused then return 'SKIPPED' end

  if actor.used and actor.used[step.id] then return 'GONE' end -- An earlier step of this call uses up the same cause.
  if cause == 'I' then
    if step.position <= actor.last then return 'DUPLICATE' end -- M2
  elseif cause == 'T' then
    local row = redis.call('HGET', keys[call.timers + 1], step.id)
    if not row or string.match(row, '^(%S+) ') ~= step.generation then return 'GONE' end
    if tonumber(redis.call('ZSCORE', keys[call.timers], step.id) or '0') > reading(call.clock) then return 'EARLY' end -- T1
  elseif cause == 'W' then
    local first = redis.call('LINDEX', keys[step.waiting], 0)
    if not first or string.match(first, '^(%S+) ') ~= step.id then return 'GONE' end
  elseif cause == 'E' then
    local attempt = attempt_of(redis.call('HGET', keys[call.effects + 1], step.id))
    if redis.call('HEXISTS', keys[call.effects], step.id) == 0 or attempt ~= tonumber(step.generation) then return 'GONE' end
  end

  if kind == 'D' then return 'CONFLICT' end -- Not a duplicate after all: the owner's copy is stale.
  if actor.sequence ~= step.before then return 'CONFLICT' end
  if actor.parked and cause ~= 'W' and kind ~= 'Q' and kind ~= 'V' and kind ~= 'X' and kind ~= 'L' then return 'PARKED' end
  if kind == 'Q' and not actor.parked then return 'CONFLICT' end

  actor.sequence = step.after
  if kind == 'C' then return 'COMMITTED' end -- Its message is stepped next: nothing is used up yet.
  if cause == 'I' then
    actor.last = step.position
  else
    actor.used = actor.used or {}
    actor.used[step.id] = true
  end
  if step.waiting then foresee_parking(call, step, actor) end
  return 'COMMITTED'
end

local function disarm(call, member)
  redis.call('ZREM', call.keys[call.timers], member)
  redis.call('HDEL', call.keys[call.timers + 1], member)
  redis.call('HDEL', call.keys[call.timers + 2], member)
end

local function write_timers(call, step)
  local args, timers, rows, resumable = call.args, call.keys[call.timers], call.keys[call.timers + 1], call.keys[call.timers + 2]
  local cleared = step.c
  if cleared then
    for i = cleared[1], cleared[2], 2 do
      local row = redis.call('HGET', rows, args[i])
      if row and string.match(row, '^(%S+) ') == args[i + 1] then disarm(call, args[i]) end
    end
  end
  local set = step.t
  if set then
    for i = set[1], set[2], 5 do
      redis.call('ZADD', timers, args[i + 2], args[i])
      redis.call('HSET', rows, args[i], args[i + 1] .. ' ' .. args[i + 4])
      if args[i + 3] ~= '' then redis.call('HSET', resumable, args[i], args[i + 3]) else redis.call('HDEL', resumable, args[i]) end
    end
  end
end

local function write_effects(call, step)
  local args, timers, effects, attempts = call.args, call.keys[call.timers], call.keys[call.effects], call.keys[call.effects + 1]
  local stops = step.x
  if stops then
    for i = stops[1], stops[2] do
      local attempt, running = attempt_of(redis.call('HGET', attempts, args[i]))
      if attempt == 0 then -- Never tried: nothing outside knows of it.
        redis.call('HDEL', effects, args[i])
        redis.call('ZREM', timers, 'e|' .. args[i])
      else -- It runs to its outcome, which is then late (E1).
        redis.call('HSET', attempts, args[i], whole(attempt) .. running .. 'l')
      end
    end
  end
  local begun = step.f
  if begun then
    for i = begun[1], begun[2], 3 do
      redis.call('HSET', effects, args[i], args[i + 2])
      redis.call('ZADD', timers, args[i + 1], 'e|' .. args[i])
    end
  end
end

local function write_messages(call, step)
  local keys, args, token = call.keys, call.args, call.token
  local sends = step.s
  if sends then
    local outbox, lanes = keys[call.outbox], keys[call.outbox + 1]
    for i = sends[1], sends[2], 4 do
      -- M3: the record names its predecessor on the lane, so that the receiver sees a gap.
      local before = redis.call('HGET', lanes, args[i]) or ''
      local before_token, before_n = string.match(before, '^(.*)|(%d+)$')
      local n = whole(before_token == token and tonumber(before_n) + 1 or 1)
      redis.call('HSET', lanes, args[i], token .. '|' .. n)
      redis.call('XADD', outbox, '0-*', 'l', args[i], 't', token, 'n', n, 'p', before, 'a', args[i + 1], 'm', args[i + 2],
        'b', args[i + 3], 'c', call.now)
    end
  end
  local own = step.o
  if own then
    for i = own[1], own[2], 4 do
      accept(keys[INBOX], keys[BACKLOG], keys[number(args[i])], args[i + 1], args[i + 2], args[i + 3], call.now)
      local actor = call.seen[args[i + 1]]
      if actor then actor.open = actor.open + 1 end
    end
  end
end

-- How many actors are parked is known to every commit, so that one without any need not ask for each. How they are treated is
-- stored beside the cause, for the next owner to go on with (M5).
local function park(call, actor, why)
  call.parked = call.parked + redis.call('HSET', call.keys[PARKED], actor, treated('P', 0, why))
end
local function treat(call, actor, how)
  local _, _, why = treatment(redis.call('HGET', call.keys[PARKED], actor))
  redis.call('HSET', call.keys[PARKED], actor, treated(how, 0, why))
end
local function unpark(call, actor) call.parked = call.parked - redis.call('HDEL', call.keys[PARKED], actor) end

-- The cause is used up: removed or taken off the waiting list.
local function consume(call, step)
  local keys = call.keys
  if step.cause == 'T' and step.kind ~= 'P' then
    disarm(call, step.id)
  elseif step.cause == 'W' and step.kind ~= 'P' then
    redis.call('LPOP', keys[step.waiting])
    if redis.call('LLEN', keys[step.waiting]) == 0 then
      unpark(call, step.actor) -- M5
    else
      local how, tries = treatment(redis.call('HGET', keys[PARKED], step.actor))
      if how and tries > 0 then treat(call, step.actor, how) end -- It was not this message that ended the owners before us.
    end
  elseif step.cause == 'E' then
    redis.call('HDEL', keys[call.effects], step.id)
    redis.call('HDEL', keys[call.effects + 1], step.id)
    redis.call('ZREM', keys[call.timers], 'e|' .. step.id)
  end
end

-- M5: what happens to a parked actor and its waiting entries.
local function write_parking(call, step)
  local kind, waiting = step.kind, call.keys[step.waiting]
  if kind == 'P' then
    park(call, step.actor, step.why)
    if step.cause == 'I' then redis.call('RPUSH', waiting, step.entry) end
  elseif kind == 'Q' then
    redis.call('RPUSH', waiting, step.entry)
  elseif (kind == 'V' or kind == 'X') and redis.call('LLEN', waiting) == 0 then
    unpark(call, step.actor)
  elseif kind == 'V' or kind == 'X' then
    treat(call, step.actor, kind == 'V' and 'V' or 'X' .. step.place)
  end
end

-- The state sets (C1). Most steps leave one state and enter one.
local function write_index(keys, actor, now, left, entered)
  local set = counts[left]
  if set then
    redis.call('ZREM', keys[set], actor)
  elseif left ~= '-' then
    for at in string.gmatch(left, '%d+') do redis.call('ZREM', keys[number(at)], actor) end
  end
  set = counts[entered]
  if set then
    redis.call('ZADD', keys[set], now, actor)
  elseif entered ~= '-' then
    for at in string.gmatch(entered, '%d+') do redis.call('ZADD', keys[number(at)], now, actor) end
  end
end

-- Appends to the journal, right above its head, and to the actor's list of positions (C2), and keeps what a caller is answered
-- (M6). Returns the new head. Plain arguments, since a table for each step would cost as much as a command. `positions`: key of
-- the list, false for an actor that does not exist; `field`: of the dedupe record, where there is an answer.
local function write_journal(keys, head, positions, facts, body, answer, field)
  head = whole(tonumber(head) + 1)
  if answer then
    redis.call('XADD', keys[JOURNAL], '0-' .. head, 'h', facts, 'b', body, 'r', answer)
    redis.call('HSET', keys[DEDUPE], field, answer)
  else
    redis.call('XADD', keys[JOURNAL], '0-' .. head, 'h', facts, 'b', body)
  end
  if positions then redis.call('RPUSH', positions, head) end
  return head
end

-- The cause was a message, and the actor has handled it: not where it is kept for later, nor where the next step takes it up.
local function handles(step)
  local kind = step.kind
  return (step.cause == 'I' or step.cause == 'W') and kind ~= 'C' and kind ~= 'P' and kind ~= 'Q'
end

local function write_actor(call, step, actor, moves)
  local key = call.keys[step.key]
  if moves then
    actor.line = step.after .. ' ' .. actor.handled .. ' ' .. call.now
    redis.call('HSET', key, 'line', actor.line, 'open', whole(actor.open), 'snap', step.snapshot, 'rec', step.record)
    if step.before == '0' then redis.call('ZADD', call.keys[call.actors], call.now, step.actor) end
    write_index(call.keys, step.actor, call.now, step.left, step.entered)
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
    actor.line = step.after .. ' ' .. actor.handled .. string.match(actor.line, ' %d+$')
    redis.call('HSET', key, 'line', actor.line, 'open', whole(actor.open))
  end
end

local function write_step(call, step)
  local kind, actor = step.kind, call.seen[step.actor]
  local moves = kind == 'M' or kind == 'C'
  if step.place and kind ~= 'C' then actor.handled = step.place end -- A created actor's message has yet to be handled.
  if handles(step) and actor.open > 0 then -- A refusal by an actor that does not exist may come twice, and was counted once.
    actor.open = actor.open - 1
    call.handled = call.handled + 1
  end
  if not moves then write_parking(call, step) end
  write_actor(call, step, actor, moves)
  if step.body ~= '' then
    local facts = entry_head(kind, call.token, call.now, step.actor, step.after, step.message)
    local positions = step.after ~= '0' and call.keys[step.key + 1]
    call.head = write_journal(call.keys, call.head, positions, facts, step.body, step.answer, step.actor .. '|' .. step.message)
  end
  -- Before the timers: one that its own step arms again is a new row under the old name.
  if kind ~= 'C' and step.cause ~= 'I' then consume(call, step) end
  if step.generation then
    write_timers(call, step)
    write_effects(call, step)
    write_messages(call, step)
  end
end

-- Takes the entries up to `highest` from our group, in the same call that handles them (M2). Where every one of them is
-- handled the group is moved past them, which is what reading with NOACK does, without the bodies; else they are read into
-- the pending list, each handled one is acknowledged by itself, and the others wait for a later call.
local function take(call, steps, verdicts, read, highest, whole_batch)
  local inbox, token = call.keys[INBOX], call.token
  if highest.position > read then
    if whole_batch then
      redis.call('XGROUP', 'SETID', inbox, token, highest.id)
    else
      redis.call('XREADGROUP', 'GROUP', token, 'owner', 'COUNT', whole(highest.position - read), 'STREAMS', inbox, '>')
    end
  end
  for i, step in ipairs(steps) do
    if step.position and step.kind ~= 'C' then
      local good = verdicts[i] == 'COMMITTED' or verdicts[i] == 'DUPLICATE'
      if good and (not whole_batch or step.position <= read) then redis.call('XACK', inbox, token, step.id) end
    end
  end
end

-- What the writing of steps may come to, whatever they carry (C1); the rarer part where one of them sets something off.
local function denied_to(call)
  local owner, inbox = call.keys[OWNER], call.keys[INBOX]
  local refused = denied(owner, 'HSET', 'HDEL', 'ZADD', 'ZREM', 'XADD', 'RPUSH', 'INCRBY', 'XACK')
  if not refused and call.rare then refused = denied(owner, 'HGET', 'HINCRBY', 'LPOP', 'LLEN') end
  if refused then return refused end
  if not may('XGROUP', 'SETID', inbox, '', '') then return refusal('XGROUP SETID') end
  if not may('XREADGROUP', 'GROUP', '', '', 'STREAMS', inbox, '>') then return refusal('XREADGROUP') end
end

-- The usual call: one message, the next of the shard, moves one actor and sets nothing off. The same checks and writes as for
-- many steps, with a quarter fewer of Redis's instructions since no table is made. Nil, with nothing written, where it is not that.
local function commit_one(keys, args, read, now)
  local place, before, after, left, entered = string.match(args[FIRST_STEP], '^MI (%d+) (%d+) (%d+) (%S+) (%S+)$')
  if not place or before == '0' then return nil end
  place = number(place)
  local stored = redis.call('HMGET', keys[place], 'line', 'open')
  local id, message, body, answer = args[FIRST_STEP + 1], args[FIRST_STEP + 2], args[FIRST_STEP + 5], args[FIRST_STEP + 6]
  if not stored[1] or not stored[2] or stored[2] == '0' or body == '' then return nil end
  local sequence, last = string.match(stored[1], '^(%d+) (%d+)')
  local position_text = string.sub(id, 3)
  local position = tonumber(position_text)
  if sequence ~= before or position <= tonumber(last) or position ~= tonumber(read) + 1 then return nil end -- C2, M2

  -- The first write below is its own test, and what follows it is tested here (C1).
  local refused = denied(keys[OWNER], 'HSET', 'ZREM', 'ZADD', 'XADD', 'RPUSH', 'INCRBY')
  if refused then return refused end
  local actor = string.sub(keys[place], string.find(keys[OWNER], '}', 1, true) + 4)
  redis.call('XGROUP', 'SETID', keys[INBOX], args[1], id)
  redis.call('HSET', keys[place], 'line', after .. ' ' .. position_text .. ' ' .. now, 'open', whole(number(stored[2]) - 1),
    'snap', args[FIRST_STEP + 3], 'rec', args[FIRST_STEP + 4])
  write_index(keys, actor, now, left, entered)
  local facts = entry_head('M', args[1], now, actor, after, message)
  local head = write_journal(keys, args[3], keys[place + 1], facts, body, answer ~= '' and answer, actor .. '|' .. message)
  redis.call('INCRBY', keys[BACKLOG], '-1')
  redis.call('HSET', keys[OWNER], 'line', line_of(head, args[2], position_text, '0', now, 'COMMITTED'))
  return 'OK ' .. head .. ' COMMITTED'
end

local function commit(keys, args)
  local token, id, now, clock = args[1], args[2], args[4], args[5]
  local owner = redis.call('HMGET', keys[OWNER], 'token', 'line')
  if owner[1] ~= token then return 'FENCED' end -- L3
  local head, last_id, read_place, parked = string.match(owner[2], '^(%d+) (%S+) (%d+) (%d+)')
  if last_id == id then return 'OK ' .. head .. ' ' .. select(6, parse_line(owner[2])) end -- C3: a repeat gets the first answer.
  if head ~= args[3] then return 'REWOUND ' .. head end -- C2

  -- What is written down beside the steps is the estimate; a timer is judged by the server's own clock.
  if clock ~= '' then now = clock end
  if #args == FIRST_STEP + 6 and parked == '0' then
    local reply = commit_one(keys, args, read_place, now)
    if reply then return reply end
  end
  local timers, effects, outbox, actors = '0', '0', '0', '0'
  if args[6] ~= '' then timers, effects, outbox, actors = string.match(args[6], '^(%d+) (%d+) (%d+) (%d+)$') end
  local call = {
    keys = keys, args = args, token = token, clock = clock, now = now, head = head, parked = number(parked), handled = 0, seen = {},
    timers = number(timers), effects = number(effects), outbox = number(outbox), actors = number(actors),
    actor_at = string.find(keys[OWNER], '}', 1, true) + 4,
  }

  local read, highest = tonumber(read_place), false
  local steps, verdicts, at = {}, {}, FIRST_STEP
  local fresh, whole_batch = 0, true
  while at <= #args do
    local step
    step, at = parse_step(call, at)
    local verdict = judge(call, step)
    if verdict ~= 'COMMITTED' and verdict ~= 'DUPLICATE' then
      call.seen[step.actor].refused = true
      if step.position then whole_batch = false end
    end
    if step.position then
      if step.position > read and step.kind ~= 'C' then fresh = fresh + 1 end
      if not highest or step.position > highest.position then highest = step end
    end
    steps[#steps + 1], verdicts[#verdicts + 1] = step, verdict
  end

  local refused = denied_to(call)
  if refused then return refused end
  -- A message to the own inbox must not make one anew where it was lost; what is read from it says so by itself.
  if call.own and redis.call('EXISTS', keys[INBOX]) == 0 then return 'DAMAGED inbox' end
  if highest then
    -- An entry that was left out stays pending (M2).
    if highest.position > read and fresh < highest.position - read then whole_batch = false end
    take(call, steps, verdicts, read, highest, whole_batch)
    if highest.position > read then read_place = highest.place end
  end
  for i, step in ipairs(steps) do
    if verdicts[i] == 'COMMITTED' then write_step(call, step) end
  end
  if call.handled > 0 then redis.call('INCRBY', keys[BACKLOG], whole(-call.handled)) end
  local reply = table.concat(verdicts, ',')
  redis.call('HSET', keys[OWNER], 'line', line_of(call.head, id, read_place, whole(call.parked), now, reply))
  return 'OK ' .. call.head .. ' ' .. reply
end

redis.register_function(named('commit'), commit)
