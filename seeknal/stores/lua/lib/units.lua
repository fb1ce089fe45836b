-- Records of units within the window. Needs base.
-- What never changes of one is in `units` of its run: 'start|end|origin|schedule'. What does
-- is in `unit`, from its first claim on. Its place in the feed is its score in `fed`, or in
-- `runfailed` once it has failed. A unit that is queued and ready is in `unsent` (no message is
-- under way) or in `sent`.

local function planned(run, unit)
  local text = call('HGET', key('units', run), unit)
  if not text then
    return nil
  end
  local start, stop, origin, schedule = string.match(text, '^(-?%d*)|(-?%d*)|([^|]*)|(.*)$')
  return {
    start = tonumber(start), stop = tonumber(stop), origin = origin, schedule = schedule,
    text = text,
  }
end

local function details(run, unit)
  local v = call(
    'HMGET', key('unit', member(run, unit)), 'state', 'attempts', 'ready', 'worker', 'until',
    'error', 'since'
  )
  return {
    state = v[1] or 'queued', attempts = tonumber(v[2] or '0'), ready = tonumber(v[3] or '0'),
    worker = v[4] or '', till = tonumber(v[5] or '0'), error = v[6] or '',
    since = tonumber(v[7] or '0'),
  }
end

-- The seconds since a unit was claimed.
local function took(found, now)
  return string.format('%.3f', found.since > 0 and math.max(0, now - found.since) / 1000000 or 0)
end

-- Whether a claim's token is its unit's current one.
local function holds(flow, run, unit, token)
  return call('HGET', key('holders', flow), unit) == token .. ' ' .. run
end

-- The run that has the current token of a unit, if any.
local function holder(flow, unit)
  local text = call('HGET', key('holders', flow), unit)
  return text and string.match(text, '^%d+ (.*)$')
end

-- Put a ready unit into its place among those without a message.
local function enqueue(run, unit)
  local place = call('ZSCORE', key('fed', run), unit)
  if place then
    call('ZADD', key('unsent', run), place, unit)
  end
end

local function unqueue(run, unit)
  call('ZREM', key('unsent', run), unit)
  call('ZREM', key('sent', run), unit)
  call('ZREM', key('waiting'), member(run, unit))
end

-- Queue again, ready at once, what was leased.
local function give_back(run, unit, now)
  local name = member(run, unit)
  call('ZREM', key('leases'), name)
  call('ZREM', key('waiting'), name)
  call('HSET', key('unit', name), 'state', 'queued', 'ready', '0', 'worker', '', 'until', '0')
  call('ZREM', key('sent', run), unit)
  enqueue(run, unit)
  call('ZADD', key('pending'), 'XX', int(now), name)
end

local function drop_record(run, unit, state)
  local name = member(run, unit)
  if state == 'running' then
    call('ZREM', key('leases'), name)
  else
    unqueue(run, unit)
  end
  call('ZREM', key('pending'), name)
  call('ZREM', key(state == 'failed' and 'runfailed' or 'fed', run), unit)
  call('HDEL', key('units', run), unit)
  call('DEL', key('unit', name))
end

-- Queue the units whose backoff, or whose wait for another run's lease, is over.
local function wake(now, limit)
  local due = call('ZRANGEBYSCORE', key('waiting'), '-inf', int(now), 'LIMIT', 0, limit)
  for _, name in ipairs(due) do
    local run, unit = split(name)
    call('ZREM', key('waiting'), name)
    local state = call('HGET', key('unit', name), 'state') or 'queued'
    if state == 'waiting' then
      call('HSET', key('unit', name), 'state', 'queued', 'ready', '0')
    end
    if state == 'waiting' or state == 'queued' then
      enqueue(run, unit)
    end
  end
end
