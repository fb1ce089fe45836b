"""Planning as a person would do it: every unit is listed, and looked at by itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

from seeknal.plan import Data, Plan, Reason, Taken, Window
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import FlowState, Origin
from seeknal.workflow.units import PlannedRange

HOUR = 3600


class Slot(NamedTuple):
    """One interval of one schedule."""

    start: int
    end: int
    schedule: str

    def hours(self) -> set[int]:
        return set(range(self.start, self.end, HOUR))

    def touches(self, those: set[int]) -> bool:
        return any(hour in those for hour in range(self.start, self.end, HOUR))


Chosen = list[tuple[Slot, Reason]]


@lru_cache(maxsize=10_000)
def slots(schedule: str, start: int, end: int) -> tuple[Slot, ...]:
    """The intervals that lie within a stretch."""
    pairs = Schedule.parse(schedule).intervals(start, end)
    return tuple(Slot(s, e, schedule) for s, e in pairs if e <= end)


def listed(plan: Plan) -> Chosen:
    """What a plan comes to, unit by unit."""
    found: Chosen = []
    for part in plan.parts:
        assert isinstance(part.planned, PlannedRange)
        one = part.planned
        found += [(slot, part.reason) for slot in slots(one.schedule, one.start, one.end)]
    return found


def hours(stretches: Iterable[tuple[int, int]]) -> set[int]:
    return {hour for start, end in stretches for hour in range(start, end, HOUR)}


@dataclass
class Oracle:
    """A request, answered by listing. All times are whole hours from ``first`` to ``last``."""

    schedule: str
    state: FlowState
    data: Data
    window: Window
    now: int
    start: int | None
    lag: int
    taken: Taken
    earliest: int
    last: int

    @property
    def everything(self) -> bool:
        return bool(self.window.backfill or self.window.only or self.window.force)

    @cached_property
    def done(self) -> set[int]:
        return hours((c.start, c.end) for c in self.state.completions)

    @cached_property
    def failed(self) -> set[int]:
        return hours(self.state.failed)

    @cached_property
    def left(self) -> set[int]:
        return hours(self.state.unfinished)

    @property
    def first(self) -> int | None:
        if self.start is not None:
            return self.start
        return None if self.data.extent is None else int(self.data.extent[0])

    def every(self, schedule: str) -> tuple[Slot, ...]:
        return slots(schedule, self.earliest, self.last)

    def published(self) -> list[Slot]:
        return [s for c in self.state.completions for s in slots(c.schedule, c.start, c.end)]

    def asked(self, schedule: str, until: int) -> list[Slot]:
        """From the interval that contains the start to the last that ends by the end."""
        window = self.window
        if window.ranges is not None:
            spans = [(s, min(e, until)) for s, e in window.ranges]
        else:
            start = self.first if window.start is None else window.start
            end = until if window.end is None else min(window.end, until)
            spans = [] if start is None else [(start, end)]
        return [
            slot
            for slot in self.every(schedule)
            if any(slot.end > s and slot.end <= e and s < e for s, e in spans)
        ]

    def lacking(self) -> Chosen:
        """What was never done, each with its reason, whether it is asked for or not."""
        found: Chosen = []
        unfinished = self.left - self.done
        mark = max(
            (c.end for c in self.state.completions if c.origin is not Origin.MANUAL), default=None
        )
        for slot in self.asked(self.schedule, self.now - self.lag):
            if slot.hours() <= self.done:
                continue
            new = mark is None or slot.end > mark
            reason = Reason.NEW if new else Reason.UNFINISHED
            if self.everything:
                reason = Reason.MISSING
            elif not new and not slot.touches(unfinished):
                continue
            failed = slot.touches(self.failed)
            found.append((slot, Reason.FAILED if failed else reason))
        return [(s, r) for s, r in found if not self.window.only or r in self.window.only]

    def restated(self, chosen: Chosen) -> Chosen:
        found: Chosen = []
        covered = {hour for slot, _ in chosen for hour in slot.hours()}
        restated = hours((r.start, r.end) for r in self.state.restatements)
        until = self.now - self.lag
        asked = {c.schedule: self.asked(c.schedule, until) for c in self.state.completions}
        for slot in self.published():
            if (
                slot not in asked[slot.schedule]
                or not slot.touches(restated)
                or slot.touches(covered)
            ):
                continue
            if not self.everything and not slot.touches(self.left):
                continue
            failed = slot.touches(self.failed)
            found.append((slot, Reason.FAILED if failed else Reason.RESTATED))
        return [(s, r) for s, r in found if not self.window.only or r in self.window.only]

    def forced(self, chosen: Chosen) -> Chosen:
        if not self.window.force:
            return []
        covered = {hour for slot, _ in chosen for hour in slot.hours()}
        asked = {h for slot in self.asked(self.schedule, self.now - self.lag) for h in slot.hours()}
        return [
            (slot, Reason.FORCED)
            for slot in self.published()
            if slot.touches(asked) and not slot.touches(covered)
        ]

    def unlimited(self) -> Chosen:
        """What is mine: less what lies past the data, what failed, and what others hold."""
        chosen = self.lacking()
        chosen += self.restated(chosen)
        chosen += self.forced(chosen)
        if not self.window.include_empty:
            latest = -1 if self.data.extent is None else self.data.extent[1]
            chosen = [(slot, reason) for slot, reason in chosen if slot.start <= latest]
        repeated = hours(self.taken.again.time)
        mine = [
            (slot, reason)
            for slot, reason in chosen
            if not slot.touches(self.others)
            and not (reason is Reason.FORCED and slot.touches(repeated))
        ]
        return sorted(mine + self.lookback(mine))

    @cached_property
    def others(self) -> set[int]:
        planned = [p for run in self.taken.runs for p in run.planned]
        held = hours((p.start, p.end) for p in planned if isinstance(p, PlannedRange))
        return held | hours(self.taken.answered.time)

    def lookback(self, mine: Chosen) -> Chosen:
        if self.first is None or not self.window.lookback:
            return []
        runs = {hour for slot, _ in mine for hour in slot.hours()}
        before: set[int] = set()
        own = self.every(self.schedule)
        for hour in runs:
            if hour - HOUR in runs:
                continue
            (inside,) = (n for n, slot in enumerate(own) if slot.start <= hour < slot.end)
            reached = own[max(0, inside - self.window.lookback) : inside]
            for slot in reached:
                if slot.end > self.first:
                    before |= slot.hours()
            if own[inside].end > self.first:
                before |= {each for each in own[inside].hours() if each < hour}
        taken = runs | self.others | hours(self.taken.again.time)
        taken |= hours((r.start, r.end) for r in self.state.restatements)
        return [
            (slot, Reason.LOOKBACK)
            for slot in self.published()
            if slot.touches(before) and not slot.touches(taken)
        ]

    def answer(self) -> Chosen:
        found = self.unlimited()
        if self.window.limit is None:
            return found
        if self.window.newest_first:
            return found[max(0, len(found) - self.window.limit) :]
        return found[: self.window.limit]
