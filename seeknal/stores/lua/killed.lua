-- Note that the process that ran a unit was killed. It costs no attempt of those that errors
-- cost, but is counted: too often, and the unit has failed, whoever runs it by now.
-- KEYS[1] the project's prefix
-- ARGV[1] flow   ARGV[2] run   ARGV[3] unit   ARGV[4] worker   ARGV[5] how often is too often
-- ARGV[6] why    ARGV[7] the error once it is too often   ARGV[8] microseconds until it is ready
-- ARGV[9] this death's own mark: it counts once, however often it is told
-- Returns how often it happened by now; 0 if the unit has no record to fail.
-- uses base ranges runs units flows
local flow, id, unit, worker = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local limit, wait = tonumber(ARGV[5]), tonumber(ARGV[8])
local run, plan = load_run(id), planned(id, unit)
local found = plan and details(id, unit)
if not run or not plan or found.state == 'failed' then
  return 0
end
local name = member(id, unit)
if call('HGET', key('unit', name), 'death') == ARGV[9] then
  return tonumber(call('HGET', key('unit', name), 'kills'))
end
call('HSET', key('unit', name), 'death', ARGV[9])
local times = call('HINCRBY', key('unit', name), 'kills', 1)
local mine = found.state == 'running' and found.worker == worker
if times < limit and not mine then
  tell_attempt(run, 'reaped', unit, worker, ARGV[6], '0')
  return times
end
if holder(flow, unit) == id then
  call('HDEL', key('holders', flow), unit)
end
local final, now = times >= limit, clock()
local text = final and ARGV[7] or ARGV[6]
end_attempt(run, unit, plan, found, not final and int(now + wait), text)
local seconds = mine and took(found, now) or '0'
tell_attempt(run, final and 'failed' or 'retry', unit, worker, text, seconds)
count(run, found.state == 'running')
return times
