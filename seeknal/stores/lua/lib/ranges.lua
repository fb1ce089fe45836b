-- Labelled ranges: a sorted set by start, whose members are 'end|label'. No two overlap; two
-- that touch are one if their labels are equal. Only neighbours of what changes are touched.

-- The ranges that overlap or touch [first, last), in order.
local function near(set, first, last)
  local found, offset, size = {}, 0, 8
  local reached = int(last)
  while true do
    local rows = call(
      'ZREVRANGEBYSCORE', set, reached, '-inf', 'WITHSCORES', 'LIMIT', offset, size
    )
    for i = 1, #rows, 2 do
      local stop, label = string.match(rows[i], '^(-?%d+)|(.*)$')
      stop = tonumber(stop)
      if stop < first then
        size = nil
        break
      end
      table.insert(found, 1, { start = tonumber(rows[i + 1]), stop = stop, label = label })
    end
    if not size or #rows < 2 * size then
      return found
    end
    offset, size = offset + size, 64
  end
end

local function covers(set, first, last)
  local reached = first
  for _, old in ipairs(near(set, first, last)) do
    if old.start > reached then
      return false
    end
    reached = math.max(reached, old.stop)
  end
  return reached >= last
end

-- The parts of the ranges that lie within [first, last).
local function within(set, first, last)
  local found = {}
  for _, old in ipairs(near(set, first, last)) do
    local start, stop = math.max(old.start, first), math.min(old.stop, last)
    if start < stop then
      found[#found + 1] = { start = start, stop = stop, label = old.label }
    end
  end
  return found
end

-- What is left of ranges without [first, last).
local function without(ranges, first, last)
  local left = {}
  for _, old in ipairs(ranges) do
    if old.stop <= first or old.start >= last then
      left[#left + 1] = old
    else
      if old.start < first then
        left[#left + 1] = { start = old.start, stop = first, label = old.label }
      end
      if old.stop > last then
        left[#left + 1] = { start = last, stop = old.stop, label = old.label }
      end
    end
  end
  return left
end

local function joined(ranges)
  table.sort(ranges, function(a, b) return a.start < b.start end)
  local found = {}
  for _, new in ipairs(ranges) do
    local last = found[#found]
    if last and last.stop == new.start and last.label == new.label then
      found[#found] = { start = last.start, stop = new.stop, label = new.label }
    else
      found[#found + 1] = new
    end
  end
  return found
end

-- Write what differs.
local function replace(set, before, after)
  local was, is = {}, {}
  for _, old in ipairs(before) do
    was[int(old.stop) .. '|' .. old.label] = old.start
  end
  for _, new in ipairs(after) do
    local name = int(new.stop) .. '|' .. new.label
    is[name] = true
    if was[name] ~= new.start then
      call('ZADD', set, int(new.start), name)
    end
  end
  for name in pairs(was) do
    if not is[name] then
      call('ZREM', set, name)
    end
  end
end

-- Label [first, last), whatever lay there before.
local function paint(set, first, last, label)
  if first >= last then
    return
  end
  local before = near(set, first, last)
  local after = without(before, first, last)
  after[#after + 1] = { start = first, stop = last, label = label }
  replace(set, before, joined(after))
end

-- Label what of [first, last) is empty.
local function fill(set, first, last, label)
  if first >= last then
    return
  end
  local before = near(set, first, last)
  local after, reached = {}, first
  for _, old in ipairs(before) do
    if old.start > reached then
      after[#after + 1] = { start = reached, stop = math.min(old.start, last), label = label }
    end
    after[#after + 1] = old
    reached = math.max(reached, old.stop)
  end
  if reached < last then
    after[#after + 1] = { start = reached, stop = last, label = label }
  end
  replace(set, before, joined(after))
end

-- Take [first, last) out.
local function erase(set, first, last)
  if first >= last then
    return
  end
  local before = near(set, first, last)
  if #before > 0 then
    replace(set, before, without(before, first, last))
  end
end
