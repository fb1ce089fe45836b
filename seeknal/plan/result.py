"""What a request comes to: ranges of units, each with its reason."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from seeknal.plan.held import Held
from seeknal.plan.shapes import count_planned
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.units import Planned

_NONE = IntervalSet()


class Reason(StrEnum):
    """Why a unit is to be run."""

    NEW = "new"
    MISSING = "missing"
    UNFINISHED = "unfinished"
    RESTATED = "restated"


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
