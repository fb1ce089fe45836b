-- Whose turn it is among the active runs. Needs base, ranges, runs, units, flows, outage, claims.

-- A unit whose message goes ahead of all others counts as sent so many microseconds later than
-- it was: for so long it is on its way, and no second message goes ahead for it.
local AHEAD = 5000000
-- So many messages of a run of higher priority go ahead at once, so that few have to give way.
local BATCH = 8
-- After so many a unit in another run's hands is looked at again.
local LATER = 5000000

-- How many messages of a run are on their way ahead of all others.
local function ahead(run, now)
  return call('ZCOUNT', key('sent', run.id), '(' .. int(now), '+inf')
end

local function set_aside(id, unit, now)
  unqueue(id, unit)
  call('ZADD', key('waiting'), int(now + LATER), member(id, unit))
end

-- The first of a run's ready units that are to be had, in the order of feeding: those that have
-- a message were fed before those that have none. It looks at a few.
local function first_ready(run, most, now)
  local found = {}
  local sent = call('ZRANGEBYSCORE', key('sent', run.id), '-inf', int(now), 'LIMIT', 0, BATCH)
  for _, units in ipairs({ sent, call('ZRANGE', key('unsent', run.id), 0, BATCH - 1) }) do
    for _, unit in ipairs(units) do
      if #found == most then
        break
      elseif unit_done(run.flow, unit, planned(run.id, unit)) then
        skip(run, unit, details(run.id, unit))
      elseif take_over(run, unit, now, true) then
        found[#found + 1] = unit
      else
        set_aside(run.id, unit, now)
      end
    end
  end
  return found
end

-- The other active runs that go before this one, best first: those of higher priority, and of
-- equal priority those with fewer units, under lease or on their way, than it has under lease; if
-- they may have one more. What is on its own way does not count: it went ahead of others in a
-- batch, and would let its equals pass until all of that had run.
local function runs_before(run, now)
  local own = call('ZSCORE', key('active'), by_age(run))
  local rows = call('ZRANGEBYSCORE', key('active'), '-inf', own, 'WITHSCORES')
  local found = {}
  for i = 1, #rows, 2 do
    local id, rank = id_by_age(rows[i]), tonumber(rows[i + 1])
    local other = id ~= run.id and load_run(id)
    if other and other.live > other.running then
      other.rank, other.age, other.ahead = rank, i, ahead(other, now)
      other.share = other.running + other.ahead
      other.room = other.max_active and other.max_active - other.share or BATCH
      if other.room > 0 and (rank < tonumber(own) or other.share < run.running) then
        other.room = rank < tonumber(own) and math.min(other.room, BATCH - other.ahead) or 1
        found[#found + 1] = other
      end
    end
  end
  return in_order(found)
end

-- Let another run go first, if one is to: note that messages of its first ready units go ahead
-- of all others. Returns run, flow, unit, mark of each by turns; or nil.
local function give_way(run, now)
  if call('ZCARD', key('active')) < 2 then
    return nil
  end
  for _, other in ipairs(runs_before(run, now)) do
    local found = {}
    for i, unit in ipairs(first_ready(other, math.max(1, other.room), now)) do
      local new_mark, n = int(now + AHEAD + i), #found
      call('ZREM', key('unsent', other.id), unit)
      call('ZADD', key('sent', other.id), new_mark, unit)
      found[n + 1], found[n + 2], found[n + 3], found[n + 4] = other.id, other.flow, unit, new_mark
    end
    if #found > 0 then
      return found
    end
  end
  return nil
end
