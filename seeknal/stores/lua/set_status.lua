-- Pause, resume, cancel or interrupt a run.
-- KEYS[1] the project's prefix   ARGV[1] run   ARGV[2] the new status
-- ARGV[3] actor   ARGV[4] action   ARGV[5] what   ARGV[6] reason, all '' if it is not audited
-- ARGV[7] '1' if the same call was sent before and its reply was lost
-- Returns 1, or 0 if nothing changed.
-- uses base ranges runs units flows
local id, status = ARGV[1], ARGV[2]
local FROM = {
  paused = { active = true }, active = { paused = true },
  cancelled = { active = true, paused = true }, interrupted = { active = true, paused = true },
}
local run = load_run(id)
if not run then
  return 0
end
if not FROM[status][run.status] then
  return ARGV[7] == '1' and run.status == status and 1 or 0
end

-- Call `act` on each unit of the run that is not failed.
local function each_live(act)
  for _, unit in ipairs(call('ZRANGE', key('fed', id), 0, -1)) do
    act(unit, member(id, unit))
  end
end

local now = clock()
if status == 'paused' then
  call('ZREM', key('active'), by_age(run))
  each_live(function(_, name) call('ZREM', key('pending'), name) end)
elseif status == 'active' then
  activate(run)
  each_live(function(_, name)
    call('ZADD', key('pending'), call('ZSCORE', key('waiting'), name) or int(now), name)
  end)
else
  each_live(function(unit, name)
    if holder(run.flow, unit) == id then
      call('HDEL', key('holders', run.flow), unit)
    end
    local found = details(id, unit)
    if found.attempts > 0 then
      end_attempt(run, unit, planned(id, unit), found, nil, found.error)
    else
      call('ZREM', key('leases'), name)
      drop_record(id, unit, 'queued')
    end
  end)
  call('HSET', key('run', id), 'live', 0, 'running', 0, 'failed', int(run.failed))
  end_run(run, status)
end
call('HSET', key('run', id), 'status', status)
tell(run, status)
new_version(run.flow)
note_change(run.flow, ARGV[3], ARGV[4], ARGV[5], ARGV[6])
return 1
