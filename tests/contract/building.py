"""Short words for what the contract tests make."""

from __future__ import annotations

import itertools
from typing import Any

from seeknal.stores.base import Change, Store
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Claim, Completion, Origin, Restatement, Run, UnitResult
from seeknal.workflow.units import Planned, PlannedRange, PlannedUnit, PlannedValue, Unit

FLOW = "events"
HOURLY = "0 * * * * UTC"
DAILY = "0 0 * * * UTC"
HOUR = 3600
DAY = 24 * HOUR
START = 19_723 * DAY
CHANGE = Change("ada", "test", "some units", "because")
WORKER = "worker-1"

_ids = itertools.count(1)


def hour(number: int, flow: str = FLOW) -> Unit:
    """The n-th hour."""
    return Unit(flow, START + number * HOUR, START + (number + 1) * HOUR)


def day(number: int, flow: str = FLOW) -> Unit:
    """The n-th day; day 0 is hours 0 to 23."""
    return Unit(flow, START + number * DAY, START + (number + 1) * DAY)


def value(name: str, flow: str = FLOW) -> Unit:
    """A value partition."""
    return Unit(flow, value=name)


def span(first: Unit, last: Unit | None = None) -> IntervalSet:
    """The time from one unit to the end of another."""
    return IntervalSet([(first.start, (last or first).end)])


def schedule_of(unit: Unit) -> str:
    if unit.value is not None:
        return ""
    return HOURLY if unit.end - unit.start == HOUR else DAILY


def plan(unit: Unit, origin: Origin = Origin.BACKFILL) -> Planned:
    if unit.value is not None:
        return PlannedValue(unit.value, origin)
    return PlannedRange(unit.start, unit.end, schedule_of(unit), origin)


def planned(unit: Unit, origin: Origin = Origin.BACKFILL) -> PlannedUnit:
    return PlannedUnit(unit, origin, schedule_of(unit))


def new_run(*units: Unit, origin: Origin = Origin.BACKFILL, **options: Any) -> Run:
    """A run that plans these units; not registered yet."""
    return Run(
        id=f"run-{next(_ids)}",
        flow=units[0].flow if units else FLOW,
        spec={"name": FLOW, "tasks": [{"sql": "SELECT 1"}]},
        fingerprint="fp",
        planned=tuple(plan(u, origin) for u in units),
        units=len(units),
        options=options,
        created_by="ada",
    )


def register(store: Store, run: Run) -> Run:
    assert store.register(run, store.holds(run.flow).version)
    return run


def launch(store: Store, *units: Unit, origin: Origin = Origin.BACKFILL, **options: Any) -> str:
    """Register a run of these units and feed it to its end; return its id."""
    run = register(store, new_run(*units, origin=origin, **options))
    assert store.feed(run.id, [planned(u, origin) for u in units], "", "end")
    return run.id


def take(
    store: Store,
    lease: float,
    run: str | None = None,
    unit: Unit | None = None,
    worker: str = WORKER,
) -> Claim:
    """Claim what must be there to be claimed."""
    claim = store.claim(worker, lease, run, unit)
    assert claim is not None
    return claim


def finish(store: Store, claim: Claim, fingerprint: str = "fp") -> None:
    store.prepare(claim)
    store.complete(claim, fingerprint, UnitResult(10, 100, 0.5))


def run_units(
    store: Store, *units: Unit, origin: Origin = Origin.BACKFILL, fingerprint: str = "fp"
) -> str:
    """Run these units from launch to completion; return the run's id."""
    run = launch(store, *units, origin=origin)
    while (claim := store.claim(WORKER, 60.0, run)) is not None:
        finish(store, claim, fingerprint)
    return run


def fail_units(store: Store, *units: Unit, error: str = "boom") -> str:
    """Launch these units and let each fail for good; return the run's id."""
    run = launch(store, *units)
    for unit in units:
        store.fail(take(store, 60.0, run, unit), error, None)
    return run


def completion(
    unit: Unit, origin: Origin = Origin.MANUAL, fingerprint: str = "", last: Unit | None = None
) -> Completion:
    end = (last or unit).end
    return Completion(unit.start, end, origin, schedule_of(unit), fingerprint)


def restatement(unit: Unit, reason: str = "late data", last: Unit | None = None) -> Restatement:
    return Restatement(unit.start, (last or unit).end, schedule_of(unit), reason)


def restate(store: Store, *units: Unit, reason: str = "late data") -> None:
    change = Change("ada", "restate", "units", reason)
    spans = [restatement(u, reason) for u in units if u.value is None]
    store.restate(FLOW, spans, [u.value for u in units if u.value is not None], change)
