"""The local run against a bare loop that executes the same statements and publishes as durably.

Both run the same statements, with connections opened once per thread, and for each unit: COPY to a
staging file with as much metadata, fsync, replace, fsync of the directory. Seeknal also claims,
fences and completes each unit in its store; it has a second thread for each that runs queries, and
what it publishes together shares the last fsync. The two alternate, and each pair gives a ratio:
the median of these is what counts.

    python -m benchmarks.local_run [--rounds 7] [--directory .] [--threads 1 2]
"""

from __future__ import annotations

import argparse
import os
import queue
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from demo.flights import SQL, load_flights
from seeknal.coordinator import Coordinator
from seeknal.engine.render import render
from seeknal.engine.session import Engine
from seeknal.executors.local import LocalExecutor
from seeknal.feed import planned_units
from seeknal.flow import Flow, FlowInput, FlowOutput
from seeknal.plan import Window
from seeknal.project import Project
from seeknal.resolve import Prepared, load_job, prepare
from seeknal.stores.owners import process_owner
from seeknal.stores.sqlite import SQLiteStore
from seeknal.tasks.duckdb import DuckDBTask
from seeknal.workbench import Workbench
from tests.silent import Silent

NOW = 1_700_000_000.0
LEAST = 0.85
# As long as what Seeknal writes into each file of itself.
KEPT = {f"seeknal_{name}": "20130101T000000Z_20130101"[:size] for name, size in (
    ("flow", 6), ("unit", 24), ("run", 23), ("token", 16), ("fingerprint", 16), ("schedule", 23),
    ("origin", 8), ("worker", 24), ("started", 24), ("attempt", 1),
)}  # fmt: skip


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
                session.copy(sql, staged, KEPT)
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


def measure(project: Project, flow: Flow, window: Window, threads: int, rounds: int) -> float:
    """Print and return the median of the ratios of pairs."""
    engine = Engine()
    prepared = prepare(project, flow, engine)
    engine.close()
    pairs = []
    for number in range(rounds + 1):
        took: dict[str, float] = {}
        runs = [("bare", bare_run), ("seeknal", seeknal_run)]
        for name, run in runs if number % 2 else reversed(runs):
            project.target.rename(project.home.root / f"{flow.name}-{threads}-{number}-{name}")
            project.target.mkdir()
            seconds, units = timed(partial(run, project, prepared, window, threads))
            took[name] = seconds / units
        pairs.append((took["bare"], took["seeknal"]))
    pairs = pairs[1:]  # the first pair warms up
    bare, ours = (statistics.median(each) for each in zip(*pairs, strict=True))
    ratios = [bare / ours for bare, ours in pairs]
    ratio = statistics.median(ratios)
    print(
        f"{flow.name:<8} {threads} threads, {units:>5} units: bare {1 / bare:7.1f}/s, "
        f"seeknal {1 / ours:7.1f}/s, ratio {ratio:.2f}  "
        f"(of {rounds} pairs: {min(ratios):.2f} to {max(ratios):.2f})"
    )
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--directory", default=".", help="on the disk to measure")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="seeknal-bench-", dir=options.directory))
    ratios = []
    try:
        load_flights(folder / "flights.duckdb")
        project = Project(name="bench").get_or_create(folder)
        for name, schedule, window in (
            ("daily", "@daily", Window(backfill=True)),
            ("hourly", "@hourly", Window(1357016400, 1357016400 + 1000 * 3600, backfill=True)),
        ):
            flow = Flow(
                name=name,
                input=FlowInput(kind="database", value="flights"),
                tasks=[DuckDBTask().add_sql(SQL)],
                output=FlowOutput(),
                schedule=schedule,
                timezone="America/New_York",
            )
            for threads in options.threads:
                ratios.append(measure(project, flow, window, threads, options.rounds))
    finally:
        shutil.rmtree(folder)
    if min(ratios) < LEAST:
        print(f"Less than {LEAST} of the loop's throughput; is the machine busy with other things?")


if __name__ == "__main__":
    main()
