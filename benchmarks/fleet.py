"""The flights of the demo on two workers, against Celery with the bare durable statement.

The bare task copies a unit on a connection that is kept, syncs the file, replaces and syncs the
folder; that, and Celery around it, is what these workers could do at best. Seeknal's claim, fence
and complete every unit as well, and look after the run. Days are all 365 of the demo, hours the
first 1,500. Same server, settings and number of processes; rounds alternate.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from benchmarks._bare import COPY
from benchmarks._fleet import HOUR, NAME, Fleet, Took, compare, folder, rates
from demo.flights import SQL, load_flights
from seeknal.executors.celery import Message
from seeknal.feed import planned_units
from seeknal.flow import FlowInput
from seeknal.plan import Window

WORKERS = 2
ROUNDS = 3
# The first hour of 2013 in New York.
FIRST = 1_357_016_400
CASES = (
    ("days", "@daily", Window(backfill=True)),
    ("hours", "@hourly", Window(FIRST, FIRST + 1500 * HOUR, backfill=True)),
)


def main() -> None:
    with folder() as root, Fleet(root) as fleet:
        source = fleet.project.home.root / "flights.duckdb"
        load_flights(source)
        bare_output = root / "bare"
        os.environ.update(BENCH_INPUT=str(source), BENCH_OUTPUT=str(bare_output))
        for _ in range(WORKERS):
            fleet.bare(1)
            fleet.worker(1)
        for name, schedule, window in CASES:
            measure(fleet, bare_output, name, schedule, window)


def measure(fleet: Fleet, bare_output: Path, name: str, schedule: str, window: Window) -> None:
    bare: list[Took] = []
    ours: list[Took] = []
    for round_ in range(ROUNDS + 1):
        shutil.rmtree(bare_output, ignore_errors=True)
        bare_output.mkdir()
        flow = fleet.flow(
            f"{name}{round_}",
            SQL,
            keeps=True,
            schedule=schedule,
            timezone="America/New_York",
            source=FlowInput(kind="database", value="flights"),
        )
        run = fleet.launch(flow, window)
        units = [planned.unit for planned in planned_units(flow.name, run.planned)]
        work = [Message(NAME, flow.name, unit.key, unit.key, run.id) for unit in units]
        # At once: workers feed a run that nobody else does.
        ours.append(fleet.our_time(run))
        bare.append(fleet.bare_time(COPY, work))
        assert len(list(bare_output.glob("*.parquet"))) == len(units)
    rates(f"bare, {name}", len(units), bare[1:])  # the first round warms up
    rates(f"seeknal, {name}", len(units), ours[1:])
    compare(f"the flights, by {name}", bare[1:], ours[1:], 0.75)


if __name__ == "__main__":
    main()
