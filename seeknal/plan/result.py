"""What a request comes to: ranges of units, each with its reason, and what is left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from seeknal.plan.held import Held
from seeknal.plan.request import Reason
from seeknal.plan.shapes import count_planned, time_of
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.units import Planned, PlannedRange


class Exclusion(StrEnum):
    """Why a unit of the window is not to be run.

    It is done; it ends too late to be due; the data do not reach it, or lack that partition;
    it is older than what a plain run takes, or restated, which a backfill takes; it is of
    another kind than those chosen; or there are enough units without it.
    """

    DONE = "done"
    NOT_DUE = "not_due"
    NO_DATA = "no_data"
    OLDER = "older"
    RESTATED = "restated"
    KIND = "other_kind"
    LIMIT = "past_limit"


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a plan's units, and why they are in it."""

    planned: Planned
    reason: Reason


@dataclass(frozen=True, slots=True)
class Hold:
    """What of a plan another run holds."""

    run: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a request comes to.

    ``parts`` is to be run, in order of time. ``excluded`` is what of the window is not, by why,
    in units of ``schedule`` or, where it is restated, of the shape that published it; ``held``
    is what other runs do. ``cut`` is the interval to be run that contains the data's maximum.
    """

    flow: str
    parts: tuple[Part, ...]
    schedule: Schedule | None = None
    excluded: Mapping[Exclusion, tuple[Planned, ...]] = field(default_factory=dict)
    held: tuple[Hold, ...] = ()
    cut: tuple[int, int] | None = None

    @property
    def noun(self) -> str:
        """What the flow's units are called."""
        return "interval" if self.schedule else "partition"

    @property
    def planned(self) -> tuple[Planned, ...]:
        """What is to be run."""
        return tuple(part.planned for part in self.parts)

    @property
    def theirs(self) -> tuple[Part, ...]:
        """What other runs hold."""
        return tuple(part for hold in self.held for part in hold.parts)

    def count(self, reason: Reason | None = None) -> int:
        """Return how many units are to be run, in all or for one reason."""
        chosen = (p.planned for p in self.parts if reason in (None, p.reason))
        return count_planned(chosen)

    def left_out(self, why: Exclusion) -> tuple[Planned, ...]:
        """Return what is left out for a reason."""
        return self.excluded.get(why, ())

    def but(self, why: Exclusion, planned: tuple[Planned, ...]) -> Plan:
        """Return the plan with other units left out for a reason."""
        others = {each: left for each, left in self.excluded.items() if each is not why}
        return replace(self, excluded={**others, why: planned} if planned else others)

    def without(self, held: Held) -> tuple[Plan, tuple[Part, ...]]:
        """Split off what is in other hands."""
        mine: list[Part] = []
        theirs: list[Part] = []
        for part in self.parts:
            kept, taken = held.split(part.planned)
            mine.extend(Part(p, part.reason) for p in kept)
            theirs.extend(Part(p, part.reason) for p in taken)
        return replace(self, parts=tuple(mine)), tuple(theirs)


def part_time(parts: tuple[Part, ...] | list[Part]) -> IntervalSet:
    """Return the time that parts fill."""
    return time_of(p.planned for p in parts if isinstance(p.planned, PlannedRange))


def start_of(part: Part) -> int:
    """Return when a part begins, in UTC seconds; values have no time, and keep their order."""
    return part.planned.start if isinstance(part.planned, PlannedRange) else 0
