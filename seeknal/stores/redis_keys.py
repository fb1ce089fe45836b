"""The keys of a project in Redis: what each holds, and until when.

A key is ``seeknal:{project}:kind`` or ``seeknal:{project}:kind:name``; the braces are the hash
tag that keeps a project's keys on one node of a cluster. Scores and times are microseconds of
the server's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

_DAY: Final = 24 * 3600


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of key: what it holds, and how it goes."""

    holds: str
    goes: str
    ttl: int | None = None
    """Seconds after which it expires, from its last use or (``run``, ``events``) from the end."""
    always: bool = True
    """Whether it has that time to live from its first moment on."""


# The one key that belongs to no project: the set of their names, which never goes.
PROJECTS: Final = "seeknal:projects"
_WITH_UNIT: Final = "with its units, when they complete or their run is cancelled"
_STATE: Final = "never: what is done of a flow is the project's memory"

KINDS: Final[dict[str, Kind]] = {
    # The project.
    "flows": Kind("set of the flows that have state", "never: one name per flow"),
    "token": Kind("the last fencing token", "never: tokens only grow"),
    "server": Kind("the server's run id, to notice a restart", "never: one short text"),
    "seen": Kind("when the server was last looked at, to notice a standstill", "never: one number"),
    "audit": Kind("stream of changes by hand", "never: it is kept on purpose"),
    "runseq": Kind("how many runs there were", "never: one number"),
    "runs": Kind("sorted set of runs by age", "pruned when runs are registered"),
    "active": Kind("sorted set of active runs by priority and age", "with each run's end"),
    "pending": Kind(
        "sorted set of the unfinished fed units of runs that are not paused, by the time from "
        "which they are ready: what workers are scaled by",
        _WITH_UNIT,
    ),
    "leases": Kind("sorted set of units under lease by expiry", _WITH_UNIT),
    "waiting": Kind("sorted set of units by the time they are to be queued", _WITH_UNIT),
    "workers": Kind("sorted set of workers by when they count as gone", "when idle", _DAY),
    "worker": Kind("what a worker does, as JSON", "when it stops beating", 60),
    "office": Kind("who feeds, or cleans up, at present", "when it is not kept", 60),
    "ended": Kind("the last claim a worker ended, for a lost reply", "in an hour", 3600),
    "question": Kind("what a worker is asked about data, as JSON", "in ten minutes", 600),
    "answer": Kind("what it answered", "in ten minutes", 600),
    "lacks": Kind("set of machines that cannot see a unit's input", "in a day", _DAY),
    # A flow.
    "flow": Kind("hash: the version of who holds units, the longest unit", _STATE),
    "completions": Kind("sorted set of completed ranges by start", _STATE),
    "specs": Kind(
        "hash of fingerprints to the spec of the latest run of each",
        "never: one spec per version of the logic",
    ),
    "forgotten": Kind("sorted set of completions taken back, by start", _STATE),
    "restatements": Kind("sorted set of restated ranges by start", _STATE),
    "unfinished": Kind("sorted set of planned and not completed ranges by start", _STATE),
    "values": Kind("hash of completed values", _STATE),
    "restatedvalues": Kind("hash of restated values and why", _STATE),
    "unfinishedvalues": Kind("set of planned and not completed values", _STATE),
    "publishing": Kind(
        "sorted set by start of units that were about to replace output",
        "with the completion of their time: their output may be there",
    ),
    "holders": Kind("hash of units to their current token and its run", _WITH_UNIT),
    "failed": Kind("hash of failed units to their run", "when they are planned again or done"),
    "failures": Kind("sorted set of failed intervals by start", "as in failed"),
    "log": Kind(
        "list of the latest 20 attempts at a unit of which one did not go well",
        "90 days after the last of them",
        90 * _DAY,
    ),
    "flowruns": Kind("sorted set of a flow's runs by age", "pruned when runs are registered"),
    "open": Kind("sorted set of a flow's active and paused runs by age", "with each run's end"),
    # A run.
    "run": Kind(
        "hash: spec, planned ranges, cursor, status, counters, options that can be steered",
        "90 days after the run's end",
        90 * _DAY,
        always=False,
    ),
    "events": Kind(
        "stream of the latest 10,000 events or so",
        "90 days after the run's end",
        90 * _DAY,
        always=False,
    ),
    "returned": Kind(
        "hash of units that a new order took back to what was planned",
        "when they are fed again, or with the run's end",
    ),
    "units": Kind("hash of fed units to what was planned", _WITH_UNIT + "; failed ones stay"),
    "fed": Kind(
        "sorted set of fed units that have not failed, by the order of feeding", _WITH_UNIT
    ),
    "runfailed": Kind("sorted set of a run's failed units, as in fed", "as in failed"),
    "unsent": Kind("sorted set of ready units without a message, as in fed", _WITH_UNIT),
    "sent": Kind(
        "sorted set of ready units by when their message was sent; one that went ahead of others "
        "counts as sent five seconds later",
        _WITH_UNIT,
    ),
    "unit": Kind("hash: a unit's state, attempts, worker, error", "as in units"),
}


#: What a user of the server must be allowed: these commands on the project's keys.
COMMANDS: Final = (
    "del evalsha exists expire get hdel hexists hget hgetall hincrby hlen hmget hset hsetnx incr "
    "info lrange ltrim ping rpush sadd scard script|load set smembers srem time xadd xrange "
    "xrevrange zadd zcard zcount zrange zrangebyscore zrem zremrangebyscore zrevrange "
    "zrevrangebyscore zscore"
)


def prefix(project: str) -> str:
    """Return what all keys of a project begin with."""
    return f"seeknal:{{{quote(project, safe=' ')}}}:"


def lua_ttls() -> str:
    """Return the table of times to live that scripts use."""
    fields = ", ".join(f"{name} = {kind.ttl}" for name, kind in KINDS.items() if kind.ttl)
    return f"local TTL = {{ {fields} }}\n"
