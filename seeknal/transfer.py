"""Moves a project's state between stores: out into a file, and from a file into what is there.

Importing merges. What is completed already keeps its provenance, restatements and unfinished plans
join, and every later token is greater than the last one of the file. What is imported twice is
there once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from secrets import token_hex
from typing import Final

from seeknal.plan import restatements
from seeknal.statefile import Flow, StateFile
from seeknal.stores.base import Change, Store
from seeknal.workflow.instants import to_datetime
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import CompletedValue, Completion, FlowState, Origin, Restatement, Run
from seeknal.workflow.units import Planned, PlannedRange, PlannedValue, stamp

# Unfinished time has no shape of its own; minutes tile every shape's.
_MINUTES: Final = "* * * * * UTC"


@dataclass(frozen=True, slots=True)
class Merged:
    """What an import adds to a flow.

    ``apart`` is completed time of the file that is left out, because part of its intervals is
    completed here in another shape.
    """

    flow: str
    completions: tuple[Completion, ...] = ()
    values: tuple[CompletedValue, ...] = ()
    restatements: tuple[Restatement, ...] = ()
    restated_values: tuple[str, ...] = ()
    unfinished: IntervalSet = IntervalSet()
    unfinished_values: frozenset[str] = frozenset()
    apart: tuple[Completion, ...] = ()


def export_state(store: Store, project: str) -> StateFile:
    """Return all that a store knows of its flows, each flow as of one instant."""
    flows = {name: Flow(store.state(name), tuple(store.failed(name))) for name in store.flows()}
    exported = to_datetime(int(store.now()), "UTC").isoformat()
    return StateFile(project, exported, store.raise_token(0), flows)


def busy_flows(store: Store) -> list[str]:
    """Return the flows that runs work on at present: a copy of their state is soon out of date."""
    return [name for name in store.flows() if store.holds(name).runs]


def import_state(store: Store, state: StateFile, change: Change) -> list[Merged]:
    """Merge a file's state into a store; return what was added, flow by flow.

    Raises:
        StoreError: the store refuses; what was merged until then stays, and can be merged again.
    """
    store.raise_token(state.token)
    return [_merge(store, name, state.flows[name].state, change) for name in sorted(state.flows)]


def _merge(store: Store, flow: str, theirs: FlowState, change: Change) -> Merged:
    ours = store.state(flow)
    completions, apart = _completions(theirs, ours)
    known = {v.value for v in ours.values}
    values = tuple(v for v in theirs.values if v.value not in known)
    if completions or values:
        store.mark(flow, completions, values, change)
    ours = store.state(flow)
    asked = tuple(_restatements(theirs, ours))
    if asked:
        store.restate(flow, asked, [], change)
    restated = _restate_values(store, flow, theirs, ours, change)
    unfinished, named = _unfinished(theirs, store.state(flow))
    if unfinished or named:
        _plan(store, flow, unfinished, named, change.actor)
    return Merged(flow, completions, values, asked, restated, unfinished, named, apart)


def _completions(
    theirs: FlowState, ours: FlowState
) -> tuple[tuple[Completion, ...], tuple[Completion, ...]]:
    """Split what is not completed here into whole intervals, and what is left of cut ones."""
    whole: list[Completion] = []
    apart: list[Completion] = []
    completed = ours.completed
    for each in theirs.completions:
        for start, end in IntervalSet([(each.start, each.end)]) - completed:
            low, high = _inside(each, start, end)
            pieces = ((low, high, whole), (start, min(low, end), apart), (high, end, apart))
            for first, last, kind in pieces:
                if first < last:
                    kind.append(_cut(each, first, last))
    return tuple(whole), tuple(apart)


def _inside(completion: Completion, start: int, end: int) -> tuple[int, int]:
    """Return where the whole intervals within part of a completion begin and end."""
    schedule = Schedule.parse(completion.schedule)
    low = start if start == completion.start else schedule.ceil(start)
    high = end if end == completion.end else schedule.floor(end)
    return low, max(low, high)


def _cut(completion: Completion, start: int, end: int) -> Completion:
    return Completion(start, end, completion.origin, completion.schedule, completion.fingerprint)


def _restatements(theirs: FlowState, ours: FlowState) -> Iterator[Restatement]:
    """Yield what is restated there and not here, in the shape that is completed here."""
    for each in theirs.restatements:
        fresh = IntervalSet([(each.start, each.end)]) - ours.restated
        yield from restatements(ours, fresh, each.reason)


def _restate_values(
    store: Store, flow: str, theirs: FlowState, ours: FlowState, change: Change
) -> tuple[str, ...]:
    """Restate values, a reason at a time: the store takes it from the change."""
    done = {v.value for v in ours.values} - set(ours.restated_values)
    by_reason: dict[str, list[str]] = {}
    for value, reason in theirs.restated_values.items():
        if value in done:
            by_reason.setdefault(reason, []).append(value)
    for reason, values in by_reason.items():
        store.restate(flow, [], values, Change(change.actor, change.action, change.what, reason))
    return tuple(value for values in by_reason.values() for value in values)


def _unfinished(theirs: FlowState, ours: FlowState) -> tuple[IntervalSet, frozenset[str]]:
    """Return what is unfinished there, and neither done nor unfinished here."""
    done = ours.completed - ours.restated
    values = {v.value for v in ours.values} - set(ours.restated_values)
    return (
        theirs.unfinished - done - ours.unfinished,
        theirs.unfinished_values - values - ours.unfinished_values,
    )


def _plan(store: Store, flow: str, ranges: IntervalSet, values: frozenset[str], actor: str) -> None:
    """Make time and values unfinished: a run that planned them and has no unit, so is over."""
    planned: tuple[Planned, ...] = (
        *(PlannedRange(start, end, _MINUTES, Origin.RUN) for start, end in ranges),
        *(PlannedValue(value, Origin.RUN) for value in sorted(values)),
    )
    run = Run(
        f"{stamp(int(store.now()))}-import-{token_hex(3)}",
        flow,
        {"name": flow},
        "",
        planned,
        0,
        created_by=actor,
    )
    while not store.register(run, store.holds(flow).version):
        pass
