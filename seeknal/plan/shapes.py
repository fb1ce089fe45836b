"""Units of several schedules side by side: widened to whole ones, and counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from seeknal.workflow.intervals import IntervalSet, count_units
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import FlowState, Restatement
from seeknal.workflow.units import Planned, PlannedRange


def whole_units(schedule: Schedule, ranges: IntervalSet) -> IntervalSet:
    """Widen ranges to whole intervals of a schedule."""
    return IntervalSet((schedule.floor(s), schedule.ceil(e)) for s, e in ranges.ranges)


def restatements(state: FlowState, ranges: IntervalSet, reason: str) -> tuple[Restatement, ...]:
    """Widen a request to the completed units that it touches, each in its published shape."""
    found: list[Restatement] = []
    for completion in state.completions:
        touched = ranges & IntervalSet([(completion.start, completion.end)])
        if not touched:
            continue
        for start, end in whole_units(Schedule.parse(completion.schedule), touched).ranges:
            found.append(Restatement(start, end, completion.schedule, reason))
    return tuple(found)


class Shaped(Protocol):
    """Whole intervals of a schedule that tile ``[start, end)``."""

    @property
    def start(self) -> int: ...  # noqa: D102
    @property
    def end(self) -> int: ...  # noqa: D102
    @property
    def schedule(self) -> str: ...  # noqa: D102


def count_shaped(stretches: Iterable[Shaped]) -> int:
    """Return how many intervals stretches hold, each of its own schedule, without listing them."""
    return sum(
        count_units(Schedule.parse(one.schedule), IntervalSet([(one.start, one.end)]))
        for one in stretches
    )


def count_planned(planned: Iterable[Planned]) -> int:
    """Return how many units are planned, without listing them."""
    listed = list(planned)
    ranges = [one for one in listed if isinstance(one, PlannedRange)]
    return count_shaped(ranges) + len(listed) - len(ranges)
