"""Units of several schedules side by side: widened to whole ones, told apart, counted, cut."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from seeknal.workflow.intervals import IntervalSet, count_units, nth
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import FlowState, Restatement
from seeknal.workflow.units import Planned, PlannedRange


class Shaped(Protocol):
    """Whole intervals of a schedule that tile ``[start, end)``."""

    @property
    def start(self) -> int: ...  # noqa: D102
    @property
    def end(self) -> int: ...  # noqa: D102
    @property
    def schedule(self) -> str: ...  # noqa: D102


def time_of(stretches: Iterable[Shaped]) -> IntervalSet:
    """Return the time that stretches fill."""
    return IntervalSet((one.start, one.end) for one in stretches)


def whole_units(schedule: Schedule, ranges: IntervalSet) -> IntervalSet:
    """Widen ranges to whole intervals of a schedule."""
    starts = schedule.floors([start for start, _ in ranges])
    ends = schedule.ceils([end for _, end in ranges])
    return IntervalSet.of_ordered(zip(starts, ends, strict=True))


def split(
    stretches: Iterable[PlannedRange], time: IntervalSet
) -> tuple[list[PlannedRange], list[PlannedRange]]:
    """Return the units of stretches that lie apart from ``time``, and those that it touches."""
    apart: list[PlannedRange] = []
    touched: list[PlannedRange] = []
    for one in stretches:
        whole = IntervalSet([(one.start, one.end)])
        within = whole & time
        taken = whole_units(Schedule.parse(one.schedule), within) & whole if within else within
        apart.extend(replace(one, start=s, end=e) for s, e in whole - taken)
        touched.extend(replace(one, start=s, end=e) for s, e in taken)
    return apart, touched


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


def count_shaped(stretches: Iterable[Shaped]) -> int:
    """Return how many intervals stretches hold, each of its own schedule, without listing them."""
    ranges: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for one in stretches:
        ranges[one.schedule].append((one.start, one.end))
    return sum(
        count_units(Schedule.parse(schedule), IntervalSet(pairs))
        for schedule, pairs in ranges.items()
    )


def count_planned(planned: Iterable[Planned]) -> int:
    """Return how many units are planned, without listing them."""
    listed = list(planned)
    ranges = [one for one in listed if isinstance(one, PlannedRange)]
    return count_shaped(ranges) + len(listed) - len(ranges)


def cut(stretch: PlannedRange, count: int) -> tuple[PlannedRange, PlannedRange]:
    """Cut a stretch behind its first ``count`` intervals, of which it has more than that."""
    edge, _ = nth(Schedule.parse(stretch.schedule), stretch.start, stretch.end, count)
    return replace(stretch, end=edge), replace(stretch, start=edge)


def back(schedule: Schedule, tick: int, count: int, first: int) -> int:
    """Return the start of the ``count``-th interval before a tick; not below the tick ``first``."""
    if tick <= first:
        return first
    span = count * (tick - schedule.floor(tick - 1))
    while True:
        low = max(first, tick - span)
        ticks = schedule.ticks(low, tick)
        if len(ticks) >= count or low == first:
            return ticks[-count:][0]
        span *= 2
