"""What to run: from a flow's state, its data's extent and a request, to ranges of units.

Everything here is a pure function of its arguments; the present is one of them. A plan holds
ranges, never units, so that ten million intervals cost what one does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from seeknal.errors import UsageError
from seeknal.workflow.intervals import IntervalSet, count_units, due, missing
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import FlowState, Origin, Restatement, Run
from seeknal.workflow.units import Planned, PlannedRange, PlannedValue, Unit

_NONE = IntervalSet()


class Reason(StrEnum):
    """Why a unit is to be run."""

    NEW = "new"
    MISSING = "missing"
    UNFINISHED = "unfinished"
    RESTATED = "restated"


@dataclass(frozen=True, slots=True)
class Window:
    """What a caller asks to run.

    ``start`` and ``end`` are explicit bounds in UTC seconds (None: the flow's own), ``ranges``
    explicit stretches of time instead of them, ``values`` explicit value partitions (None: all).
    ``backfill`` asks for every missing unit; ``include_empty`` also for those past the data.
    """

    start: int | None = None
    end: int | None = None
    ranges: IntervalSet | None = None
    values: tuple[str, ...] | None = None
    backfill: bool = False
    include_empty: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """What the input holds: its extent in UTC seconds (None: no rows), or its values."""

    extent: tuple[float, float] | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a plan's units, and why they are in it."""

    planned: Planned
    reason: Reason


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request comes to.

    ``parts`` is to be run, in order of time. ``beyond`` holds units that are due but lie wholly
    past the data's maximum, ``gaps`` older ones that the request does not include (both tile
    ``schedule``); ``waiting`` counts restated units that only a backfill includes;
    ``absent`` are values asked for that the data does not have. ``cut`` is the
    interval to be run that contains the data's maximum.
    """

    flow: str
    parts: tuple[Part, ...]
    schedule: Schedule | None = None
    beyond: IntervalSet = _NONE
    gaps: IntervalSet = _NONE
    waiting: int = 0
    absent: tuple[str, ...] = ()
    cut: tuple[int, int] | None = None

    @property
    def noun(self) -> str:
        """What the flow's units are called."""
        return "interval" if self.schedule else "partition"

    @property
    def planned(self) -> tuple[Planned, ...]:
        """What is to be run."""
        return tuple(part.planned for part in self.parts)

    def count(self, reason: Reason | None = None) -> int:
        """Return how many units are to be run, in all or for one reason."""
        chosen = (p.planned for p in self.parts if reason in (None, p.reason))
        return count_planned(chosen)

    def without(self, held: Held) -> tuple[Plan, tuple[Part, ...]]:
        """Split off what is in other hands."""
        mine: list[Part] = []
        theirs: list[Part] = []
        for part in self.parts:
            kept, taken = held.split(part.planned)
            mine.extend(Part(p, part.reason) for p in kept)
            theirs.extend(Part(p, part.reason) for p in taken)
        return replace(self, parts=tuple(mine)), tuple(theirs)


