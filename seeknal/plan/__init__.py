"""What to run: from a flow's state, its data's extent and a request, to ranges of units.

Everything here is a pure function of its arguments; the present is one of them. A plan holds
ranges, never units, so that ten million intervals cost what one does.
"""

from __future__ import annotations

from seeknal.errors import UsageError
from seeknal.plan.choice import again_of, choose
from seeknal.plan.held import Held
from seeknal.plan.intervals import IntervalPlanner
from seeknal.plan.request import KINDS, Data, Reason, Taken, Window
from seeknal.plan.result import Exclusion, Hold, Part, Plan, start_of
from seeknal.plan.shapes import count_planned, count_shaped, restatements
from seeknal.plan.values import plan_values
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import FlowState

__all__ = [
    "KINDS",
    "Data",
    "Exclusion",
    "Held",
    "Hold",
    "Part",
    "Plan",
    "Reason",
    "Taken",
    "Window",
    "again_of",
    "count_planned",
    "count_shaped",
    "make_plan",
    "restatements",
    "start_of",
]

_NOTHING = Taken()


def make_plan(
    flow: str,
    schedule: Schedule | None,
    state: FlowState,
    data: Data,
    window: Window,
    *,
    now: float,
    start: int | None = None,
    lag: int = 0,
    taken: Taken = _NOTHING,
) -> Plan:
    """Plan a run.

    Args:
        flow: the flow's name.
        schedule: its schedule; None for a flow whose units are value partitions.
        state: its state.
        data: what its input holds.
        window: what is asked for.
        now: the present, in UTC seconds.
        start: the flow's ``start_date`` in UTC seconds, if it has one.
        lag: seconds past its end before an interval is due.
        taken: what is left to others.

    Raises:
        UsageError: the window does not fit the kind of flow.
    """
    if schedule is None:
        return choose(plan_values(flow, state, data, window), state, window, taken, None)
    if window.values is not None:
        raise UsageError(f"Flow {flow!r} has no value partitions; give dates instead.")
    planner = IntervalPlanner(flow, schedule, state, data, window, int(now), lag, start)
    return choose(planner.plan(), state, window, taken, planner.first)
