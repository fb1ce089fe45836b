"""Plans a flow on a schedule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from operator import attrgetter

from seeknal.plan.request import Data, Reason, Window
from seeknal.plan.result import Exclusion, Part, Plan, part_time, start_of
from seeknal.plan.shapes import restatements, split, time_of, whole_units
from seeknal.workflow.intervals import IntervalSet, due, missing
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import FlowState, Origin
from seeknal.workflow.units import PlannedRange
from seeknal.workflow.zones import EARLIEST


class IntervalPlanner:
    """Plans a flow on a schedule; the fields are :func:`make_plan`'s arguments.

    ``until`` is the present less the flow's lag, ``first`` where the flow begins: at its start
    date, else where its data do.
    """

    def __init__(
        self,
        flow: str,
        schedule: Schedule,
        state: FlowState,
        data: Data,
        window: Window,
        now: int,
        lag: int,
        start: int | None,
    ) -> None:
        self.flow, self.schedule, self.state, self.window = flow, schedule, state, window
        self.now, self.until = now, now - lag
        self.latest = int(data.extent[1] // 1) if data.extent else None
        self.first = start
        if start is None and data.extent:
            self.first = int(data.extent[0] // 1)
        self.completed = state.completed
        self._edges: dict[str, int] = {}

    def plan(self) -> Plan:
        """Return the plan, as if nobody else were there."""
        asked = self._due(self.schedule, self.until)
        lacking = missing(self.schedule, asked, self.completed)
        lacking_parts, other_kind = self._lacking(asked, lacking)
        older = lacking - part_time(lacking_parts) - time_of(other_kind)
        again, waiting, restated_otherwise = self._restated(part_time(lacking_parts))
        forced = self._forced(asked, part_time(lacking_parts + again))
        parts, no_data = self._reached([*lacking_parts, *again, *forced])
        older_parts, unreached = self._reached(Part(p, Reason.MISSING) for p in self._ranges(older))
        no_data += unreached
        other_kind += split(restated_otherwise, part_time(forced))[0]
        parts.sort(key=start_of)
        touched = time_of([*no_data, *waiting, *other_kind]) | part_time(parts)
        excluded = {
            Exclusion.DONE: self._ranges(
                asked - missing(self.schedule, asked, self.completed, touched)
            ),
            Exclusion.NOT_DUE: self._ranges(self._not_due(asked)),
            Exclusion.NO_DATA: no_data,
            Exclusion.OLDER: self._ranges(part_time(older_parts)),
            Exclusion.RESTATED: waiting,
            Exclusion.KIND: other_kind,
        }
        return Plan(
            self.flow,
            tuple(parts),
            self.schedule,
            {
                why: tuple(sorted(left, key=attrgetter("start")))
                for why, left in excluded.items()
                if left
            },
            cut=self._cut(part_time(parts)),
        )

    # -- the window ---------------------------------------------------------------------------

    def _spans(self, until: int) -> IntervalSet:
        """The time that is asked for, as far as it lies before ``until``."""
        window = self.window
        if window.ranges is not None:
            first = min((s for s, _ in window.ranges.ranges), default=0)
            return window.ranges & IntervalSet([(min(first, until), until)])
        start = window.start if window.start is not None else self.first
        end = until if window.end is None else min(window.end, until)
        return IntervalSet([(start, end)]) if start is not None and start < end else IntervalSet()

    def _due(self, schedule: Schedule, until: int) -> IntervalSet:
        """The window's intervals that end by ``until``, by the window rule."""
        found = IntervalSet()
        for start, end in self._spans(until).ranges:
            found |= due(schedule, start, end)
        return found

    def _not_due(self, asked: IntervalSet) -> IntervalSet:
        """The window's intervals that are not over, or not for long enough.

        Of a window without an end that is the interval in which the present lies, at most.
        """
        window = self.window
        if window.ranges is not None:
            until = max((end for _, end in window.ranges), default=self.until)
        else:
            until = self.schedule.ceil(self.now) if window.end is None else window.end
        return self._due(self.schedule, max(until, self.until)) - asked

    # -- what is lacking, restated, forced ----------------------------------------------------

    def _lacking(
        self, asked: IntervalSet, lacking: IntervalSet
    ) -> tuple[list[Part], list[PlannedRange]]:
        """What was never done: the parts to run, and what is of a kind not asked for."""
        failed = lacking & whole_units(self.schedule, self.state.failed)
        fresh = IntervalSet() if self.window.whole else self._fresh(asked, lacking)
        left = lacking if self.window.whole else lacking & self._left()
        rest = Reason.MISSING if self.window.whole else Reason.UNFINISHED
        chosen = {
            Reason.FAILED: (fresh | left) & failed,
            Reason.NEW: fresh - failed,
            rest: left - fresh - failed,
        }
        origin = Origin.BACKFILL if self.window.whole else Origin.RUN
        parts: list[Part] = []
        other_kind: list[PlannedRange] = []
        for reason, units in chosen.items():
            if self.window.wants(reason):
                parts += [Part(one, reason) for one in self._ranges(units, origin)]
            else:
                other_kind += self._ranges(units)
        return parts, other_kind

    def _fresh(self, asked: IntervalSet, lacking: IntervalSet) -> IntervalSet:
        """What is due after the latest interval that a run completed."""
        mark = self.state.latest_end
        if mark is None:
            return lacking
        if mark >= self.until:
            return IntervalSet()
        after = due(self.schedule, mark, self.until)
        return missing(self.schedule, asked & after, self.completed)

    def _left(self) -> IntervalSet:
        """What an earlier run planned and did not complete."""
        return whole_units(self.schedule, self.state.unfinished - self.completed)

    def _restated(
        self, chosen: IntervalSet
    ) -> tuple[list[Part], list[PlannedRange], list[PlannedRange]]:
        """What is restated, in the shape that published it.

        The parts to run, what waits for a backfill, and what is of a kind not asked for. A unit
        that is done again anyway, in another shape, is in none of them.
        """
        wanted: list[PlannedRange] = []
        for restatement in self.state.restatements:
            schedule = Schedule.parse(restatement.schedule)
            whole = whole_units(schedule, IntervalSet([(restatement.start, restatement.end)]))
            within = whole & self._due(schedule, self.until)
            wanted += [_again(s, e, restatement.schedule) for s, e in within]
        wanted, _ = split(wanted, chosen)
        waiting: list[PlannedRange] = []
        if not self.window.whole:
            waiting, wanted = split(wanted, self.state.unfinished)
        parts: list[Part] = []
        other_kind: list[PlannedRange] = []
        others, failed = split(wanted, self.state.failed)
        for reason, ranges in ((Reason.FAILED, failed), (Reason.RESTATED, others)):
            if self.window.wants(reason):
                parts += [Part(one, reason) for one in ranges]
            else:
                other_kind += ranges
        return parts, waiting, other_kind

    def _forced(self, asked: IntervalSet, chosen: IntervalSet) -> list[Part]:
        """What else of the window is done, in the shape that published it."""
        if not self.window.force:
            return []
        found = [_again(r.start, r.end, r.schedule) for r in restatements(self.state, asked, "")]
        apart, _ = split(found, chosen)
        return [Part(one, Reason.FORCED) for one in apart]

    # -- how far the data reach ---------------------------------------------------------------

    def _reached(self, parts: Iterable[Part]) -> tuple[list[Part], list[PlannedRange]]:
        """Split off what begins past the data's maximum."""
        if self.window.include_empty:
            return list(parts), []
        reached: list[Part] = []
        beyond: list[PlannedRange] = []
        for part in parts:
            one = part.planned
            assert isinstance(one, PlannedRange)
            edge = self._edge(one.schedule)
            if one.end <= edge:
                reached.append(part)
            elif edge <= one.start:
                beyond.append(one)
            else:
                reached.append(Part(replace(one, end=edge), part.reason))
                beyond.append(replace(one, start=edge))
        return reached, beyond

    def _edge(self, schedule: str) -> int:
        """The end of the interval that contains the data's maximum."""
        if schedule not in self._edges:
            latest = self.latest
            edge = EARLIEST if latest is None else Schedule.parse(schedule).next(latest)
            self._edges[schedule] = edge
        return self._edges[schedule]

    def _cut(self, chosen: IntervalSet) -> tuple[int, int] | None:
        if self.latest is None:
            return None
        start, end = self.schedule.floor(self.latest), self.schedule.next(self.latest)
        return (start, end) if chosen.covers(start, end) else None

    def _ranges(self, units: IntervalSet, origin: str = "") -> list[PlannedRange]:
        text = str(self.schedule)
        return [PlannedRange(s, e, text, origin) for s, e in units]


def _again(start: int, end: int, schedule: str) -> PlannedRange:
    return PlannedRange(start, end, schedule, Origin.RESTATE)
