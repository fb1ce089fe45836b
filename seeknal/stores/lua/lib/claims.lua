-- Leasing one unit. Needs base, ranges, runs, units, flows and outage.

-- The next fencing token: greater than any before, and than any of an older copy of the data.
local function new_token(now)
  local last = tonumber(call('GET', key('token')) or '0')
  local token = int(math.max(last + 1, now))
  call('SET', key('token'), token)
  return token
end

-- Count a unit that somebody else completed as done.
local function skip(run, unit, found)
  if holder(run.flow, unit) == run.id then
    call('HDEL', key('holders', run.flow), unit)
  end
  drop_record(run.id, unit, found.state)
  run.done, run.live = run.done + 1, run.live - 1
  if found.state == 'running' then
    run.running = run.running - 1
  end
  tell(run, 'skipped', unit)
  count(run, found.state == 'running')
end

-- Take a unit from another run's expired lease; false if that run holds it.
local function take_over(run, unit, now, patient)
  local other = holder(run.flow, unit)
  if not other or other == run.id then
    return true
  end
  local found = details(other, unit)
  if found.state ~= 'running' then
    return true
  end
  if patient or found.till >= now or came_back(now) then
    return false
  end
  give_back(other, unit, now)
  local theirs = load_run(other)
  theirs.running = theirs.running - 1
  count(theirs, true)
  return true
end

-- Lease a unit; one that is known to be in `sent` is nowhere else.
local function lease_unit(run, unit, plan, found, worker, seconds, now)
  local name = member(run.id, unit)
  local token, till = new_token(now), int(now + seconds)
  if found.state ~= 'running' then
    if found.sent then
      call('ZREM', key('sent', run.id), unit)
    else
      unqueue(run.id, unit)
    end
    call('HINCRBY', key('run', run.id), 'running', 1)
  end
  call('ZADD', key('leases'), till, name)
  call(
    'HSET', key('unit', name), 'state', 'running', 'worker', worker, 'until', till,
    'lease', int(seconds), 'since', int(now)
  )
  call('HSET', key('holders', run.flow), unit, token .. ' ' .. run.id)
  return { run.id, run.flow, unit, plan.text, token, till, found.attempts }
end
