"""Plans a flow on a schedule."""

from __future__ import annotations

from collections.abc import Iterable

from seeknal.plan.request import Data, Window
from seeknal.plan.result import Part, Plan, Reason
from seeknal.plan.shapes import count_shaped, whole_units
from seeknal.workflow.intervals import IntervalSet, due, missing
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import FlowState, Origin, Restatement
from seeknal.workflow.units import PlannedRange


class IntervalPlanner:
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
        """Return the plan."""
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
        return self._missing(asked & whole_units(self.schedule, left))

    def _restated(self) -> list[tuple[int, int, Restatement]]:
        """The window's restated units, in the shape that published them."""
        found: list[tuple[int, int, Restatement]] = []
        for restatement in self.state.restatements:
            schedule = Schedule.parse(restatement.schedule)
            whole = whole_units(schedule, IntervalSet([(restatement.start, restatement.end)]))
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
        covered = whole_units(Schedule.parse(restatement.schedule), whole & chosen)
        apart.extend((s, e, restatement) for s, e in (whole - covered).ranges)
    return apart
