-- send: take a caller's message into the inbox, once per actor and message id (M1, M6). Intake: no token (L3).
--
-- KEYS   1 inbox    2 backlog    3 dedupe
-- ARGV   1 actor    2 message id    3 digest of the command    4 body    5 most per actor (0: no limit)    6 most per shard
--        7 clock reading in ms: when it was accepted, for the age of its answer; nothing is decided by it
-- Reply  {'ACCEPTED', position} | {'DUPLICATE', answer or ''} | {'REUSED'} | {'FULL', 'actor' or 'shard'}     Cost O(1)
local function send(keys, args)
  local field = args[1] .. '|' .. args[2]
  if redis.call('HSETNX', keys[3], field, args[7] .. ' ' .. args[3] .. ' ') == 0 then
    local digest, answer = string.match(redis.call('HGET', keys[3], field), '^%d+ (%x+) (.*)$')
    if digest ~= args[3] then return { 'REUSED' } end
    return { 'DUPLICATE', answer }
  end

  local count = redis.call('HINCRBY', keys[2], args[1], 1)
  local total = redis.call('HINCRBY', keys[2], '*', 1)
  local limit = tonumber(args[5])
  if limit > 0 and (count > limit or total > tonumber(args[6])) then
    -- Nothing was accepted: what was counted and noted is taken back in the same call.
    redis.call('HDEL', keys[3], field)
    handled(keys[2], args[1], 1)
    redis.call('HINCRBY', keys[2], '*', -1)
    return { 'FULL', count > limit and 'actor' or 'shard' }
  end
  local id = redis.call('XADD', keys[1], '0-*', 'a', args[1], 'm', args[2], 'b', args[4], 't', args[7], 'd', args[3])
  return { 'ACCEPTED', whole(place(id)) }
end

redis.register_function('emboss_v1_send', send)
