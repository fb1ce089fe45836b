-- Note that the process that ran a unit was killed. It costs no attempt of those that errors
-- cost, but is counted: too often, and the unit has failed, whoever runs it by now.
-- KEYS[1] the project's prefix
-- ARGV[1] flow   ARGV[2] run   ARGV[3] unit   ARGV[4] worker   ARGV[5] how often is too often
-- ARGV[6] why    ARGV[7] the error once it is too often   ARGV[8] microseconds until it is ready
-- ARGV[9] this death's own mark: it counts once, however often it is told
-- Returns how often it happened by now; 0 if the unit has no record to fail.
-- uses base ranges runs units flows
local flow, id, unit, worker = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local limit, wait, why = tonumber(ARGV[5]), tonumber(ARGV[8]), ARGV[6]

-- Tell of a death whose lease is no more; in the unit's log that is the attempt which was reaped.
local function tell_late(run)
  local log = key('log', member(flow, unit))
  local lines = call('LRANGE', log, 0, -1)
  for at = #lines, 1, -1 do
    local before, ran, kind, by = string.match(
      lines[at], '^([^\n]*\n([^\n]*)\n([^\n]*)\n([^\n]*)\n[^\n]*\n[^\n]*\n[^\n]*\n)'
    )
    if ran == id and by == worker then
      if kind == 'reaped' then
        tell(run, kind, unit, worker, why)
        lines[at] = before .. why
        call('DEL', log)
        call('RPUSH', log, unpack(lines))
        return call('EXPIRE', log, TTL.log)
      end
      break
    end
  end
  tell_attempt(run, 'reaped', unit, worker, why, '0')
end

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
  tell_late(run)
  return times
end
if holder(flow, unit) == id then
  call('HDEL', key('holders', flow), unit)
end
local final, now = times >= limit, clock()
local text = final and ARGV[7] or why
end_attempt(run, unit, plan, found, not final and int(now + wait), text)
local seconds = mine and took(found, now) or '0'
tell_attempt(run, final and 'failed' or 'retry', unit, worker, text, seconds)
count(run, found.state == 'running')
return times
