-- resume: go on with an operator's act on a parked actor that an owner before us began, a bounded number of times (M5). The
-- message that is next may be what ended that owner; each message that is handled starts the count anew.
--
-- KEYS   1 owner    2 parked
-- ARGV   1 token    2 actor    3 most resumptions over one message
-- Reply  'RESUMED' | 'PARKED' (given up: it waits for the operator again) | 'GONE' | 'FENCED'     Cost O(1)
local function resume(keys, args)
  if not owns(keys[1], args[1]) then return 'FENCED' end
  local how, tries, why = treatment(redis.call('HGET', keys[2], args[2]))
  if not how then return 'GONE' end
  if tries >= tonumber(args[3]) then how, tries = 'P', 0 else tries = tries + 1 end
  redis.call('HSET', keys[2], args[2], treated(how, tries, why))
  return how == 'P' and 'PARKED' or 'RESUMED'
end

redis.register_function(named('resume'), resume)
