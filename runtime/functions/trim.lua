-- trim: drop what nobody needs any more, from the old end only (design: Redis), and keep a sign of life (T1).
--
-- KEYS   1 owner    2 inbox    3 outbox    4 journal    5 dedupe    6.. position lists of actors whose entries leave
-- ARGV   1 token    2 outbox position delivered up to    3 outbox position to keep from    4 journal position to keep from (0: all)
--        5 age in ms of answers to forget    6 clock reading or ''    7 cursor of the walk over the answers
-- Reply  {'OK', inbox kept from, answers forgotten, cursor} | {'FENCED'}     Cost O(entries dropped + 200)
local function trim(keys, args)
  if not owns(keys[1], args[1]) then return { 'FENCED' } end
  local now = reading(args[6])
  local head, last, read, parked, _, reply = parse_line(redis.call('HGET', keys[1], 'line'))
  local line = line_of(head, last, read, parked, whole(now), reply)

  -- The inbox keeps from the oldest entry without an acknowledgement, else from the one after the last delivered.
  local pending = redis.call('XPENDING', keys[2], args[1])
  local from = pending[1] > 0 and place(pending[2]) or tonumber(read) + 1
  local refused = denied(keys[2], 'XTRIM', 'LINDEX', 'LPOP', 'HSCAN', 'HDEL')
  if refused then return refused end
  redis.call('HSET', keys[1], 'line', line, 'relayed', args[2])
  redis.call('XTRIM', keys[2], 'MINID', '0-' .. whole(from))
  redis.call('XTRIM', keys[3], 'MINID', '0-' .. args[3])

  if tonumber(args[4]) > 0 then
    redis.call('XTRIM', keys[4], 'MINID', '0-' .. args[4])
    for i = 6, #keys do
      local first = redis.call('LINDEX', keys[i], 0)
      while first and tonumber(first) < tonumber(args[4]) do
        redis.call('LPOP', keys[i])
        first = redis.call('LINDEX', keys[i], 0)
      end
    end
  end

  -- M7: answers leave by age, here and never by a TTL; a command that still runs keeps its record. A walk over the records,
  -- a portion per call: the cursor is the walk's place.
  local forgotten = 0
  local scan = redis.call('HSCAN', keys[5], args[7], 'COUNT', 200)
  for i = 1, #scan[2], 2 do
    local at, answer = string.match(scan[2][i + 1], '^(%d+) %x+ (.*)$')
    if answer ~= '' and now - tonumber(at) >= tonumber(args[5]) then
      redis.call('HDEL', keys[5], scan[2][i])
      forgotten = forgotten + 1
    end
  end
  return { 'OK', whole(from), tostring(forgotten), scan[1] }
end

redis.register_function { function_name = named('trim'), callback = trim, flags = { 'allow-oom' } }
