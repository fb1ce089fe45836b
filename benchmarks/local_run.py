"""The local run against a bare loop that executes the same statements and publishes as durably.

Both use the same rendered SQL, as many threads, connections opened once per thread, and for
each unit: COPY to a staging file, fsync, replace, fsync of the directory. Seeknal also claims,
fences and completes each unit in its store. The two alternate; medians are compared.
"""

from __future__ import annotations

import os
import queue
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from demo.flights import SQL, load_flights
from seeknal.coordinator import Coordinator
from seeknal.engine.render import render
from seeknal.engine.session import Engine
from seeknal.execute import Workbench
from seeknal.executors.local import LocalExecutor
from seeknal.feed import planned_units
from seeknal.flow import Flow, FlowInput, FlowOutput
from seeknal.plan import Window
from seeknal.project import Project
from seeknal.resolve import Prepared, load_job, prepare
from seeknal.stores.owners import process_owner
from seeknal.stores.sqlite import SQLiteStore
from seeknal.tasks.duckdb import DuckDBTask

NOW = 1_700_000_000.0
ROUNDS = 3


class Silent:
    """An observer that shows nothing."""

    def planned(self, *_: object) -> None: ...

    def progress(self, *_: object) -> None: ...

    def waiting(self, *_: object) -> None: ...


def seeknal_run(project: Project, prepared: Prepared, window: Window, workers: int) -> int:
    store = SQLiteStore(project.target / "state.db")
    engine = Engine()
    owner = process_owner()
    bench = Workbench(store, engine, lambda run: load_job(project, run), worker=owner, lease=30.0)
    try:
        with LocalExecutor(store, bench, workers) as executor:
            coordinator = Coordinator(store, executor, Silent(), actor="bench", owner=owner)
            data = prepared.data(engine)
            report = coordinator.run(prepared, data, window, NOW)
    finally:
        bench.close()
        store.close()
    return sum(counts.done for counts in report.counts)


def bare_run(project: Project, prepared: Prepared, window: Window, workers: int) -> int:
    engine = Engine()
    store = SQLiteStore(project.target / "state.db")
    plan = prepared.plan(store, prepared.data(engine), window, NOW)
    store.close()
    work: queue.SimpleQueue[tuple[str, Path, Path]] = queue.SimpleQueue()
    root = project.target / "bare"
    staging = root / ".staging"
    staging.mkdir(parents=True)
    count = 0
    for planned in planned_units(prepared.name, plan.planned):
        month = root / f"month={planned.unit.key[:6]}"
        month.mkdir(exist_ok=True)
        name = planned.unit.key
        work.put((render(prepared.query, planned.unit), staging / name, month / f"{name}.parquet"))
        count += 1

    def loop() -> None:
        with engine.session(prepared.query) as session:
            while True:
                try:
                    sql, staged, target = work.get_nowait()
                except queue.Empty:
                    return
                session.copy(sql, staged)
                sync(staged)
                staged.replace(target)
                sync(target.parent)

    threads = [threading.Thread(target=loop) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    engine.close()
    return count


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)


def timed(run: Callable[[], int]) -> tuple[float, int]:
    started = time.perf_counter()
    count = run()
    return time.perf_counter() - started, count


def measure(project: Project, flow: Flow, window: Window, workers: int) -> None:
    engine = Engine()
    prepared = prepare(project, flow, engine)
    engine.close()
    times: dict[str, list[float]] = {"bare": [], "seeknal": []}
    for _ in range(ROUNDS):
        for name, run in (("bare", bare_run), ("seeknal", seeknal_run)):
            shutil.rmtree(project.target)
            project.target.mkdir()
            seconds, units = timed(lambda run=run: run(project, prepared, window, workers))  # type: ignore[misc]
            times[name].append(seconds)
    bare, ours = (statistics.median(times[name]) for name in ("bare", "seeknal"))
    print(
        f"{flow.name:<8} {workers} threads, {units:>5} units: bare {units / bare:7.1f}/s, "
        f"seeknal {units / ours:7.1f}/s, ratio {bare / ours:.2f}  "
        f"(spread of bare {min(times['bare']):.2f}-{max(times['bare']):.2f} s, "
        f"of seeknal {min(times['seeknal']):.2f}-{max(times['seeknal']):.2f} s)"
    )


def main() -> None:
    folder = Path(
        tempfile.mkdtemp(prefix="seeknal-bench-", dir=sys.argv[1] if sys.argv[1:] else ".")
    )
    try:
        load_flights(folder / "flights.duckdb")
        project = Project(name="bench").get_or_create(folder)
        for name, schedule, window in (
            ("daily", "@daily", Window(backfill=True)),
            ("hourly", "@hourly", Window(1357016400, 1357016400 + 1500 * 3600, backfill=True)),
        ):
            flow = Flow(
                name=name,
                input=FlowInput(kind="database", value="flights"),
                tasks=[DuckDBTask().add_sql(SQL)],
                output=FlowOutput(),
                schedule=schedule,
                timezone="America/New_York",
            )
            for workers in (1, 2):
                measure(project, flow, window, workers)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
