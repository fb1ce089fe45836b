"""Threads of one process: the next queries run while results are being published."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import duckdb
import pytest

from seeknal.coordinator import Coordinator, Report
from seeknal.engine.session import Engine, Session
from seeknal.executors import batches
from seeknal.executors.local import LocalExecutor
from seeknal.finish import finish
from seeknal.flow import Flow, FlowInput
from seeknal.heartbeat import Holding
from seeknal.outputs import durable
from seeknal.plan import Window
from seeknal.project import Project
from seeknal.resolve import load_job, prepare
from seeknal.stores.owners import process_owner
from seeknal.stores.sqlite import SQLiteStore
from seeknal.tasks.duckdb import DuckDBTask
from seeknal.workbench import Workbench
from seeknal.workflow.state import Run
from tests.silent import Silent
from tests.waiting import passed, wait_until

DAYS = 6
BATCH = 16
NOW = 1_800_000_000.0
SQL = "SELECT * FROM events WHERE event_time >= '__START__' AND event_time < '__END__'"


def never(run: Run) -> NoReturn:
    raise AssertionError("nothing is executed here")


class Disk:
    """A disk whose syncs wait until it is let go, and queries that are counted meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, query_takes: float = 0.0) -> None:
        self.free = threading.Event()
        self.syncing = self.queries = self.at_once = self.most = 0
        self.lock = threading.Lock()
        sync, copy = durable.sync_file, Session.copy

        def slow(path: Path) -> int:
            self.syncing += 1
            assert self.free.wait(30)
            return sync(path)

        def counted(session: Session, *args: Any) -> int:
            with self.lock:
                self.queries += 1
                self.at_once += 1
                self.most = max(self.most, self.at_once)
            wait_until("the query has its time", passed(query_takes))
            try:
                return copy(session, *args)
            finally:
                with self.lock:
                    self.at_once -= 1

        monkeypatch.setattr(durable, "sync_file", slow)
        monkeypatch.setattr(Session, "copy", counted)

    def still(self) -> bool:
        """Whether no query begins for a while."""
        before = self.queries
        wait_until("a while has passed", passed(0.5))
        return self.queries == before


@contextmanager
def backfill(
    folder: Path,
    workers: int,
    days: int = DAYS,
    sql: str = SQL,
    **options: Any,
) -> Iterator[list[Report]]:
    """Run a backfill of so many days in a thread within the block; its report comes at the end."""
    with duckdb.connect(str(folder / "raw.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE events AS SELECT event_time FROM range("
            f"TIMESTAMP '2024-01-01', DATE '2024-01-01' + {days}, INTERVAL 1 HOUR"
            ") t(event_time)"
        )
    project = Project(name="local").get_or_create(folder)
    flow = Flow(
        name="events",
        input=FlowInput(kind="database", value="raw"),
        tasks=[DuckDBTask().add_sql(sql)],
        schedule="@daily",
    )
    store, engine, reports = SQLiteStore(project.target / "state.db"), Engine(), []
    owner = process_owner()
    bench = Workbench(store, engine, lambda run: load_job(project, run), worker=owner, lease=30.0)

    def run() -> None:
        with LocalExecutor(store, bench, workers) as executor:
            coordinator = Coordinator(store, executor, Silent(), "me", owner, options=options)
            prepared = prepare(project, flow, engine)
            data = prepared.data(engine)
            reports.append(coordinator.run(prepared, data, Window(backfill=True), NOW))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield reports
    finally:
        thread.join(60)
        bench.close()
        store.close()
        engine.close()
    assert not thread.is_alive()


def test_queries_run_while_results_are_published_but_not_far_ahead_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    with backfill(tmp_path, workers=1, days=50) as reports:
        wait_until("a result waits for the disk", lambda: disk.syncing == 1)
        wait_until("another query has run", lambda: disk.queries >= 2)
        wait_until("queries wait for it as well", disk.still)
        assert disk.queries <= 2 * BATCH + 1
        disk.free.set()
    assert reports[0].complete
    assert (disk.queries, disk.most) == (50, 1)


def test_units_that_are_slow_are_published_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch, query_takes=0.15)
    disk.free.set()
    batches: list[int] = []

    def counted(bench: Workbench, made: list[Any]) -> list[Any]:
        batches.append(len(made))
        return finish(bench, made)

    monkeypatch.setattr("seeknal.executors.local.finish", counted)
    with backfill(tmp_path, workers=1) as reports:
        pass
    assert reports[0].complete
    assert batches == [1] * DAYS


def test_a_run_that_pauses_itself_leaves_what_was_claimed_ahead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_WITHIN", 60.0)  # however slow the machine is
    claimed: list[int] = []
    claim = Workbench.claim

    def counted(bench: Workbench, most: int) -> list[Holding]:
        claimed.append(most)
        return claim(bench, most)

    monkeypatch.setattr(Workbench, "claim", counted)
    sql = SQL.replace("*", "if(event_time = '2024-02-09', error('no sensor'), event_time) AS at")
    with backfill(tmp_path, workers=1, days=100, sql=sql, stop_after=1, max_attempts=1) as reports:
        pass
    (counts,) = reports[0].counts
    assert (counts.done, counts.failed, counts.running) == (39, 1, 0)
    assert 16 in claimed


def test_an_interrupt_while_threads_start_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, engine = SQLiteStore(tmp_path / "state.db"), Engine()
    bench = Workbench(store, engine, never, worker=process_owner(), lease=30.0)
    executor = LocalExecutor(store, bench, workers=2)
    start, started = LocalExecutor._start, list[threading.Thread]()

    def interrupted(
        self: LocalExecutor, name: str, work: Any, threads: list[threading.Thread]
    ) -> None:
        if len(started) == 3:
            raise KeyboardInterrupt
        start(self, name, work, threads)
        started.append(threads[-1])

    monkeypatch.setattr(LocalExecutor, "_start", interrupted)
    with pytest.raises(KeyboardInterrupt), executor:
        pass
    assert len(started) == 3
    assert not any(thread.is_alive() for thread in started)
    bench.close()
    store.close()
    engine.close()


def test_a_cap_counts_what_is_being_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    with backfill(tmp_path, workers=2, max_active=1) as reports:
        wait_until("a result waits for the disk", lambda: disk.syncing == 1)
        wait_until("others have asked for work meanwhile", passed(0.6))
        assert disk.queries == 1
        disk.free.set()
    assert reports[0].complete
    assert disk.most == 1
