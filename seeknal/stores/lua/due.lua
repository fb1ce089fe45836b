-- Pick units that need a message, note that it is sent, and return them: in the order of
-- claiming, of each run no more than its cap leaves room for.
-- KEYS[1] the project's prefix   ARGV[1] how many at most
-- ARGV[2] microseconds after which a message that nobody took counts as lost, or ''
-- ARGV[3] how many messages may be under way in all, or ''
-- Returns run, flow, unit and the message's mark by turns: when it was sent, in the order of
-- sending, so that a message that was sent before the last one of its unit can be told.
-- uses base runs units
local limit, patience, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local now = clock()
local found = {}

local function send(run, units)
  if #units == 0 then
    return
  end
  local scores = {}
  for i, unit in ipairs(units) do
    local mark, n = int(now - #units + i), #found
    scores[2 * i - 1], scores[2 * i] = mark, unit
    found[n + 1], found[n + 2], found[n + 3], found[n + 4] = run.id, run.flow, unit, mark
  end
  call('ZREM', key('unsent', run.id), unpack(units))
  call('ZADD', key('sent', run.id), unpack(scores))
  limit = limit - #units
end

-- As many as may be sent in one go: Lua's stack bounds the arguments of one call.
local function room(most)
  return math.max(0, math.min(limit, most, 1000))
end

wake(now, 1000)
local active = call('ZRANGE', key('active'), 0, -1)
for _, name in ipairs(window and active or {}) do
  window = window - call('ZCARD', key('sent', id_by_age(name)))
end
for _, name in ipairs(active) do
  local run = load_run(id_by_age(name))
  local sent, unsent = key('sent', run.id), key('unsent', run.id)
  if patience then
    local lost = room(limit)
    if lost > 0 then
      send(run, call('ZRANGEBYSCORE', sent, '-inf', int(now - patience), 'LIMIT', 0, lost))
    end
  end
  local left = window and math.min(limit, window) or limit
  if run.max_active then
    left = math.min(left, run.max_active - run.running - call('ZCARD', sent))
  end
  while room(left) > 0 do
    local units = call('ZRANGE', unsent, 0, room(left) - 1)
    send(run, units)
    left = left - #units
    window = window and window - #units
    if #units == 0 then
      break
    end
  end
  if limit <= 0 then
    break
  end
end
return found
