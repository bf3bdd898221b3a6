-- release: give the shard up on purpose, so that nobody has to wait for a lease to end (L4).
--
-- KEYS   1 owner    2 journal
-- ARGV   1 token    2 nonce    3 clock reading or ''
-- Reply  {'RELEASED', head} | {'FENCED'}     Cost O(1)
local function release(keys, args)
  if not owns(keys[1], args[1]) then return { 'FENCED' } end
  local owner = redis.call('HMGET', keys[1], 'counter', 'line', 'worker')
  local refused = denied(keys[1], 'HSET')
  if refused then return refused end
  local head, _, read, parked = parse_line(owner[2])
  local now = whole(reading(args[3]))
  head = tonumber(head) + 1
  redis.call('XADD', keys[2], '0-' .. whole(head), 'h', entry_head('released', args[1], now, owner[3], '0', ''))
  -- A token of its own for the free shard: a claim compares with what it read (L2). Nobody failed, so nothing is counted (M5).
  redis.call('HSET', keys[1], 'token', owner[1] .. ':free-' .. args[2], 'line', line_of(whole(head), '-', read, parked, now, ''),
    'worker', '', 'tries', 0, 'dueTries', 0, 'trying', '')
  return { 'RELEASED', whole(head) }
end

redis.register_function { function_name = named('release'), callback = release, flags = { 'allow-oom' } }
