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
local run, name = load_run(id), member(id, unit)
local found, plan = details(id, unit), planned(id, unit)
local ready = wait and int(clock() + wait) or '0'
call('HDEL', key('holders', flow), unit)
call('ZREM', key('leases'), name)
unqueue(id, unit)
call(
  'HSET', key('unit', name), 'state', wait and 'waiting' or 'failed', 'ready', ready,
  'attempts', found.attempts + 1, 'error', text, 'worker', '', 'until', '0'
)
if wait then
  call('ZADD', key('waiting'), ready, name)
  call('ZADD', key('pending'), 'XX', ready, name)
  run.retries = run.retries + 1
else
  call('ZREM', key('pending'), name)
  drop_failure(flow, unit)
  call('HSET', key('failed', flow), unit, id)
  if plan.start then
    remember(key('failures', flow), flow, unit, plan.start, plan.stop)
  end
  run.failed, run.live = run.failed + 1, run.live - 1
end
if found.state == 'running' then
  run.running = run.running - 1
end
call('SET', ended, token .. ' failed', 'EX', TTL.ended)
tell(run, wait and 'retry' or 'failed', unit, worker, text)
count(run, found.state == 'running')
return 1
