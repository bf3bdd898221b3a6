-- receive: take a record of another shard's outbox into the inbox, once and in the lane's order (M3). Intake: no token (L3).
--
-- KEYS   1 inbox    2 backlog    3 lanes in    4 actor
-- ARGV   1 lane    2 token    3 n    4 'token|n' of the lane's previous record or ''    5 actor    6 message id    7 body
--        8 clock reading or ''
-- Reply  {'TAKEN', position} | {'REWOUND', position, last}; or, with nothing written, {'DUPLICATE'} | {'GAP', last or ''} |
--        {'GONE'} (there is no inbox: data were lost, and it is not made anew)     Cost O(1)
local function receive(keys, args)
  local last = redis.call('HGET', keys[3], args[1]) or ''
  local last_token, last_n = string.match(last, '^(.*)|(%d+)$')
  local word = 'TAKEN'
  -- Who has lost its inbox, and perhaps its lanes with it, has lost no record of ours for good: it is told when it is back.
  if args[4] ~= last and redis.call('EXISTS', keys[1]) == 0 then return { 'GONE' } end
  if args[4] ~= last then
    if args[2] == last_token then
      if tonumber(args[3]) <= tonumber(last_n) then return { 'DUPLICATE' } end
      return { 'GAP', last }
    end
    -- The source lost its tail: a token never seen, whose predecessor lies below what we have of the old tail.
    local before_token, before_n = string.match(args[4], '^(.*)|(%d+)$')
    local counter, last_counter = tonumber(string.match(args[2], '^%d+')), tonumber(string.match(last_token or '0', '^%d+'))
    local before_counter = tonumber(string.match(before_token or '0', '^%d+'))
    local below = before_token == last_token and tonumber(before_n) < tonumber(last_n) or before_counter < last_counter
    if last == '' or counter <= last_counter or not below then return { 'GAP', last } end
    word = 'REWOUND'
  end

  local refused = denied(keys[1], 'INCRBY', 'HINCRBY', 'HSET')
  if refused then return refused end
  local now = whole(reading(args[8]))
  local position = accept(keys[1], keys[2], keys[4], args[5], args[6], args[7], now)
  if not position then return { 'GONE' } end
  redis.call('HSET', keys[3], args[1], args[2] .. '|' .. args[3])
  return { word, position, last }
end

redis.register_function(named('receive'), receive)
