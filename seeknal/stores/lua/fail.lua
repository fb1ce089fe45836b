-- End an attempt: the unit is tried again later, or failed for good.
-- KEYS[1] the project's prefix
-- ARGV[1] flow   ARGV[2] run   ARGV[3] unit   ARGV[4] token   ARGV[5] worker
-- ARGV[6] error   ARGV[7] microseconds until it is ready, or '' if it failed for good
-- ARGV[8] '1' if the same call was sent before and its reply was lost
-- Returns 1, or 0 if the token is not current.
-- uses base ranges runs units flows
local flow, id, unit, token, worker = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local text, wait = ARGV[6], tonumber(ARGV[7])
local ended = key('ended', worker)
if not holds(flow, id, unit, token) then
  return ARGV[8] == '1' and call('GET', ended) == token .. ' failed' and 1 or 0
end
local run, found, now = load_run(id), details(id, unit), clock()
call('HDEL', key('holders', flow), unit)
call('HINCRBY', key('unit', member(id, unit)), 'attempts', 1)
end_attempt(run, unit, planned(id, unit), found, wait and int(now + wait), text)
call('SET', ended, token .. ' failed', 'EX', TTL.ended)
tell_attempt(run, wait and 'retry' or 'failed', unit, worker, text, took(found, now))
count(run, found.state == 'running')
return 1
