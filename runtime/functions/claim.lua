-- claim: become the one whose writes to this shard count (L2), and move the inbox to a consumer group of our own (M2).
--
-- KEYS   1 owner    2 inbox    3 journal    4 timers    5 rows    6 resumable
-- ARGV   1 token read after the lock was granted ('' for none)    2 nonce    3 worker    4 least counter
--        5 clock reading or ''    6 outage in ms from which resume policies count    7 'again' from the process that has it, or ''
-- Reply  {'CLAIMED', token, head, oldest or '', tries, found, reading, position below the first entry to read, what was found
--        tried or ''} | {'STALE', token} | {'DAMAGED', 'inbox' or 'journal'}: it is not what the shard's record says, and nothing
--        was written
-- Cost   O(1), and O(timers with a resume policy, at most 5,000) after an outage
local DUE_LOOK = 100 -- Rows of effects share the set: past so many of them nobody looks for a timer.

-- The last id that the inbox ever gave, whatever was trimmed since; -1 where there is no inbox.
local function last_given(inbox)
  local info = redis.pcall('XINFO', 'STREAM', inbox)
  if info.err then return -1 end
  for i = 1, #info, 2 do
    if info[i] == 'last-generated-id' then return place(info[i + 1]) end
  end
end

-- The timer that is due longest, as `trying` names one: `t generation member`. '' when none is.
local function oldest_due(keys, now)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', keys[4], '-inf', whole(now), 'LIMIT', 0, DUE_LOOK)) do
    local generation = string.sub(member, 1, 2) == 't|' and string.match(redis.call('HGET', keys[5], member) or '', '^(%S+) ')
    if generation then return 't ' .. generation .. ' ' .. member end
  end
  return ''
end

-- What an owner noted before it stepped it is still to be stepped.
local function stands(keys, tried, oldest)
  local generation, member = string.match(tried, '^t (%S+) (.+)$')
  if not generation then return tried ~= '' and tried == oldest end
  return string.match(redis.call('HGET', keys[5], member) or '', '^(%S+) ') == generation
end

local function claim(keys, args)
  local owner = redis.call('HMGET', keys[1], 'token', 'counter', 'line', 'group', 'oldest', 'tries', 'trying', 'found', 'due',
    'dueTries', 'tried')
  if (owner[1] or '') ~= args[1] then return { 'STALE', owner[1] or '' } end

  -- A reader's right that is missing must not be taken for a group that is gone.
  local refused = denied(keys[2], 'XPENDING', 'XRANGE', 'XADD', 'ZRANGEBYSCORE', 'HKEYS', 'HGET', 'HSET', 'ZADD', 'ZINCRBY')
  if not refused and not may('XGROUP', 'DESTROY', keys[2], '') then refused = refusal('XGROUP DESTROY') end
  if not refused and not may('XINFO', 'STREAM', keys[2]) then refused = refusal('XINFO STREAM') end
  if refused then return refused end

  local now = reading(args[5])
  local head, read, parked, alive = 0, 0, '0', now
  if owner[3] then
    local line_head, _, line_read, line_parked, line_alive = parse_line(owner[3])
    head, read, parked, alive = tonumber(line_head), tonumber(line_read), line_parked, tonumber(line_alive)
  end
  -- What was there and is gone is not made anew in silence: the first messages of a new inbox would pass for handled ones. The
  -- journal begins with the first claim; the inbox was there before it, with what had been accepted.
  if head > 0 and #redis.call('XRANGE', keys[3], '0-' .. whole(head), '0-' .. whole(head)) == 0 then
    return { 'DAMAGED', 'journal' }
  end
  if last_given(keys[2]) < read then return { 'DAMAGED', 'inbox' } end
  local counter = math.max(tonumber(owner[2] or '0'), tonumber(args[4])) + 1
  local token = whole(counter) .. ':' .. args[2]

  -- The new group begins just below the oldest entry without an acknowledgement, else where the old one has read to.
  local below = '0-0'
  if owner[4] then
    local pending = redis.pcall('XPENDING', keys[2], owner[4])
    if not pending.err then below = '0-' .. whole(pending[1] > 0 and place(pending[2]) - 1 or read) end
    -- A group that is gone starts at the beginning: handled entries are known by the actors' last ids (M2).
  end
  redis.call('XGROUP', 'CREATE', keys[2], token, below)
  if owner[4] then redis.call('XGROUP', 'DESTROY', keys[2], owner[4]) end -- A deposed blocked reader gets NOGROUP.

  -- M5: claims in a row over the same oldest entry are counted, over the same oldest timer that is due, and owners that ended
  -- while trying what they had noted. Others of the shard may go on in between: what was found stays so until it is used up.
  local first = redis.call('XRANGE', keys[2], '(' .. below, '+', 'COUNT', 1)[1]
  local oldest, due = first and first[1] or '', oldest_due(keys, now)
  local tries, due_tries, found, tried = 0, 0, tonumber(owner[8] or '0'), owner[11] or ''
  local ended = args[7] == '' and 1 or 0 -- An owner that claims anew over its own token has not ended.
  if oldest ~= '' then tries = oldest == owner[5] and tonumber(owner[6] or '0') + ended or 1 end
  if due ~= '' then due_tries = due == owner[9] and tonumber(owner[10] or '0') + ended or 1 end
  if ended == 1 and stands(keys, owner[7] or '', oldest) then
    found = owner[7] == tried and found + 1 or 1
    tried = owner[7]
  elseif not stands(keys, tried, oldest) then
    found, tried = 0, ''
  end

  -- T1: an outage moves the timers that asked for it. `alive` is the last sign of an owner.
  local outage = now - alive
  if outage >= tonumber(args[6]) then
    for index, member in ipairs(redis.call('HKEYS', keys[6])) do
      if index > 5000 then break end
      local policy, delay = string.match(redis.call('HGET', keys[6], member), '^(%a+) (%d+)$')
      if policy == 'remaining' then redis.call('ZINCRBY', keys[4], whole(outage), member) end
      if policy == 'restart' then redis.call('ZADD', keys[4], whole(now + tonumber(delay)), member) end
    end
  end

  head = head + 1
  redis.call('XADD', keys[3], '0-' .. whole(head), 'h', entry_head('claimed', token, whole(now), args[3], '0', ''))
  -- Token and line first: a commit looks only at these two.
  redis.call('HSET', keys[1], 'token', token, 'line', line_of(whole(head), '-', string.sub(below, 3), parked, whole(now), ''), 'counter', whole(counter),
    'worker', args[3], 'group', token, 'claimed', whole(now), 'oldest', oldest, 'tries', tries, 'found', found,
    'tried', tried, 'trying', '', 'due', due, 'dueTries', due_tries)
  return { 'CLAIMED', token, whole(head), oldest, tostring(math.max(tries, due_tries)), tostring(found), whole(now),
    string.sub(below, 3), tried }
end

redis.register_function { function_name = named('claim'), callback = claim, flags = { 'allow-oom' } }
