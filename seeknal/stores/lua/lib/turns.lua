-- Whose turn it is among the active runs. Needs base, ranges, runs, units, flows, outage, claims.

-- A unit whose message goes ahead of all others counts as sent so many microseconds later than
-- it was: for so long it is on its way, and no second message goes ahead for it.
local AHEAD = 5000000
-- After so many a unit in another run's hands is looked at again.
local LATER = 5000000

-- How many units a run has under lease, or on their way to it ahead of all others.
local function share(run, now)
  return run.running + call('ZCOUNT', key('sent', run.id), '(' .. int(now), '+inf')
end

local function set_aside(id, unit, now)
  unqueue(id, unit)
  call('ZADD', key('waiting'), int(now + LATER), member(id, unit))
end

-- The first of a run's ready units that is to be had, in the order of feeding: those that have
-- a message were fed before those that have none. It looks at a few.
local function first_ready(run, now)
  local sent = call('ZRANGEBYSCORE', key('sent', run.id), '-inf', int(now), 'LIMIT', 0, 8)
  for _, units in ipairs({ sent, call('ZRANGE', key('unsent', run.id), 0, 7) }) do
    for _, unit in ipairs(units) do
      if unit_done(run.flow, unit, planned(run.id, unit)) then
        skip(run, unit, details(run.id, unit))
      elseif take_over(run, unit, now, true) then
        return unit
      else
        set_aside(run.id, unit, now)
      end
    end
  end
  return nil
end

-- The other active runs that go before this one, best first, when it has so many units: those
-- of higher priority, and of equal priority those with fewer units; if they may have one more.
local function runs_before(run, mine, now)
  local own = call('ZSCORE', key('active'), by_age(run))
  local rows = call('ZRANGEBYSCORE', key('active'), '-inf', own, 'WITHSCORES')
  local found = {}
  for i = 1, #rows, 2 do
    local id, rank = id_by_age(rows[i]), tonumber(rows[i + 1])
    local other = id ~= run.id and load_run(id)
    if other and other.live > other.running then
      other.rank, other.age, other.share = rank, i, share(other, now)
      local room = not other.max_active or other.share < other.max_active
      if room and (rank < tonumber(own) or other.share < mine) then
        found[#found + 1] = other
      end
    end
  end
  return in_order(found)
end

-- Let another run go first, if one is to: note that the message of its first ready unit goes
-- ahead of all others. Returns its run, flow, unit and mark; or nil.
local function give_way(run, unit, mark, now)
  if call('ZCARD', key('active')) < 2 then
    return nil
  end
  local ahead = mark and tonumber(mark) > now and 1 or 0
  for _, other in ipairs(runs_before(run, share(run, now) - ahead, now)) do
    local first = first_ready(other, now)
    if first then
      local new_mark = int(now + AHEAD)
      call('ZREM', key('unsent', other.id), first)
      call('ZADD', key('sent', other.id), new_mark, first)
      return { other.id, other.flow, first, new_mark }
    end
  end
  return nil
end
