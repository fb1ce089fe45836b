"""Many results published and completed at once: each as if it were alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from seeknal import workbench
from seeknal.ending import end_attempt
from seeknal.engine.session import Engine
from seeknal.engine.source import Query, Source
from seeknal.errors import OutputError, StoreError, StoreUnavailableError
from seeknal.execute import Seat
from seeknal.finish import finish
from seeknal.outputs import durable
from seeknal.outputs.parquet import ParquetOutput
from seeknal.stores.sqlite import SQLiteStore
from seeknal.workbench import Broken, Job, Made, Outcome, Workbench
from seeknal.workflow.state import RunStatus, UnitStatus
from tests.contract.building import day, hour, launch
from tests.raising import raising

SQL = "SELECT * FROM __THIS__ WHERE event_time >= '__START__' AND event_time < '__END__'"
LEASE = 30.0


class Works:
    """A process that executes units of one store, and what it publishes."""

    def __init__(self, root: Path, *, kept: bool = True) -> None:
        source = root / "events.parquet"
        with duckdb.connect() as connection:
            connection.execute(
                f"COPY (SELECT make_timestamp({hour(0).start}000000) + INTERVAL (i) MINUTE "
                f"AS event_time FROM range(0, 3600, 20) r(i)) TO '{source}' (FORMAT parquet)"
            )
        self.output = ParquetOutput(root / "out")
        self.store = SQLiteStore(root / "state.db")
        self.engine = Engine()
        query = Query(Source("parquet", (str(source),)), (SQL,), "event_time")
        output = self.output if kept else None
        self.bench = Workbench(
            self.store,
            self.engine,
            lambda run: Job(run.id, query, output, "fp", run.options, lambda unit: None),
            worker="w",
            lease=LEASE,
        )
        self.seat = Seat(self.bench)

    def compute(self, most: int) -> list[Made]:
        """Run the queries of so many units."""
        made = [self.seat.compute(holding) for holding in self.bench.claim(most)]
        assert all(isinstance(each, Made) for each in made)
        return [each for each in made if isinstance(each, Made)]

    def finish(self, made: list[Made]) -> list[Outcome]:
        return finish(self.bench, made)

    @property
    def rows(self) -> int:
        """How many rows are published."""
        glob = str(self.output.root / "**/*.parquet")
        with duckdb.connect() as connection:
            found = connection.execute("SELECT count(*) FROM read_parquet(?)", [glob]).fetchall()
        return int(found[0][0])

    @property
    def staged(self) -> list[Path]:
        return list(self.output.root.glob(".staging/*"))

    def close(self) -> None:
        self.seat.close()
        self.bench.close()
        self.store.close()


@pytest.fixture(params=[True])
def works(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Works]:
    made = Works(tmp_path, kept=request.param)
    yield made
    made.close()


def test_all_are_published_and_complete(works: Works) -> None:
    run = launch(works.store, *(hour(n) for n in range(5)))
    assert works.finish(works.compute(5)) == [Outcome.DONE] * 5
    counts = works.store.counts(run)
    assert (counts.done, counts.rows, counts.running) == (5, 15, 0)
    assert counts.bytes == sum(works.output.path(hour(n)).stat().st_size for n in range(5))
    assert (works.rows, works.staged) == (15, [])
    found = works.store.run(run)
    assert found is not None
    assert found.status is RunStatus.DONE


@pytest.mark.parametrize("works", [False], indirect=True)
def test_what_keeps_no_output_is_completed_together_as_well(works: Works) -> None:
    run = launch(works.store, *(hour(n) for n in range(3)))
    assert works.finish(works.compute(3)) == [Outcome.DONE] * 3
    assert works.store.counts(run).done == 3
    assert not works.output.root.exists()


def test_a_batch_costs_two_transactions_and_one_sync_of_a_directory(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(works.store, *(hour(n) for n in range(8)))
    made = works.compute(8)
    synced: list[Path] = []
    statements: list[str] = []
    sync = durable.sync_directory

    def told(path: Path) -> None:
        synced.append(path)
        sync(path)

    monkeypatch.setattr(durable, "sync_directory", told)
    connection: Any = works.store._db._connection
    connection.set_trace_callback(statements.append)
    assert works.finish(made) == [Outcome.DONE] * 8
    connection.set_trace_callback(None)
    assert synced.count(works.output.path(hour(0)).parent) == 1
    assert sum(statement.startswith("BEGIN") for statement in statements) == 2


def test_a_lease_that_is_lost_costs_the_others_nothing(works: Works) -> None:
    run = launch(works.store, hour(0), hour(1), hour(2))
    made = works.compute(3)
    works.store.release(made[1].holding.claim)
    assert works.finish(made) == [Outcome.DONE, Outcome.LOST, Outcome.DONE]
    assert [record.planned.unit for record in works.store.records(run)] == [hour(1)]
    assert works.output.published(hour(1)) is None
    assert (works.rows, works.staged) == (6, [])


def test_a_lease_that_is_lost_before_the_query_spares_it(works: Works) -> None:
    launch(works.store, hour(0))
    (holding,) = works.bench.claim(1)
    holding.lost = True
    broken = works.seat.compute(holding)
    assert isinstance(broken, Broken)
    assert end_attempt(works.bench, broken) is Outcome.LOST
    assert not works.output.root.exists()


def test_an_attempt_that_broke_is_timed_no_more(works: Works) -> None:
    launch(works.store, hour(0), timeout=600)
    (works.output.root.parent / "events.parquet").unlink()
    (holding,) = works.bench.claim(1)
    broken = works.seat.compute(holding)
    assert isinstance(broken, Broken)
    assert holding.ended, "what is published before its end may take longer than its timeout"
    assert end_attempt(works.bench, broken) is Outcome.FAILED


def test_what_one_file_is_refused_ends_its_attempt_alone(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = launch(works.store, hour(0), hour(1), hour(2))
    made = works.compute(3)
    replace = ParquetOutput.replace

    def full(output: ParquetOutput, staged: Path, unit: Any, token: int) -> None:
        if unit == hour(1):
            raise OutputError("The disk is full.")
        replace(output, staged, unit, token)

    monkeypatch.setattr(ParquetOutput, "replace", full)
    assert works.finish(made) == [Outcome.DONE, Outcome.FAILED, Outcome.DONE]
    (left,) = works.store.records(run)
    assert (left.planned.unit, left.status, left.error) == (
        hour(1), UnitStatus.QUEUED, "The disk is full."
    )  # fmt: skip
    assert works.staged == []


def test_nothing_is_complete_whose_name_may_be_lost(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = launch(works.store, hour(0), hour(1))
    made = works.compute(2)
    asked: list[Path] = []

    def once(output: ParquetOutput, directory: Path) -> None:
        asked.append(directory)
        if len(asked) == 1:  # a disk tells once of what it lost
            raise OutputError("The disk is gone.")

    monkeypatch.setattr(ParquetOutput, "sync", once)
    assert works.finish(made) == [Outcome.FAILED] * 2
    assert works.store.counts(run).done == 0
    assert works.rows == 6, "what is published stays, and is replaced by the next attempt"


def test_nothing_is_replaced_before_all_are_fenced(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(works.store, hour(0), hour(1))
    made = works.compute(2)
    steps: list[str] = []
    for thing, verb in (
        (durable, "sync_file"),
        (works.store, "prepare"),
        (ParquetOutput, "replace"),
        (ParquetOutput, "sync"),
        (works.store, "complete"),
    ):
        monkeypatch.setattr(thing, verb, noting(getattr(thing, verb), steps, verb))
    works.finish(made)
    assert steps == [
        "sync_file", "sync_file", "prepare", "prepare", "replace", "replace", "sync", "complete",
        "complete",
    ]  # fmt: skip


def noting(work: Callable[..., Any], steps: list[str], step: str) -> Callable[..., Any]:
    def instead(*args: Any, **options: Any) -> Any:
        steps.append(step)
        return work(*args, **options)

    return instead


def test_a_successor_that_publishes_after_the_fence_wins(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(works.store, hour(0))
    made = works.compute(1)
    prepare = works.store.prepare

    def overtaken(claim: Any) -> Any:
        overlap = prepare(claim)
        staged = works.output.stage(hour(0), claim.token + 1)
        with duckdb.connect() as connection:
            kept = f"KV_METADATA {{seeknal_token: '{claim.token + 1}'}}"
            connection.execute(f"COPY (SELECT 7) TO '{staged}' (FORMAT parquet, {kept})")
        works.output.make_durable(staged, hour(0))
        works.output.replace(staged, hour(0), claim.token + 1)
        return overlap

    monkeypatch.setattr(works.store, "prepare", overtaken)
    assert works.finish(made) == [Outcome.LOST]
    assert (works.rows, works.staged) == (1, [])


def test_output_of_other_shapes_is_superseded_for_each(works: Works) -> None:
    hours = [hour(n) for n in (3, 4, 5, 30, 31, 49)]
    launch(works.store, *hours)
    assert works.finish(works.compute(len(hours))) == [Outcome.DONE] * len(hours)
    launch(works.store, day(0), day(1))
    assert works.finish(works.compute(2)) == [Outcome.DONE] * 2
    files = {path.name for path in works.output.root.glob("**/*.parquet")}
    assert files == {works.output.path(unit).name for unit in (day(0), day(1), hour(49))}


def test_a_store_that_breaks_is_told_and_completes_none(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = launch(works.store, hour(0), hour(1))
    made = works.compute(2)
    complete = works.store.complete
    calls: list[int] = []

    def breaking(*args: Any) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise StoreError("The state file cannot be written.")
        complete(*args)

    monkeypatch.setattr(works.store, "complete", breaking)
    assert works.finish(made) == [Outcome.FAILED] * 2
    assert works.store.counts(run).done == 0
    assert [r.error for r in works.store.records(run)] == ["The state file cannot be written."] * 2


def test_what_ends_the_process_lets_go_of_leases_and_staged_files(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(works.store, hour(0), hour(1))
    made = works.compute(2)
    monkeypatch.setattr(works.store, "prepare", raising(SystemExit()))
    with pytest.raises(SystemExit):
        works.finish(made)
    assert works.staged == []
    works.bench.hand_back()
    assert [record.status for record in works.store.records(made[0].job.run)] == [
        UnitStatus.RUNNING
    ] * 2, "their leases expire: nobody renews them, or hands them back"


def test_what_is_claimed_and_not_begun_can_be_handed_back(works: Works) -> None:
    run = launch(works.store, hour(0), hour(1))
    works.bench.claim(2)
    works.bench.interrupt()
    assert works.store.counts(run).running == 2, "there is no query to interrupt"
    works.bench.hand_back()
    assert works.store.counts(run).running == 0


def test_an_outage_is_waited_for_and_the_whole_step_repeated(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbench, "_PAUSE", 0.01)
    run = launch(works.store, hour(0), hour(1), hour(2))
    made = works.compute(3)
    works.store.release(made[1].holding.claim)
    together = works.store.together
    troubles: list[int] = []

    @contextmanager
    def away() -> Iterator[None]:
        """Break off each step once, when all of it was asked for."""
        with together():
            yield
            troubles.append(1)
            if len(troubles) % 2:
                raise StoreUnavailableError("The state file is locked.")

    monkeypatch.setattr(works.store, "together", away)
    assert works.finish(made) == [Outcome.DONE, Outcome.LOST, Outcome.DONE]
    assert len(troubles) == 4
    assert works.store.counts(run).done == 2
