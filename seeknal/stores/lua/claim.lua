-- Lease the first ready unit: by priority, the run's age, then the order of feeding. Units
-- with a message under way come last, so that few messages find their unit taken.
-- KEYS[1] the project's prefix
-- ARGV[1] worker   ARGV[2] lease in microseconds   ARGV[3] a run, or '' for any
-- ARGV[4] '1' if expired leases of other runs are to be left alone
-- Returns run, flow, unit, planned, token, until, attempts; or nil.
-- uses base ranges runs units flows outage claims
local worker, seconds, only, patient = ARGV[1], tonumber(ARGV[2]), ARGV[3], ARGV[4] == '1'
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

wake(now, 100)
for _, name in ipairs(call('ZRANGE', key('active'), 0, -1)) do
  local id = string.match(name, '^%d+:(.*)$')
  if only == '' or only == id then
    local run = load_run(id)
    if run.live > run.running and below_cap(run) then
      local claim = from(run, key('unsent', id)) or from(run, key('sent', id))
      if claim then
        return claim
      end
    end
  end
end
return nil
