-- Keys, time and text: what every verb needs. The loader sets TTL, seconds by kind of key.
-- KEYS[1] is the project's prefix, hash tag included; every key is derived from it.
local PREFIX = KEYS[1]
local call = redis.call
local unpack = unpack or table.unpack

local function key(kind, name)
  if name then
    return PREFIX .. kind .. ':' .. name
  end
  return PREFIX .. kind
end

-- Microseconds fit a double exactly, but Lua would write them with an exponent.
local function int(number)
  return string.format('%.0f', number)
end

-- The server's time in microseconds.
local function clock()
  local time = call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- The name of a run's unit in the project's sets; a unit's key holds no colon.
local function member(run, unit)
  return run .. ':' .. unit
end

local function split(name)
  return string.match(name, '^(.*):([^:]*)$')
end
