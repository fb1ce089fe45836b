-- Let no token be as low as one that is known from elsewhere.
-- KEYS[1] the project's prefix   ARGV[1] the token
-- Returns the highest token given out so far.
-- uses base
local last = math.max(tonumber(call('GET', key('token')) or '0'), tonumber(ARGV[1]))
call('SET', key('token'), int(last))
return int(last)
