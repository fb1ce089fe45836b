"""Time and values set apart from a plan."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from seeknal.plan.shapes import split
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Run
from seeknal.workflow.units import Planned, PlannedRange, PlannedValue, Unit

_NONE = IntervalSet()


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

    def __or__(self, other: Held) -> Held:
        return Held(self.time | other.time, self.values | other.values)

    def __bool__(self) -> bool:
        return bool(self.time or self.values)

    def has(self, unit: Unit) -> bool:
        """Return whether any of a unit is in it."""
        if unit.value is not None:
            return unit.value in self.values
        return self.time.overlaps(unit.start, unit.end)

    def split(self, planned: Planned) -> tuple[list[Planned], list[Planned]]:
        """Return what of ``planned`` is free, and what is held."""
        if isinstance(planned, PlannedValue):
            return ([], [planned]) if planned.value in self.values else ([planned], [])
        free, held = split([planned], self.time)
        return list(free), list(held)
