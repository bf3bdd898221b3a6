-- limit: GCRA, one number per key. Source: "Rate limiting, cells, and GCRA", brandur.org (2015).
--
-- KEYS   1 key
-- ARGV   1 emission interval in ms    2 burst    3 clock reading or ''
-- Reply  {'1', '0'} allowed | {'0', ms to wait}     Cost O(1)
local function limit(keys, args)
  local now, interval = reading(args[3]), tonumber(args[1])
  local tat = math.max(tonumber(redis.call('GET', keys[1]) or '0'), now)
  local allow_at = tat + interval - interval * tonumber(args[2])
  if allow_at > now then return { '0', whole(math.ceil(allow_at - now)) } end
  -- The TTL only tidies: a key that is gone means an unused allowance.
  redis.call('SET', keys[1], whole(math.floor(tat + interval + 0.5)), 'PX', whole(math.ceil(tat + interval - now + 1000)))
  return { '1', '0' }
end

redis.register_function(named('limit'), limit)
