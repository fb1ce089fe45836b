-- Lease one unit of a run, if it is to be had.
-- KEYS[1] the project's prefix
-- ARGV[1] worker   ARGV[2] lease in microseconds   ARGV[3] '1' if expired leases are to be left
-- alone   ARGV[4] run   ARGV[5] unit
-- ARGV[6] '1' if a message led here: then another run may go first
-- ARGV[7] the mark of that message: it counts if it is the last one sent; '' if it has none
-- ARGV[8] '1' if the same claim was sent before and its reply was lost
-- Returns run, flow, unit, planned, token, until, attempts; or nil; or, if another run goes
-- first, run, flow, unit, mark by turns of messages that are to go ahead of all others; or, if
-- all messages of the run with lower marks are out of date, the least that is not.
-- uses base ranges runs units flows outage claims turns
local worker, seconds, id, unit = ARGV[1], tonumber(ARGV[2]), ARGV[4], ARGV[5]
local patient, fair, repeated = ARGV[3] == '1', ARGV[6] == '1', ARGV[8] == '1'
local mark = tonumber(ARGV[7])

-- The message that led here is used up: the unit needs another one.
local function message_used(found)
  if found.sent then
    call('ZREM', key('sent', id), unit)
    enqueue(id, unit)
  end
end

-- Another message about the unit was sent since, or will be, or none is needed: tell whether
-- that holds for more messages of the run.
local function out_of_date(run)
  local ended = not is_open(run.status)
  local least = ended and int(clock()) or call('HGET', key('run', id), 'turned')
  return mark and least and mark < tonumber(least) and { least } or nil
end

local run = load_run(id)
if not run then
  return nil
end
local plan = planned(id, unit)
if not plan then
  return out_of_date(run)
end
local now = clock()
local found = details(id, unit)
if found.state == 'failed' or (found.state == 'waiting' and found.ready > now) then
  return nil
end
found.sent = call('ZSCORE', key('sent', id), unit)
if mark and found.state ~= 'running' and tonumber(found.sent or '0') ~= mark then
  return out_of_date(run)
end
if run.status ~= 'active' then
  message_used(found)
  return nil
end
if found.state == 'running' then
  local again = repeated and found.worker == worker
  local expired = found.till < now and not patient and not came_back(now)
  if not (again or expired) then
    return nil
  end
elseif not below_cap(run) then
  message_used(found)
  return nil
end
if unit_done(run.flow, unit, plan) then
  skip(run, unit, found)
  return nil
end
if not take_over(run, unit, now, patient) then
  if found.sent then
    set_aside(id, unit, now)
  end
  return nil
end
local first = fair and found.state ~= 'running' and give_way(run, now)
if first then
  return first
end
return lease_unit(run, unit, plan, found, worker, seconds, now)
