"""A flow's progress as people see it: datetimes of the flow's own zone, and partition names."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from seeknal.workflow.instants import to_datetime
from seeknal.workflow.interval_set import IntervalSet
from seeknal.workflow.intervals import units
from seeknal.workflow.partitions import partitions_of
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import FlowState

Interval = tuple[datetime, datetime]


class NodeState:
    """One flow's state: half-open intervals of naive datetimes in the flow's zone.

    A time that a clock change repeats has ``fold=1`` the second time; Python compares datetimes
    without it. Every attribute is worked out when it is read; ``completed_intervals`` lists one
    unit each, so for a flow of millions ask for ``merged_intervals``.
    """

    #: Every completed unit, restated or not, in the shape of the schedule that completed it.
    completed_intervals: list[Interval]
    #: The completed time as the fewest ranges.
    merged_intervals: list[Interval]
    #: Completed partitions: those whose time is wholly completed, or the completed values.
    completed_partitions: list[str]
    #: The ranges that were asked to be done again and are not yet.
    restatement_intervals: list[Interval]
    #: The value partitions that were asked to be done again and are not yet.
    restatement_partitions: list[str]

    def __init__(
        self,
        flow: str,
        state: FlowState,
        *,
        timezone: str = "UTC",
        partition_format: str | None = None,
    ) -> None:
        self.flow = flow
        self.timezone = timezone
        self.partition_format = partition_format
        self._state = state

    def __getattribute__(self, name: str) -> Any:
        # Not properties: documentation writes NodeState.completed_intervals = [...] to say what
        # is in it, and an instance must answer for its own flow whatever its class was given.
        view = _VIEWS.get(name)
        return object.__getattribute__(self, name) if view is None else view(self)

    def __repr__(self) -> str:
        return (
            f"NodeState({self.flow!r}, completed={_readable(self.merged_intervals)}, "
            f"restated={_readable(self.restatement_intervals)})"
        )

    def _pairs(self, ranges: IntervalSet) -> list[Interval]:
        return [self._pair(start, end) for start, end in ranges]

    def _pair(self, start: int, end: int) -> Interval:
        return (
            to_datetime(start, self.timezone, naive=True),
            to_datetime(end, self.timezone, naive=True),
        )

    def _completed_intervals(self) -> list[Interval]:
        return [
            self._pair(start, end)
            for done in sorted(self._state.completions)
            for start, end in units(
                Schedule.parse(done.schedule), IntervalSet([(done.start, done.end)])
            )
        ]

    def _merged_intervals(self) -> list[Interval]:
        return self._pairs(self._state.completed)

    def _completed_partitions(self) -> list[str]:
        if self.partition_format is None:
            return sorted(done.value for done in self._state.values)
        return partitions_of(self._state.completed, self.partition_format, self.timezone)

    def _restatement_intervals(self) -> list[Interval]:
        return self._pairs(self._state.restated)

    def _restatement_partitions(self) -> list[str]:
        return sorted(self._state.restated_values)


_VIEWS: dict[str, Callable[[NodeState], Any]] = {
    "completed_intervals": NodeState._completed_intervals,
    "merged_intervals": NodeState._merged_intervals,
    "completed_partitions": NodeState._completed_partitions,
    "restatement_intervals": NodeState._restatement_intervals,
    "restatement_partitions": NodeState._restatement_partitions,
}


def _readable(pairs: list[Interval]) -> str:
    return "[" + ", ".join(f"{start} to {end}" for start, end in pairs) + "]"
