-- Tell of a run's records in the order of feeding.
-- KEYS[1] the project's prefix
-- ARGV[1] run   ARGV[2] 'queued', 'running', 'failed' or '' for all   ARGV[3] how many at most
-- Returns the flow, then of each unit, planned, state, attempts, ready, worker, until, error.
-- uses base units
local id, wanted, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local found, offset = { call('HGET', key('run', id), 'flow') or '' }, 0
while #found <= limit do
  local units = call('ZRANGE', key('fed', id), offset, offset + 999)
  for _, unit in ipairs(units) do
    local d = details(id, unit)
    local state = d.state == 'waiting' and 'queued' or d.state
    if #found <= limit and (wanted == '' or wanted == state) then
      found[#found + 1] = {
        unit, planned(id, unit).text, state, d.attempts, int(d.ready), d.worker, int(d.till),
        d.error,
      }
    end
  end
  if #units < 1000 then
    break
  end
  offset = offset + 1000
end
return found
