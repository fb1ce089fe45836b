-- Pick units that need a message, note that it is sent, and return them: by priority, among runs
-- of equal priority of the one with the fewest messages under way, in the order of feeding; of
-- each run no more than its cap leaves room for.
-- KEYS[1] the project's prefix   ARGV[1] how many at most
-- ARGV[2] microseconds after which a message that nobody took counts as lost, or ''
-- ARGV[3] how many messages may be under way in all, or ''
-- Returns run, flow, unit and the message's mark by turns: when it was sent, in the order of
-- sending, so that a message that was sent before the last one of its unit can be told.
-- uses base runs units
local limit, patience = tonumber(ARGV[1]), tonumber(ARGV[2])
local window = tonumber(ARGV[3]) or math.huge
local now = clock()
-- Lua's stack bounds the arguments of one call; runs that share the window take turns.
local MOST, TURN = 1000, 4
local found = {}

local function send(run, units)
  if #units == 0 then
    return
  end
  local scores = {}
  for i, unit in ipairs(units) do
    local mark, n = int(now + i), #found
    scores[2 * i - 1], scores[2 * i] = mark, unit
    found[n + 1], found[n + 2], found[n + 3], found[n + 4] = run.id, run.flow, unit, mark
  end
  call('ZREM', key('unsent', run.id), unpack(units))
  call('ZADD', key('sent', run.id), unpack(scores))
  limit = limit - #units
end

local function send_lost(run)
  local most = math.min(limit, MOST)
  if most > 0 then
    local before = int(now - patience)
    send(run, call('ZRANGEBYSCORE', key('sent', run.id), '-inf', before, 'LIMIT', 0, most))
  end
end

-- Send up to so many; return whether there may be more.
local function send_ready(run, most)
  local room = (run.max_active or math.huge) - run.running - run.sent
  local number = math.min(limit, window, room, most)
  if number <= 0 then
    return false
  end
  local units = call('ZRANGE', key('unsent', run.id), 0, number - 1)
  send(run, units)
  run.sent, window = run.sent + #units, window - #units
  return #units == most
end

-- Let runs of equal priority, oldest first, take turns.
local function share_out(runs)
  while #runs > 0 do
    local least = 1
    for i, run in ipairs(runs) do
      if run.sent < runs[least].sent then
        least = i
      end
    end
    if not send_ready(runs[least], #runs == 1 and MOST or TURN) then
      table.remove(runs, least)
    end
  end
end

wake(now, 1000)
local rows, ranks = call('ZRANGE', key('active'), 0, -1, 'WITHSCORES'), {}
for i = 1, #rows, 2 do
  local run = load_run(id_by_age(rows[i]))
  run.sent, run.rank = call('ZCARD', key('sent', run.id)), rows[i + 1]
  window = window - run.sent
  if #ranks == 0 or ranks[#ranks][1].rank ~= run.rank then
    ranks[#ranks + 1] = {}
  end
  table.insert(ranks[#ranks], run)
end
for _, runs in ipairs(patience and ranks or {}) do
  for _, run in ipairs(runs) do
    send_lost(run)
  end
end
for _, runs in ipairs(ranks) do
  share_out(runs)
end
return found
