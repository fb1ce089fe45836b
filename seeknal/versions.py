"""By which versions of a flow its completed units were made, and which of them are other logic.

Everything here is a pure function of the flow, its state and the specs that its store keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from seeknal.engine.changes import UNCHANGED, UNKNOWN, Difference, compare
from seeknal.flow import Flow
from seeknal.resolve import fingerprint_of
from seeknal.workflow.intervals import IntervalSet, count_units
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import CompletedValue, Completion, FlowState, Origin

Specs = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Version:
    """The completed units that one version of a flow made, and what is other now.

    ``completions`` and ``values`` are those that are not restated; ``restated`` counts the rest.
    """

    fingerprint: str
    difference: Difference
    completions: tuple[Completion, ...]
    values: tuple[str, ...]
    restated: int

    @property
    def shapes(self) -> list[tuple[Schedule, IntervalSet]]:
        """The time of its intervals, by the schedule that they are of."""
        return _shapes(self.completions)

    @property
    def units(self) -> int:
        """How many units it made that are not restated."""
        return _count(self.completions) + len(self.values)

    @property
    def is_due(self) -> bool:
        """Whether somebody has to decide about some of its units."""
        return self.difference.counts and self.units > 0


def versions(flow: Flow, state: FlowState, specs: Specs) -> tuple[Version, ...]:
    """Return the versions that made a flow's completed units, by the first unit of each.

    What was marked by hand was made by none. Of a flow that ran by value once and by time
    now, or the reverse, what was done in the other way is left out.

    Raises:
        PermanentQueryError: the flow's present SQL is not one SELECT a step.
    """
    stretches, values = _made(flow, state)
    found: list[Version] = []
    for fingerprint in _fingerprints(stretches, values):
        mine = [c for c in stretches if c.fingerprint == fingerprint]
        named = [v.value for v in values if v.fingerprint == fingerprint]
        left = tuple(_less(mine, state.restated))
        kept = tuple(v for v in named if v not in state.restated_values)
        restated = _count(mine) - _count(left) + len(named) - len(kept)
        version = Version(fingerprint, _difference(flow, fingerprint, specs), left, kept, restated)
        found.append(version)
    return tuple(found)


def other(flow: Flow, state: FlowState, specs: Specs) -> frozenset[str]:
    """Return the fingerprints in a flow's state that are of other logic than the present.

    Raises:
        PermanentQueryError: the flow's present SQL is not one SELECT a step.
    """
    stretches, values = _made(flow, state)
    found = _fingerprints(stretches, values)
    return frozenset(each for each in found if _difference(flow, each, specs).counts)


def ranges(found: Iterable[Version], state: FlowState) -> IntervalSet:
    """Return the fewest ranges to restate, so that all that some versions made is done again.

    They may go over what was never done, and over nothing else that is done.
    """
    mine = IntervalSet((c.start, c.end) for version in found for c in version.completions)
    others = state.completed - mine
    merged: list[tuple[int, int]] = []
    for start, end in mine:
        if merged and not others.overlaps(merged[-1][1], start):
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    return IntervalSet(merged)


def _made(flow: Flow, state: FlowState) -> tuple[list[Completion], list[CompletedValue]]:
    """Return what runs completed of the units that the flow has now."""
    if flow.by_value:
        return [], [v for v in sorted(state.values) if v.origin is not Origin.MANUAL]
    if flow.schedule is None:
        return [], []
    return [c for c in state.completions if c.origin is not Origin.MANUAL], []


def _fingerprints(stretches: list[Completion], values: list[CompletedValue]) -> list[str]:
    return list(
        dict.fromkeys([*(c.fingerprint for c in stretches), *(v.fingerprint for v in values)])
    )


def _shapes(completions: Sequence[Completion]) -> list[tuple[Schedule, IntervalSet]]:
    texts = dict.fromkeys(c.schedule for c in completions)
    return [
        (
            Schedule.parse(each),
            IntervalSet((c.start, c.end) for c in completions if c.schedule == each),
        )
        for each in texts
    ]


def _count(completions: Sequence[Completion]) -> int:
    return sum(count_units(schedule, stretch) for schedule, stretch in _shapes(completions))


def _less(completions: list[Completion], restated: IntervalSet) -> Iterator[Completion]:
    for one in completions:
        if not restated.overlaps(one.start, one.end):
            yield one
            continue
        for start, end in IntervalSet([(one.start, one.end)]) - restated:
            yield replace(one, start=start, end=end)


def _difference(flow: Flow, fingerprint: str, specs: Specs) -> Difference:
    kept = specs.get(fingerprint)
    if kept is not None:
        return compare(kept, flow.to_spec())
    return UNCHANGED if fingerprint == fingerprint_of(flow) else UNKNOWN
