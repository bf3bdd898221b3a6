-- advance: move a shard forward in domain time, to what its namespace has travelled in all (T2). Every timer comes nearer by
-- that much, in one go with the note of it; effects, whose due times stand in the same set, stay where they are.
--
-- KEYS   1 owner    2 timers
-- ARGV   1 token    2 ms travelled in all    3 domain ms per real one
-- Reply  {'ADVANCED', ms in all} | {'THERE', ms in all}: it was there before, or further; nothing is written | {'FENCED'}
-- Cost   O(timers): 2 µs each. Of namespaces with virtual time only.
local function advance(keys, args)
  if not owns(keys[1], args[1]) then return { 'FENCED' } end
  local before = tonumber(redis.call('HGET', keys[1], 'travelled') or '0')
  local all, scale = tonumber(args[2]), tonumber(args[3])
  if all <= before then return { 'THERE', whole(before) } end
  local refused = denied(keys[1], 'HSET', 'ZINCRBY')
  if refused then return refused end
  -- Rounded as a whole, so that many small travels bring a timer no nearer than their sum would: never early (T1).
  local nearer = whole(math.floor(before / scale) - math.floor(all / scale))
  for _, member in ipairs(redis.call('ZRANGE', keys[2], 0, -1)) do
    if string.sub(member, 1, 2) == 't|' then redis.call('ZINCRBY', keys[2], nearer, member) end
  end
  redis.call('HSET', keys[1], 'travelled', whole(all))
  return { 'ADVANCED', whole(all) }
end

redis.register_function { function_name = named('advance'), callback = advance, flags = { 'allow-oom' } }
