"""Plans a flow whose units are value partitions."""

from __future__ import annotations

from collections import defaultdict

from seeknal.errors import UsageError
from seeknal.plan.request import Data, Reason, Window
from seeknal.plan.result import Exclusion, Part, Plan
from seeknal.workflow.state import FlowState, Origin
from seeknal.workflow.units import PlannedValue


def plan_values(flow: str, state: FlowState, data: Data, window: Window) -> Plan:
    """Plan a flow whose units are value partitions, as if nobody else were there.

    Raises:
        UsageError: the window is one of time.
    """
    if (window.start, window.end, window.ranges) != (None, None, None):
        raise UsageError(
            f"Flow {flow!r} runs by value partition, not by date; choose with --partitions."
        )
    if window.lookback:
        raise UsageError(
            f"Flow {flow!r} runs by value partition; no partition lies before another, so there "
            "is nothing to look back at."
        )
    wanted = window.values if window.values is not None else tuple(sorted(data.values))
    done, present = {v.value for v in state.values}, set(data.values)
    parts: list[Part] = []
    excluded: defaultdict[Exclusion, list[PlannedValue]] = defaultdict(list)
    for value in dict.fromkeys(wanted):
        reason = _reason(value, done, state, window)
        origin = _origin(value, done, window)
        if isinstance(reason, Exclusion):
            excluded[reason].append(PlannedValue(value, origin))
        elif value not in present and not window.include_empty:
            excluded[Exclusion.NO_DATA].append(PlannedValue(value, origin))
        else:
            parts.append(Part(PlannedValue(value, origin), reason))
    return Plan(flow, tuple(parts), excluded={why: tuple(v) for why, v in excluded.items()})


def _reason(value: str, done: set[str], state: FlowState, window: Window) -> Reason | Exclusion:
    """Return why a value is to be run, or why it is not."""
    if value not in done:
        reason = _lacking(value, state, window)
        return reason if window.wants(reason) else Exclusion.KIND
    if value not in state.restated_values:
        return Reason.FORCED if window.force else Exclusion.DONE
    if not (window.whole or value in state.unfinished_values):
        return Exclusion.RESTATED
    reason = Reason.FAILED if value in state.failed_values else Reason.RESTATED
    if window.wants(reason):
        return reason
    return Reason.FORCED if window.force else Exclusion.KIND


def _lacking(value: str, state: FlowState, window: Window) -> Reason:
    """Return why a value that was never done is to be run."""
    if value in state.failed_values:
        return Reason.FAILED
    if window.whole:
        return Reason.MISSING
    return Reason.UNFINISHED if value in state.unfinished_values else Reason.NEW


def _origin(value: str, done: set[str], window: Window) -> Origin:
    if value in done:
        return Origin.RESTATE
    return Origin.BACKFILL if window.whole else Origin.RUN
