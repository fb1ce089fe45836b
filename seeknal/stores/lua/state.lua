-- Tell a flow's whole state at one instant.
-- KEYS[1] the project's prefix   ARGV[1] flow
-- Returns completions, restatements and unfinished as 'end|label' and start by turns; values
-- and restated values as unit and text by turns; unfinished values; failed intervals as
-- 'end|unit' and start by turns; failed units and their runs by turns, if some are values.
-- uses base
local flow = ARGV[1]
local failures = call('ZRANGE', key('failures', flow), 0, -1, 'WITHSCORES')
local some_values = 2 * call('HLEN', key('failed', flow)) > #failures
return {
  call('ZRANGE', key('completions', flow), 0, -1, 'WITHSCORES'),
  call('ZRANGE', key('restatements', flow), 0, -1, 'WITHSCORES'),
  call('ZRANGE', key('unfinished', flow), 0, -1, 'WITHSCORES'),
  call('HGETALL', key('values', flow)),
  call('HGETALL', key('restatedvalues', flow)),
  call('SMEMBERS', key('unfinishedvalues', flow)),
  failures,
  some_values and call('HGETALL', key('failed', flow)) or {},
}
