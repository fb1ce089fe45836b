"""What of a plan falls to one run: less what others hold, with look-back, up to a limit."""

from __future__ import annotations

from dataclasses import replace

from seeknal.plan.held import Held
from seeknal.plan.request import Reason, Taken, Window
from seeknal.plan.result import Exclusion, Hold, Part, Plan, part_time, start_of
from seeknal.plan.shapes import back, count_planned, cut, restatements, split, time_of
from seeknal.stores.base import Again, Change
from seeknal.workflow.intervals import IntervalSet, missing
from seeknal.workflow.state import FlowState, Origin, Restatement
from seeknal.workflow.units import Planned, PlannedRange, PlannedValue

_LOOKBACK = "look-back"


def choose(plan: Plan, state: FlowState, window: Window, taken: Taken, first: int | None) -> Plan:
    """Return what of a plan falls to a new run; nothing lies before ``first``."""
    plan, _ = plan.without(taken.answered)
    plan = _without_repeats(plan, taken.again)
    plan = _without_theirs(plan, taken)
    if window.lookback and plan.schedule is not None and first is not None:
        plan = _with_lookback(plan, state, window.lookback, taken, first)
    if window.limit is not None:
        plan = _limited(plan, window.limit, newest_first=window.newest_first)
    if plan.cut is not None and not part_time(plan.parts).covers(*plan.cut):
        plan = replace(plan, cut=None)
    return plan


def again_of(plan: Plan, reason: str, change: Change | None) -> Again | None:
    """Return what registering a plan's run restates, if anything.

    ``reason`` is why units are forced, and ``change`` what the audit is to keep of that.
    """
    why = {Reason.FORCED: reason, Reason.LOOKBACK: _LOOKBACK}
    ranges: list[Restatement] = []
    values: dict[str, str] = {}
    for part in plan.parts:
        if part.reason not in why:
            continue
        one = part.planned
        if isinstance(one, PlannedValue):
            values[one.value] = why[part.reason]
        else:
            ranges.append(Restatement(one.start, one.end, one.schedule, why[part.reason]))
    forced = any(part.reason is Reason.FORCED for part in plan.parts)
    if not ranges and not values:
        return None
    return Again(tuple(ranges), values, change if forced else None)


def _without_repeats(plan: Plan, again: Held) -> Plan:
    """Take out forced units that have been done again, or that others were at."""
    kept: list[Part] = []
    for part in plan.parts:
        free = again.split(part.planned)[0] if part.reason is Reason.FORCED else [part.planned]
        kept += [Part(one, part.reason) for one in free]
    return replace(plan, parts=tuple(kept))


def _without_theirs(plan: Plan, taken: Taken) -> Plan:
    holds: list[Hold] = []
    for run in taken.runs:
        plan, theirs = plan.without(Held.of([run]))
        if theirs:
            holds.append(Hold(run.id, theirs))
    return replace(plan, held=tuple(holds))


def _with_lookback(plan: Plan, state: FlowState, count: int, taken: Taken, first: int) -> Plan:
    """Add what is done of the ``count`` intervals before each stretch that is to be run.

    In the shape that published it; a unit that is restated is not done, and one that another run
    holds is left to it.
    """
    schedule = plan.schedule
    assert schedule is not None
    runs = part_time(plan.parts)
    first = schedule.floor(first)
    starts = [start for start, _ in runs if start > first]
    before = IntervalSet(
        (back(schedule, tick, count, first), start)
        for tick, start in zip(schedule.floors(starts), starts, strict=True)
    )
    found = [
        PlannedRange(r.start, r.end, r.schedule, Origin.RESTATE)
        for r in restatements(state, before, _LOOKBACK)
    ]
    others = Held.of(taken.runs).time | taken.again.time | taken.answered.time
    found, _ = split(found, runs | state.restated | others)
    parts = [*plan.parts, *(Part(one, Reason.LOOKBACK) for one in found)]
    parts.sort(key=start_of)
    done = time_of(p for p in plan.left_out(Exclusion.DONE) if isinstance(p, PlannedRange))
    text = str(schedule)
    left = done - missing(schedule, done, done, time_of(found))
    done_still = tuple(PlannedRange(s, e, text, "") for s, e in left)
    return replace(plan, parts=tuple(parts)).but(Exclusion.DONE, done_still)


def _limited(plan: Plan, limit: int, *, newest_first: bool) -> Plan:
    """Keep the first units in the order of the run."""
    kept: list[Part] = []
    rest: list[Part] = []
    for part in reversed(plan.parts) if newest_first else plan.parts:
        count = count_planned([part.planned])
        if count <= limit:
            kept.append(part)
            limit -= count
            continue
        if limit == 0:
            rest.append(part)
            continue
        assert isinstance(part.planned, PlannedRange)  # a value is one unit
        early, late = cut(part.planned, count - limit if newest_first else limit)
        kept.append(Part(late if newest_first else early, part.reason))
        rest.append(Part(early if newest_first else late, part.reason))
        limit = 0
    if newest_first:
        kept.reverse()
        rest.reverse()
    left: tuple[Planned, ...] = tuple(part.planned for part in rest)
    return replace(plan, parts=tuple(kept)).but(Exclusion.LIMIT, left)
