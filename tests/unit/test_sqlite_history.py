"""What the embedded store keeps of the past, and for how long; and what its file costs."""

from __future__ import annotations

from pathlib import Path

import pytest

from seeknal.stores.sqlite import SQLiteStore
from seeknal.workflow.state import RunStatus
from tests.contract.building import FLOW, fail_units, hour, launch, new_run, register, run_units
from tests.contract.harness import Clock

DAY = 86_400.0


@pytest.fixture
def clock() -> Clock:
    return Clock(1_700_000_000.0)


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> SQLiteStore:
    return SQLiteStore(tmp_path / "state.db", clock=clock)


def rows(store: SQLiteStore, table: str) -> int:
    with store._db.read() as db:
        return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_events_go_ninety_days_after_their_runs_end(store: SQLiteStore, clock: Clock) -> None:
    active = launch(store, hour(0))
    paused = launch(store, hour(1))
    store.set_status(paused, RunStatus.PAUSED)
    ended = [run_units(store, hour(2)), fail_units(store, hour(3)), launch(store, hour(4))]
    store.set_status(ended[2], RunStatus.CANCELLED)
    clock.advance(80 * DAY)
    later = run_units(store, hour(5))
    for days, kept in [(10, ended), (1, [])]:
        clock.advance(days * DAY)
        register(store, new_run(hour(9)))
        assert [run for run in ended if store.events(run)] == kept
        assert all(store.recent(run) for run in (active, paused, later))
    assert [store.counts(run).done + store.counts(run).failed for run in ended] == [1, 1, 0]
    assert all(store.run(run) for run in ended)
    assert rows(store, "events") == 1 + 2 + 3 + 2


def test_a_log_goes_ninety_days_after_its_last_attempt(store: SQLiteStore, clock: Clock) -> None:
    fail_units(store, hour(0), hour(1))
    clock.advance(60 * DAY)
    run_units(store, hour(1))
    clock.advance(31 * DAY)
    register(store, new_run(hour(9)))
    assert store.log(FLOW, hour(0)) == []
    assert [event.kind for event in store.log(FLOW, hour(1))] == ["failed", "completed"]
    clock.advance(60 * DAY)
    register(store, new_run(hour(9)))
    assert rows(store, "log") == 0


def test_what_was_returned_goes_with_its_run(store: SQLiteStore) -> None:
    run = launch(store, hour(0), hour(1))
    store.steer(run, {"newest_first": True})
    assert rows(store, "returned") == 2
    store.set_status(run, RunStatus.CANCELLED)
    assert rows(store, "returned") == 0
