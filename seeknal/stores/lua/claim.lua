-- Lease the first ready unit: by priority, of the run with the fewest units under lease, by the
-- run's age, then in the order of feeding. Units with a message under way come last, so that few
-- messages find their unit taken.
-- KEYS[1] the project's prefix
-- ARGV[1] worker   ARGV[2] lease in microseconds   ARGV[3] '1' if expired leases of other runs
-- are to be left alone   ARGV[4] a run, or '' for any
-- Returns run, flow, unit, planned, token, until, attempts; or nil.
-- uses base ranges runs units flows outage claims
local worker, seconds, patient, only = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1', ARGV[4]
local now = clock()

-- Lease the first unit of a queue that is to be had.
local function from(run, queue)
  local passed, size = 0, 1
  while true do
    local units = call('ZRANGE', queue, passed, passed + size - 1)
    if #units == 0 then
      return nil
    end
    for _, unit in ipairs(units) do
      local plan, found = planned(run.id, unit), details(run.id, unit)
      if unit_done(run.flow, unit, plan) then
        skip(run, unit, found)
      elseif take_over(run, unit, now, patient) then
        return lease_unit(run, unit, plan, found, worker, seconds, now)
      else
        passed = passed + 1
      end
    end
    size = 16
  end
end

-- The active runs that have units to be had, in the order of claiming.
local function candidates()
  local rows, found = call('ZRANGE', key('active'), 0, -1, 'WITHSCORES'), {}
  for i = 1, #rows, 2 do
    local id = id_by_age(rows[i])
    local run = (only == '' or only == id) and load_run(id)
    if run and run.live > run.running and below_cap(run) then
      run.rank, run.age, run.share = tonumber(rows[i + 1]), i, run.running
      found[#found + 1] = run
    end
  end
  return in_order(found)
end

wake(now, 100)
for _, run in ipairs(candidates()) do
  local claim = from(run, key('unsent', run.id)) or from(run, key('sent', run.id))
  if claim then
    return claim
  end
end
return nil
