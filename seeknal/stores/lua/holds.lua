-- Tell which runs hold units of a flow.
-- KEYS[1] the project's prefix   ARGV[1] flow
-- Returns the flow's version, then each run's fields and units that were taken back, each with
-- what it holds by turns.
-- uses base runs
local flow = ARGV[1]
local found = { call('HGET', key('flow', flow), 'version') or '0' }
for _, id in ipairs(call('ZRANGE', key('open', flow), 0, -1)) do
  local v = call('HMGET', key('run', id), 'status', 'running')
  if v[1] == 'active' or tonumber(v[2]) > 0 then
    found[#found + 1] = told(id)
  end
end
return found
