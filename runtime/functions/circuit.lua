-- circuit: one breaker per dependency, shared by all workers (E3). Closed opens when half of 20 calls failed; after
-- `rest` ms it lets one probe through per `rest`; a probe that succeeds closes it, one that fails opens it again.
--
-- KEYS   1 circuit    2 set of names
-- ARGV   1 'enter', or how a call went: 'ok', 'bad', and of a probe 'probe-ok', 'probe-bad'    2 rest in ms    3 name    4 clock reading or ''
-- Reply  {'PASS', state} | {'WAIT', ms} | {'NOTED', state}     Cost O(1)
local function circuit(keys, args)
  local now, rest = reading(args[4]), tonumber(args[2])
  local facts = redis.call('HMGET', keys[1], 'state', 'ok', 'bad', 'since', 'probe')
  local state, ok, bad = facts[1] or 'closed', tonumber(facts[2] or '0'), tonumber(facts[3] or '0')
  local since, probe = tonumber(facts[4] or '0'), tonumber(facts[5] or '0')
  local refused = denied(keys[1], 'HSET')
  if refused then return refused end
  redis.call('SADD', keys[2], args[3])

  if args[1] == 'enter' then
    if state == 'closed' then return { 'PASS', state } end
    local ready = math.max(since, probe) + rest
    if now < ready then return { 'WAIT', whole(ready - now) } end
    redis.call('HSET', keys[1], 'state', 'half-open', 'probe', whole(now))
    return { 'PASS', 'half-open' }
  end

  local good = args[1] == 'ok' or args[1] == 'probe-ok'
  local of_probe = string.sub(args[1], 1, 6) == 'probe-'
  if state == 'closed' then
    if good then ok = ok + 1 else bad = bad + 1 end
    if ok + bad >= 20 then
      if bad * 2 >= ok + bad then state, since = 'open', now end
      ok, bad = 0, 0
    end
  elseif state == 'half-open' and of_probe then -- Late reports of calls begun before it opened do not count.
    if good then state = 'closed' else state, since = 'open', now end
    ok, bad = 0, 0
  end
  redis.call('HSET', keys[1], 'state', state, 'ok', ok, 'bad', bad, 'since', whole(since))
  return { 'NOTED', state }
end

redis.register_function(named('circuit'), circuit)
