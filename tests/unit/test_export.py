"""A row for each unit of a run: what the store and the files tell of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from seeknal.engine.literals import text
from seeknal.export import COLUMNS, rows
from seeknal.outputs.parquet import ParquetOutput
from seeknal.stores.base import Store
from seeknal.stores.sqlite import SQLiteStore
from seeknal.workflow.state import Claim, Run, RunStatus, UnitResult
from tests.contract.building import (
    CHANGE,
    FLOW,
    completion,
    finish,
    hour,
    launch,
    new_run,
    register,
    restate,
    run_units,
    take,
    value,
)
from tests.contract.harness import Clock
from tests.publishing import publish_staged

NOW = 1_700_000_000.0


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[SQLiteStore]:
    opened = SQLiteStore(tmp_path / "state.db", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def output(tmp_path: Path) -> ParquetOutput:
    return ParquetOutput(tmp_path / "out")


def run_of(store: Store, name: str) -> Run:
    found = store.run(name)
    assert found is not None
    return found


def told(store: Store, run: str, output: ParquetOutput | None = None) -> dict[str, dict[str, Any]]:
    """The rows of a run, by their units."""
    found = list(rows(store, run_of(store, run), output))
    assert all(list(row) == list(COLUMNS) for row in found)
    by_unit = {row["unit"]: row for row in found}
    assert len(by_unit) == len(found)
    return by_unit


def statuses(store: Store, run: str, output: ParquetOutput | None = None) -> list[str]:
    return [row["status"] for row in told(store, run, output).values()]


def publish(output: ParquetOutput, claim: Claim, **more: str) -> Path:
    """Publish three rows for a claim, as an attempt does."""
    said = {
        "seeknal_run": claim.run,
        "seeknal_unit": claim.unit.key,
        "seeknal_worker": claim.worker,
        "seeknal_started": "2024-01-05T06:00:00.250+00:00",
        "seeknal_attempt": "2",
        **more,
    }
    pairs = ", ".join(f"{name}: {text(content)}" for name, content in said.items())
    staged = output.stage(claim.unit, claim.token)
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT * FROM range(3)) TO {text(str(staged))} "
            f"(FORMAT parquet, KV_METADATA {{{pairs}}})"
        )
    return publish_staged(output, staged, claim.unit, claim.token)


def forget_events(store: SQLiteStore, run: str) -> None:
    """Let a run's events be gone, as those are that ten thousand others followed."""
    with store._db.write() as db:
        db.execute("DELETE FROM events WHERE run = ?", (run,))


# -- units that go on -----------------------------------------------------------------------------


def test_every_unit_has_a_row_in_the_order_of_the_plan(store: SQLiteStore) -> None:
    run = register(store, new_run(*(hour(n) for n in range(5)))).id
    found = told(store, run)
    assert list(found) == [hour(n).key for n in range(5)]
    assert found[hour(0).key] == {
        **dict.fromkeys(COLUMNS),
        "run": run,
        "flow": FLOW,
        "unit": hour(0).key,
        "start": "2024-01-01T00:00:00.000+00:00",
        "end": "2024-01-01T01:00:00.000+00:00",
        "status": "queued",
    }


def test_a_unit_that_runs_says_where_and_since_when(store: SQLiteStore, clock: Clock) -> None:
    run = launch(store, hour(0), hour(1))
    take(store, 60, run, worker="w-7")
    clock.advance(5)
    row = told(store, run)[hour(0).key]
    assert (row["status"], row["worker"], row["attempts"]) == ("running", "w-7", 1)
    assert row["started"] == "2023-11-14T22:13:20.000+00:00"
    assert row["finished"] is row["seconds"] is None


def test_a_unit_that_waits_for_its_next_attempt_tells_of_the_last(store: SQLiteStore) -> None:
    run = launch(store, hour(0))
    store.fail(take(store, 60, run), "not yet", 100.0)
    row = told(store, run)[hour(0).key]
    assert (row["status"], row["attempts"], row["error"]) == ("queued", 1, "not yet")


# -- units that ended -----------------------------------------------------------------------------


def test_a_unit_that_is_done_tells_what_it_made(store: SQLiteStore, clock: Clock) -> None:
    run = launch(store, hour(0))
    store.fail(take(store, 60, run), "not yet", 0.0)
    claim = take(store, 60, run, worker="w-7")
    clock.advance(2.5)
    store.complete(claim, "fp", UnitResult(12, 3400, 2.5))
    row = told(store, run)[hour(0).key]
    assert row["status"] == "done"
    assert row["attempts"] == 2
    assert row["worker"] == "w-7"
    assert row["started"] == "2023-11-14T22:13:20.000+00:00"
    assert row["finished"] == "2023-11-14T22:13:22.500+00:00"
    assert (row["seconds"], row["rows"], row["bytes"]) == (2.5, 12, 3400)
    assert row["error"] is None


def test_a_unit_that_failed_tells_why(store: SQLiteStore, clock: Clock) -> None:
    run = launch(store, hour(0))
    store.fail(take(store, 60, run), "first", 0.0)
    claim = take(store, 60, run, worker="w-7")
    clock.advance(1.5)
    store.fail(claim, "sensor 7 is broken", None)
    row = told(store, run)[hour(0).key]
    assert (row["status"], row["attempts"], row["seconds"]) == ("failed", 2, 1.5)
    assert (row["worker"], row["error"]) == ("w-7", "sensor 7 is broken")


