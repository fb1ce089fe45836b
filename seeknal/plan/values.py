"""Plans a flow whose units are value partitions."""

from __future__ import annotations

from seeknal.errors import UsageError
from seeknal.plan.request import Data, Window
from seeknal.plan.result import Part, Plan, Reason
from seeknal.workflow.state import FlowState, Origin
from seeknal.workflow.units import PlannedValue


def plan_values(flow: str, state: FlowState, data: Data, window: Window) -> Plan:
    """Plan a flow whose units are value partitions; UsageError for a window of dates."""
    if (window.start, window.end, window.ranges) != (None, None, None):
        raise UsageError(
            f"Flow {flow!r} runs by value partition, not by date; choose with --partitions."
        )
    wanted = window.values if window.values is not None else tuple(sorted(data.values))
    present = set(data.values)
    done = {v.value for v in state.values}
    parts: list[Part] = []
    absent: list[str] = []
    waiting = 0
    for value in dict.fromkeys(wanted):
        restated = value in state.restated_values
        if value in done and not restated:
            continue
        if restated and not (window.backfill or value in state.unfinished_values):
            waiting += 1
            continue
        if value not in present and not window.include_empty:
            absent.append(value)
            continue
        parts.append(_value_part(value, restated, state, window))
    return Plan(flow, tuple(parts), waiting=waiting, absent=tuple(absent))


def _value_part(value: str, restated: bool, state: FlowState, window: Window) -> Part:
    if restated:
        return Part(PlannedValue(value, Origin.RESTATE), Reason.RESTATED)
    if window.backfill:
        return Part(PlannedValue(value, Origin.BACKFILL), Reason.MISSING)
    reason = Reason.UNFINISHED if value in state.unfinished_values else Reason.NEW
    return Part(PlannedValue(value, Origin.RUN), reason)
