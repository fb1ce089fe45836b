"""What became of one unit: its attempts, from all that remembers them.

A store logs the attempts at units that had trouble. Of one that went well at once only its run's
events tell, which are bounded, and the file that it published.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from seeknal.engine.provenance import Published, describe
from seeknal.outputs.parquet import ParquetOutput
from seeknal.plan import Held
from seeknal.stores.base import Store
from seeknal.workflow.state import Event, FlowState, Run, RunStatus, UnitRecord, UnitStatus
from seeknal.workflow.units import Unit

# So many of the latest runs that planned the unit are asked, and so many events of each.
_RUNS: Final = 5
_RUNS_LOOKED_AT: Final = 50
_EVENTS: Final = 10_000
_RUNNING: Final = 1000
_KINDS: Final = frozenset({"completed", "skipped", "retry", "failed", "reaped", "released"})


@dataclass(frozen=True, slots=True)
class UnitLog:
    """What is known of a unit.

    ``attempts`` are events that ended one, oldest first. ``running`` is the attempt that is under
    way; ``published`` the file that holds its result, where this machine sees it. ``done`` says
    whether the unit is completed, ``restated`` whether all or some of it is to be done again.
    """

    unit: Unit
    attempts: tuple[Event, ...]
    running: UnitRecord | None
    published: Published | None
    done: bool
    restated: bool

    @property
    def is_known(self) -> bool:
        """Whether anything tells of this very unit."""
        return bool(self.attempts or self.running or self.published)


def unit_log(
    store: Store, unit: Unit, output: ParquetOutput | None, run_id: str | None = None
) -> UnitLog:
    """Return what is known of a unit; with ``run_id`` of attempts in that run alone."""
    logged = [e for e in store.log(unit.flow, unit) if run_id in (None, e.run)]
    published = None if output is None else next(describe([output.path(unit)]), None)
    runs = _runs(store, unit, run_id, published)
    told = {event.run for event in logged}
    found = [*logged, *(e for run in runs if run.id not in told for e in _events(store, run, unit))]
    state = store.state(unit.flow)
    return UnitLog(
        unit,
        tuple(sorted(found, key=lambda event: event.at)),
        next(_running(store, runs, unit), None),
        published,
        *_standing(state, unit),
    )


def _runs(store: Store, unit: Unit, run_id: str | None, published: Published | None) -> list[Run]:
    """Return the runs to ask: the one that is named, or the latest that planned the unit."""
    if run_id is not None:
        named = [run_id]
        latest: list[Run] = []
    else:
        named = [published.said.get("seeknal_run", "")] if published else []
        latest = [r for r in store.runs(unit.flow, _RUNS_LOOKED_AT) if _planned(r, unit)][:_RUNS]
    known = {run.id for run in latest}
    others = (store.run(name) for name in named if name not in known)
    return [*latest, *(run for run in others if run is not None)]


def _planned(run: Run, unit: Unit) -> bool:
    return Held.of([run]).has(unit)


def _events(store: Store, run: Run, unit: Unit) -> Iterator[Event]:
    for event in store.recent(run.id, _EVENTS):
        if event.unit == unit.key and event.kind in _KINDS:
            yield event


def _running(store: Store, runs: Iterable[Run], unit: Unit) -> Iterator[UnitRecord]:
    for run in runs:
        if run.status in (RunStatus.ACTIVE, RunStatus.PAUSED):
            for record in store.records(run.id, UnitStatus.RUNNING, _RUNNING):
                if record.unit == unit:
                    yield record


def _standing(state: FlowState, unit: Unit) -> tuple[bool, bool]:
    """Return whether a unit is completed, and whether any of it is restated."""
    if unit.value is not None:
        done = any(each.value == unit.value for each in state.values)
        return done, unit.value in state.restated_values
    span = unit.start, unit.end
    return state.completed.covers(*span), state.restated.overlaps(*span)