def test_a_unit_that_others_had_done_is_done_and_nothing_more(store: SQLiteStore) -> None:
    run = launch(store, hour(0))
    store.mark(FLOW, [completion(hour(0))], [], CHANGE)
    assert store.claim("w", 60, run) is None
    row = told(store, run)[hour(0).key]
    assert row["status"] == "done"
    assert row["worker"] is row["rows"] is row["attempts"] is None


def test_values_have_partitions_and_no_times(store: SQLiteStore) -> None:
    run = run_units(store, value("EU"), value("a b"))
    found = told(store, run)
    assert [(row["partition"], row["status"]) for row in found.values()] == [
        ("EU", "done"), ("a b", "done"),
    ]  # fmt: skip
    assert {row["start"] for row in found.values()} == {None}


def test_a_value_that_is_not_done_is_queued(store: SQLiteStore) -> None:
    run = register(store, new_run(value("EU"))).id
    assert statuses(store, run) == ["queued"]


# -- when events are gone -------------------------------------------------------------------------


def test_a_file_tells_what_the_events_no_longer_do(
    store: SQLiteStore, output: ParquetOutput
) -> None:
    run = launch(store, hour(0))
    claim = take(store, 60, run, worker="w-7")
    path = publish(output, claim)
    finish(store, claim)
    forget_events(store, run)
    row = told(store, run, output)[hour(0).key]
    assert (row["status"], row["worker"], row["attempts"]) == ("done", "w-7", 2)
    assert (row["rows"], row["bytes"]) == (3, path.stat().st_size)
    assert row["started"] == "2024-01-05T06:00:00.250+00:00"
    assert row["seconds"] == pytest.approx(path.stat().st_mtime - 1704434400.25, abs=0.01)


def test_a_file_of_another_run_tells_nothing_of_this_one(
    store: SQLiteStore, output: ParquetOutput
) -> None:
    run = launch(store, hour(0))
    claim = take(store, 60, run)
    publish(output, claim, seeknal_run="another")
    finish(store, claim)
    forget_events(store, run)
    row = told(store, run, output)[hour(0).key]
    assert row["status"] == "done"
    assert row["rows"] is row["worker"] is None


def test_a_file_of_an_older_seeknal_tells_what_it_can(
    store: SQLiteStore, output: ParquetOutput
) -> None:
    run = launch(store, hour(0))
    claim = take(store, 60, run)
    publish(output, claim, seeknal_started="?")
    finish(store, claim)
    forget_events(store, run)
    row = told(store, run, output)[hour(0).key]
    assert row["rows"] == 3
    assert row["started"] is row["seconds"] is None


def test_without_files_and_events_only_done_is_known(store: SQLiteStore) -> None:
    run = run_units(store, hour(0), hour(1))
    forget_events(store, run)
    for row in told(store, run).values():
        assert row["status"] == "done"
        assert row["attempts"] is row["finished"] is row["rows"] is row["worker"] is None


def test_a_broken_file_tells_nothing_and_hides_no_other(
    store: SQLiteStore, output: ParquetOutput
) -> None:
    run = launch(store, hour(0), hour(1))
    for _ in range(2):
        claim = take(store, 60, run)
        publish(output, claim)
        finish(store, claim)
    output.path(hour(0)).write_bytes(b"PAR1 broken PAR1")
    forget_events(store, run)
    assert [row["rows"] for row in told(store, run, output).values()] == [None, 3]


# -- units that later runs took up ----------------------------------------------------------------


@pytest.mark.parametrize("events", [True, False])
def test_a_unit_that_failed_here_and_was_done_later_failed_here(
    store: SQLiteStore, events: bool
) -> None:
    run = launch(store, hour(0), hour(1), hour(2))
    for _ in range(2):
        store.fail(take(store, 60, run), "boom", None)
    finish(store, take(store, 60, run))
    again = run_units(store, hour(0))
    if not events:
        forget_events(store, run)
    found = told(store, run)
    assert [row["status"] for row in found.values()] == ["failed", "failed", "done"]
    assert found[hour(0).key]["error"] == "boom"
    assert statuses(store, again) == ["done"]


def test_a_unit_that_was_done_here_and_restated_since_was_done_here(store: SQLiteStore) -> None:
    run = run_units(store, hour(0))
    restate(store, hour(0))
    forget_events(store, run)
    assert statuses(store, run) == ["done"]


def test_what_a_cancelled_run_did_not_do_says_so(store: SQLiteStore) -> None:
    run = launch(store, *(hour(n) for n in range(4)))
    finish(store, take(store, 60, run))
    store.fail(take(store, 60, run), "boom", None)
    take(store, 60, run)
    store.set_status(run, RunStatus.CANCELLED)
    assert statuses(store, run) == ["done", "failed", "cancelled", "cancelled"]
    forget_events(store, run)
    assert statuses(store, run) == ["done", "failed", "cancelled", "cancelled"]


def test_units_of_a_restatement_that_wait_are_not_done(store: SQLiteStore) -> None:
    run_units(store, hour(0), hour(1))
    restate(store, hour(0), hour(1))
    run = launch(store, hour(0), hour(1))
    finish(store, take(store, 60, run))
    assert statuses(store, run) == ["done", "queued"]


# -- many -----------------------------------------------------------------------------------------


def test_events_that_go_back_only_so_far_tell_of_the_latest_units(store: SQLiteStore) -> None:
    run = run_units(store, *(hour(n) for n in range(40)))
    with store._db.write() as db:
        db.execute("DELETE FROM events WHERE run = ? AND id <= 21", (run,))  # with its beginning
    found = list(told(store, run).values())
    assert [row["rows"] for row in found] == [None] * 20 + [10] * 20
    assert {row["status"] for row in found} == {"done"}
    assert {row["attempts"] for row in found} == {None}  # what came before is not known
