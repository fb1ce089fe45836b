"""Threads of one process: the next query runs while a result is being published."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from seeknal.coordinator import Coordinator, Report
from seeknal.engine.session import Engine, Session
from seeknal.execute import Workbench
from seeknal.executors.local import LocalExecutor
from seeknal.flow import Flow, FlowInput
from seeknal.outputs import durable
from seeknal.plan import Window
from seeknal.project import Project
from seeknal.resolve import load_job, prepare
from seeknal.stores.owners import process_owner
from seeknal.stores.sqlite import SQLiteStore
from seeknal.tasks.duckdb import DuckDBTask
from tests.silent import Silent
from tests.waiting import passed, wait_until

DAYS = 6
NOW = 1_800_000_000.0
SQL = "SELECT * FROM events WHERE event_time >= '__START__' AND event_time < '__END__'"


class Disk:
    """A disk whose syncs wait until it is let go, and queries that are counted meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
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
            try:
                return copy(session, *args)
            finally:
                with self.lock:
                    self.at_once -= 1

        monkeypatch.setattr(durable, "sync_file", slow)
        monkeypatch.setattr(Session, "copy", counted)


@contextmanager
def backfill(
    folder: Path, workers: int, overlap: bool = True, **options: Any
) -> Iterator[list[Report]]:
    """Run a backfill of so many days in a thread within the block; its report comes at the end."""
    with duckdb.connect(str(folder / "raw.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE events AS SELECT event_time FROM range("
            f"TIMESTAMP '2024-01-01', TIMESTAMP '2024-01-0{DAYS + 1}', INTERVAL 1 HOUR"
            ") t(event_time)"
        )
    project = Project(name="local").get_or_create(folder)
    flow = Flow(
        name="events",
        input=FlowInput(kind="database", value="raw"),
        tasks=[DuckDBTask().add_sql(SQL)],
        schedule="@daily",
    )
    store, engine, reports = SQLiteStore(project.target / "state.db"), Engine(), []
    owner = process_owner()
    bench = Workbench(store, engine, lambda run: load_job(project, run), worker=owner, lease=30.0)

    def run() -> None:
        with LocalExecutor(store, bench, workers, overlap=overlap) as executor:
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


def test_the_next_query_runs_while_a_result_is_published_and_no_other_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    with backfill(tmp_path, workers=1) as reports:
        wait_until("two results wait for the disk", lambda: disk.syncing == 2)
        assert disk.queries == 2, "nobody is ahead by more"
        disk.free.set()
    assert reports[0].complete
    assert (disk.queries, disk.most) == (DAYS, 1)


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


def test_without_overlap_a_unit_is_complete_before_the_next_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    with backfill(tmp_path, workers=1, overlap=False) as reports:
        wait_until("a result waits for the disk", lambda: disk.syncing == 1)
        wait_until("time passes", passed(0.6))
        assert disk.queries == 1
        disk.free.set()
    assert reports[0].complete
