-- Tell a flow's whole state at one instant.
-- KEYS[1] the project's prefix   ARGV[1] flow
-- Returns completions, restatements and unfinished as 'end|label' and start by turns; values
-- and restated values as unit and text by turns; unfinished values.
-- uses base
local flow = ARGV[1]
return {
  call('ZRANGE', key('completions', flow), 0, -1, 'WITHSCORES'),
  call('ZRANGE', key('restatements', flow), 0, -1, 'WITHSCORES'),
  call('ZRANGE', key('unfinished', flow), 0, -1, 'WITHSCORES'),
  call('HGETALL', key('values', flow)),
  call('HGETALL', key('restatedvalues', flow)),
  call('SMEMBERS', key('unfinishedvalues', flow)),
}
