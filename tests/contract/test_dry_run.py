"""What a dry run shows is what a run then does: the same units, reasons, origins and order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from seeknal.coordinator import Coordinator, preview
from seeknal.engine.source import Query
from seeknal.errors import ConflictError
from seeknal.feed import planned_units, top_up
from seeknal.plan import Data, Part, Plan, Reason, Window
from seeknal.resolve import Prepared
from seeknal.stores.base import Store
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import CompletedValue, Completion, Origin, Restatement, Run, RunStatus
from seeknal.workflow.units import Planned, PlannedRange, PlannedUnit, PlannedValue
from tests.contract.building import CHANGE, finish
from tests.contract.harness import HARNESSES
from tests.unit.plan_oracle import Slot, hours, slots
from tests.unit.plan_requests import (
    EARLIEST,
    LAST,
    SHAPES,
    hour,
    published,
    some,
    window_of,
)

STATES, BATCH = 200, 50
VALUES = tuple("abcdefgh")
LEASE = 600.0


@pytest.fixture(params=["redis", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    harness = HARNESSES[request.param](tmp_path)
    yield harness.open()
    harness.close()


class Silent:
    """A driver that does nothing, and an observer who says nothing."""

    def drive(self, run_id: str | None, wait: float) -> None: ...
    def stop(self) -> None: ...
    def planned(self, plan: Plan) -> None: ...
    def progress(self, run: Run, counts: Any) -> None: ...
    def waiting(self, theirs: tuple[Part, ...], runs: tuple[Run, ...]) -> None: ...


@pytest.mark.parametrize("first", range(0, STATES, BATCH))
def test_intervals_of_a_dry_run_are_those_that_are_executed(store: Store, first: int) -> None:
    for seed in range(first, first + BATCH):
        _check_intervals(store, seed)


def _check_intervals(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    flow, schedule = f"events-{seed}", chance.choice(SHAPES)
    prepared = prepare(flow, Schedule.parse(schedule), hour(chance) if seed % 3 == 0 else None)
    _have_a_past(store, chance, flow, schedule)
    extent = sorted((float(hour(chance)), float(hour(chance, 24))))
    data, now = Data((extent[0], extent[1])), float(hour(chance, 4 * 24))
    check(store, prepared, data, window_of(chance), now)


@pytest.mark.parametrize("first", range(0, STATES, BATCH))
def test_values_of_a_dry_run_are_those_that_are_executed(store: Store, first: int) -> None:
    for seed in range(first, first + BATCH):
        _check_values(store, seed)


def _check_values(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    flow = f"regions-{seed}"
    done = [v for v in VALUES if chance.random() < 0.5]
    store.mark(flow, [], [CompletedValue(v, Origin.RUN, "f") for v in done], CHANGE)
    restated = [v for v in done if chance.random() < 0.5]
    store.restate(flow, [], restated, CHANGE)
    lacking = [v for v in VALUES if v not in done or v in restated]
    tried = [PlannedValue(v, Origin.RUN) for v in lacking if chance.random() < 0.4]
    _have_tried(store, chance, flow, tried)
    held = [PlannedValue(v, Origin.RUN) for v in lacking if chance.random() < 0.2]
    _register(store, flow, held)
    found = window_of(chance)
    window = Window(
        values=tuple(chance.sample((*VALUES, "x"), 5)) if chance.random() < 0.4 else None,
        backfill=found.backfill,
        include_empty=found.include_empty,
        only=found.only,
        force=found.force,
        limit=found.limit,
        newest_first=found.newest_first,
    )
    data = Data(values=tuple(v for v in VALUES if chance.random() < 0.8))
    check(store, prepare(flow, None), data, window, 0.0)


def prepare(flow: str, schedule: Schedule | None, start: int | None = None) -> Prepared:
    return Prepared(flow, "UTC", schedule, cast(Query, None), "fp", {"name": flow}, start, 0)


def check(store: Store, prepared: Prepared, data: Data, window: Window, now: float) -> None:
    """Look first, then launch and execute, and compare."""
    before = (store.state(prepared.name), store.runs(prepared.name), store.audit(prepared.name))
    asked = (prepared, data, window, now)
    try:
        shown = preview(store, *asked)
    except ConflictError:
        with pytest.raises(ConflictError):
            _coordinator(store, window).launch(*asked)
        return
    after = (store.state(prepared.name), store.runs(prepared.name), store.audit(prepared.name))
    assert after == before, "a dry run changes nothing"
    launch = _coordinator(store, window).launch(*asked)
    assert launch.plan == shown, "what is launched is what was shown, reasons included"
    expected = list(planned_units(prepared.name, shown.planned))
    if launch.run is None:
        assert expected == []
        return
    assert launch.run.units == len(expected)
    if window.newest_first:
        expected.reverse()
    assert _execute(store, launch.run) == expected
    assert store.counts(launch.run.id).done == len(expected)
    forced = shown.count(Reason.FORCED)
    audited = [entry for entry in store.audit(prepared.name) if entry.action == "force"]
    assert [entry.reason for entry in audited] == [window.force] * bool(forced)


def _coordinator(store: Store, window: Window) -> Coordinator:
    silent = Silent()
    options = {"newest_first": True} if window.newest_first else {}
    return Coordinator(store, silent, silent, actor="ada", owner="", options=options)


def _execute(store: Store, run: Run) -> list[PlannedUnit]:
    """Feed and claim to the end; return what was executed, in order."""
    executed: list[PlannedUnit] = []
    while True:
        top_up(store, run.id, window=7)
        claim = store.claim("worker", LEASE, run.id)
        if claim is None:
            return executed
        executed.append(claim.planned)
        finish(store, claim)


def _have_a_past(store: Store, chance: random.Random, flow: str, schedule: str) -> None:
    """Bring a flow to any state: done in several shapes, restated, failed, held by others."""
    done = published(chance, SHAPES, EARLIEST, LAST)
    origins = (Origin.RUN, Origin.BACKFILL, Origin.MANUAL)
    marks = [Completion(u.start, u.end, chance.choice(origins), u.schedule, "f") for u in done]
    store.mark(flow, marks, [], CHANGE)
    restated = some(chance, done, 0.3)
    store.restate(
        flow, [Restatement(u.start, u.end, u.schedule, "bug") for u in restated], [], CHANGE
    )
    again = hours((u.start, u.end) for u in restated)
    covered = hours((u.start, u.end) for u in done) - again
    never = [u for u in slots(schedule, EARLIEST, LAST) if not u.hours() & (covered | again)]
    _have_tried(store, chance, flow, [_planned(u) for u in some(chance, never + restated, 0.3)])
    _register(store, flow, [_planned(u) for u in some(chance, never + restated, 0.2)])


def _planned(unit: Slot) -> PlannedRange:
    return PlannedRange(unit.start, unit.end, unit.schedule, Origin.RUN)


def _register(store: Store, flow: str, planned: list[Any]) -> Run | None:
    if not planned:
        return None
    run = Run(f"{flow}-{random.random()}", flow, {}, "fp", tuple(planned), len(planned))
    assert store.register(run, store.holds(flow).version)
    return run


def _have_tried(store: Store, chance: random.Random, flow: str, planned: list[Any]) -> None:
    """Let some units fail, and leave others, in a run that is cancelled."""
    run = _register(store, flow, planned)
    if run is None:
        return
    top_up(store, run.id)
    for unit in planned_units(flow, cast(list[Planned], planned)):
        if chance.random() < 0.5:
            claim = store.claim("worker", LEASE, run.id, unit.unit)
            assert claim is not None
            store.fail(claim, "boom", None)
    store.set_status(run.id, RunStatus.CANCELLED)