@dataclass(frozen=True, slots=True)
class Held:
    """Time and values set apart from a plan: what other runs hold, or what has failed."""

    time: IntervalSet = _NONE
    values: frozenset[str] = frozenset()

    @classmethod
    def of(cls, runs: Iterable[Run]) -> Held:
        """Return what runs planned."""
        return cls.of_planned(p for run in runs for p in run.planned)

    @classmethod
    def of_planned(cls, planned: Iterable[Planned]) -> Held:
        """Return what is planned."""
        listed = list(planned)
        return cls(
            IntervalSet((p.start, p.end) for p in listed if isinstance(p, PlannedRange)),
            frozenset(p.value for p in listed if isinstance(p, PlannedValue)),
        )

    @classmethod
    def of_units(cls, units: Iterable[Unit]) -> Held:
        """Return what single units come to."""
        listed = list(units)
        return cls(
            IntervalSet((u.start, u.end) for u in listed if u.value is None),
            frozenset(u.value for u in listed if u.value is not None),
        )

    def has(self, unit: Unit) -> bool:
        """Return whether any of a unit is in it."""
        if unit.value is not None:
            return unit.value in self.values
        return self.time.overlaps(unit.start, unit.end)

    def split(self, planned: Planned) -> tuple[list[Planned], list[Planned]]:
        """Return what of ``planned`` is free, and what is held."""
        if isinstance(planned, PlannedValue):
            return ([], [planned]) if planned.value in self.values else ([planned], [])
        whole = IntervalSet([(planned.start, planned.end)])
        taken = _whole_units(Schedule.parse(planned.schedule), whole & self.time) & whole
        return (
            [replace(planned, start=s, end=e) for s, e in (whole - taken).ranges],
            [replace(planned, start=s, end=e) for s, e in taken.ranges],
        )


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

    Raises:
        UsageError: the window does not fit the kind of flow.
    """
    if schedule is None:
        return _plan_values(flow, state, data, window)
    if window.values is not None:
        raise UsageError(f"Flow {flow!r} has no value partitions; give dates instead.")
    return _IntervalPlanner(flow, schedule, state, data, window, int(now) - lag, start).plan()


class _IntervalPlanner:
    """Plans a flow on a schedule; the fields are :func:`make_plan`'s arguments."""

    def __init__(
        self,
        flow: str,
        schedule: Schedule,
        state: FlowState,
        data: Data,
        window: Window,
        until: int,
        start: int | None,
    ) -> None:
        self.flow, self.schedule, self.state = flow, schedule, state
        self.window, self.until = window, until
        self.latest = int(data.extent[1] // 1) if data.extent else None
        self.first = start
        if start is None and data.extent:
            self.first = int(data.extent[0] // 1)
        self.completed = state.completed
        self.spans = self._spans()

    def plan(self) -> Plan:
        asked = self._due(self.schedule)
        restated = self._restated()
        if self.window.backfill:
            chosen, gaps, fresh = self._missing(asked), IntervalSet(), IntervalSet()
            redo = restated
        else:
            fresh = self._fresh(asked)
            chosen = fresh | self._left(asked)
            gaps = self._missing(asked) - chosen
            redo = [r for r in restated if self.state.unfinished.overlaps(*r[:2])]
        waiting = count_shaped(PlannedRange(s, e, r.schedule, "") for s, e, r in restated)
        waiting -= count_shaped(PlannedRange(s, e, r.schedule, "") for s, e, r in redo)
        redo = _apart(redo, chosen)
        chosen, beyond = self._reach(self.schedule, chosen)
        parts = self._parts(chosen & fresh, Reason.NEW)
        rest = Reason.MISSING if self.window.backfill else Reason.UNFINISHED
        parts += self._parts(chosen - fresh, rest)
        parts += self._redone(redo)
        parts.sort(key=lambda p: p.planned.start if isinstance(p.planned, PlannedRange) else 0)
        return Plan(
            self.flow,
            tuple(parts),
            self.schedule,
            beyond,
            self._reach(self.schedule, gaps)[0],
            waiting,
            cut=self._cut(chosen),
        )

    def _spans(self) -> IntervalSet:
        """The time that is asked for, as far as it lies in the past."""
        window = self.window
        if window.ranges is not None:
            first = min((s for s, _ in window.ranges.ranges), default=0)
            return window.ranges & IntervalSet([(min(first, self.until), self.until)])
        start = window.start if window.start is not None else self.first
        end = self.until if window.end is None else min(window.end, self.until)
        return IntervalSet([(start, end)]) if start is not None and start < end else IntervalSet()

    def _due(self, schedule: Schedule) -> IntervalSet:
        """The window's intervals, by the window rule."""
        found = IntervalSet()
        for start, end in self.spans.ranges:
            found |= due(schedule, start, end)
        return found

    def _missing(self, asked: IntervalSet) -> IntervalSet:
        return missing(self.schedule, asked, self.completed)

    def _fresh(self, asked: IntervalSet) -> IntervalSet:
        """What is due after the latest interval that a run completed."""
        mark = self.state.latest_end
        if mark is None:
            return self._missing(asked)
        if mark >= self.until:
            return IntervalSet()
        return self._missing(asked & due(self.schedule, mark, self.until))

    def _left(self, asked: IntervalSet) -> IntervalSet:
        """What an earlier run planned and did not complete."""
        left = self.state.unfinished - self.completed
        return self._missing(asked & _whole_units(self.schedule, left))

    def _restated(self) -> list[tuple[int, int, Restatement]]:
        """The window's restated units, in the shape that published them."""
        found: list[tuple[int, int, Restatement]] = []
        for restatement in self.state.restatements:
            schedule = Schedule.parse(restatement.schedule)
            whole = _whole_units(schedule, IntervalSet([(restatement.start, restatement.end)]))
            wanted = whole & self._due(schedule)
            found.extend((s, e, restatement) for s, e in wanted.ranges)
        return found

    def _reach(self, schedule: Schedule, units: IntervalSet) -> tuple[IntervalSet, IntervalSet]:
        """Split units into those that begin by the data's maximum, and those past it."""
        if self.window.include_empty or not units:
            return units, IntervalSet()
        if self.latest is None:
            return IntervalSet(), units
        edge = schedule.next(self.latest)
        first = units.ranges[0][0]
        reach = IntervalSet([(min(first, edge), edge)])
        return units & reach, units - reach

    def _cut(self, chosen: IntervalSet) -> tuple[int, int] | None:
        if self.latest is None:
            return None
        start, end = self.schedule.floor(self.latest), self.schedule.next(self.latest)
        return (start, end) if chosen.covers(start, end) else None

    def _parts(self, units: IntervalSet, reason: Reason) -> list[Part]:
        origin = Origin.BACKFILL if self.window.backfill else Origin.RUN
        text = str(self.schedule)
        return [Part(PlannedRange(s, e, text, origin), reason) for s, e in units.ranges]

    def _redone(self, redo: Iterable[tuple[int, int, Restatement]]) -> list[Part]:
        parts: list[Part] = []
        for start, end, restatement in redo:
            reached, _ = self._reach(
                Schedule.parse(restatement.schedule), IntervalSet([(start, end)])
            )
            parts.extend(
                Part(PlannedRange(s, e, restatement.schedule, Origin.RESTATE), Reason.RESTATED)
                for s, e in reached.ranges
            )
        return parts


def _apart(
    redo: Iterable[tuple[int, int, Restatement]], chosen: IntervalSet
) -> list[tuple[int, int, Restatement]]:
    """Drop restated units that a chosen unit of another shape does again anyway."""
    apart: list[tuple[int, int, Restatement]] = []
    for start, end, restatement in redo:
        whole = IntervalSet([(start, end)])
        covered = _whole_units(Schedule.parse(restatement.schedule), whole & chosen)
        apart.extend((s, e, restatement) for s, e in (whole - covered).ranges)
    return apart


def _plan_values(flow: str, state: FlowState, data: Data, window: Window) -> Plan:
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


def _whole_units(schedule: Schedule, ranges: IntervalSet) -> IntervalSet:
    """Widen ranges to whole intervals of a schedule."""
    return IntervalSet((schedule.floor(s), schedule.ceil(e)) for s, e in ranges.ranges)


def restatements(state: FlowState, ranges: IntervalSet, reason: str) -> tuple[Restatement, ...]:
    """Widen a request to the completed units that it touches, each in its published shape."""
    found: list[Restatement] = []
    for completion in state.completions:
        touched = ranges & IntervalSet([(completion.start, completion.end)])
        if not touched:
            continue
        for start, end in _whole_units(Schedule.parse(completion.schedule), touched).ranges:
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
