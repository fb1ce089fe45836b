-- Lease one unit of a run, if it is to be had.
-- KEYS[1] the project's prefix
-- ARGV[1] worker   ARGV[2] lease in microseconds   ARGV[3] run   ARGV[4] unit
-- ARGV[5] '1' if expired leases are to be left alone
-- ARGV[6] '1' if the same claim was sent before and its reply was lost
-- Returns run, flow, unit, planned, token, until, attempts; or nil.
-- uses base ranges runs units flows outage claims
local worker, seconds, id, unit = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4]
local patient, repeated = ARGV[5] == '1', ARGV[6] == '1'
local LATER = 5000000

-- The message that led here is used up: the unit needs another one, now or at some time.
local function message_used(at)
  if call('ZREM', key('sent', id), unit) == 1 then
    if at then
      call('ZADD', key('waiting'), int(at), member(id, unit))
    else
      enqueue(id, unit)
    end
  end
end

local run = load_run(id)
local plan = run and planned(id, unit)
if not plan then
  return nil
end
if run.status ~= 'active' then
  message_used()
  return nil
end
local now = clock()
local found = details(id, unit)
if found.state == 'failed' or (found.state == 'waiting' and found.ready > now) then
  return nil
end
if found.state == 'running' then
  local again = repeated and found.worker == worker
  local expired = found.till < now and not patient and not came_back(now)
  if not (again or expired) then
    return nil
  end
elseif not below_cap(run) then
  message_used()
  return nil
end
if unit_done(run.flow, unit, plan) then
  skip(run, unit, found)
  return nil
end
if not take_over(run, unit, now, patient) then
  message_used(now + LATER)
  return nil
end
return lease_unit(run, unit, plan, found, worker, seconds, now)
