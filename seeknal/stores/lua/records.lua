-- Tell of a run's records in the order of feeding. It looks at no more of them than it tells of
-- and are under lease.
-- KEYS[1] the project's prefix
-- ARGV[1] run   ARGV[2] 'queued', 'running', 'failed' or '' for all   ARGV[3] how many at most
-- Returns the flow, then of each unit, planned, state, attempts, ready, worker, until, error,
-- since.
-- uses base units
local id, wanted, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local v = call('HMGET', key('run', id), 'flow', 'running')
local found, places = { v[1] or '' }, {}

local function add(unit, place)
  places[#places + 1] = { unit = unit, place = tonumber(place) }
end

-- Add the first so many of a set.
local function first(kind, most)
  local rows = call('ZRANGE', key(kind, id), 0, most - 1, 'WITHSCORES')
  for i = 1, #rows, 2 do
    add(rows[i], rows[i + 1])
  end
end

if wanted == 'running' then
  for _, name in ipairs(call('ZRANGE', key('leases'), 0, -1)) do
    local run, unit = split(name)
    if run == id then
      add(unit, call('ZSCORE', key('fed', id), unit))
    end
  end
else
  if wanted ~= 'failed' then
    first('fed', wanted == '' and limit or limit + tonumber(v[2] or '0'))
  end
  if wanted ~= 'queued' then
    first('runfailed', limit)
  end
end
table.sort(places, function(a, b) return a.place < b.place end)
for _, one in ipairs(places) do
  local d = details(id, one.unit)
  local state = d.state == 'waiting' and 'queued' or d.state
  if #found <= limit and (wanted == '' or wanted == state) then
    found[#found + 1] = {
      one.unit, planned(id, one.unit).text, state, d.attempts, int(d.ready), d.worker,
      int(d.till), d.error, state == 'running' and int(d.since) or '0',
    }
  end
end
return found
