-- Queue again the units whose lease expired. Their tokens stay current until somebody claims.
-- KEYS[1] the project's prefix   ARGV[1] how many at most
-- Returns a list of run, flow, unit, planned, attempts, worker, error.
-- uses base runs units outage
local now = clock()
came_back(now)
local reaped = {}
local names = call('ZRANGEBYSCORE', key('leases'), '-inf', '(' .. int(now), 'LIMIT', 0, ARGV[1])
for _, name in ipairs(names) do
  local id, unit = split(name)
  local run, found, plan = load_run(id), details(id, unit), planned(id, unit)
  give_back(id, unit, now)
  run.running = run.running - 1
  tell_attempt(run, 'reaped', unit, found.worker, 'the lease expired', took(found, now))
  count(run, true)
  reaped[#reaped + 1] = {
    id, run.flow, unit, plan.text, found.attempts, found.worker, found.error,
  }
end
return reaped
