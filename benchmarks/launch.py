"""What a launch costs: time, and memory of Redis, for 100,000 and for 10,000,000 units.

A run is its ranges, so both cost the same. Memory is that of the project's keys, first with the
run registered and its first units queued, then with all 100,000 completed by the verbs that
workers use. Ten million hours do not fit the years that are supported; those units are minutes.
"""

from __future__ import annotations

import time

from benchmarks._fleet import FIRST, HOUR, Fleet, folder, hours
from seeknal.executors.celery import QUEUE
from seeknal.executors.dispatch import CeleryExecutor
from seeknal.plan import Window
from seeknal.stores.redis_keys import prefix
from seeknal.workflow.state import Run, UnitResult

UNITS = 100_000
MANY = 10_000_000
# 1 January 1990; the minutes end before 2010.
EARLY = 631_152_000


def memory(fleet: Fleet) -> dict[str, int]:
    """Return the bytes of each key of the project, and of the queue, by its name."""
    keys = [*fleet.client.scan_iter(match=f"{prefix(fleet.project.name)}*", count=1000), QUEUE]
    sizes = {key: fleet.client.memory_usage(key, samples=0) or 0 for key in keys}
    return {key.removeprefix(prefix(fleet.project.name)): size for key, size in sizes.items()}


def shown(limit: int, used: int) -> str:
    return f"{used / 1000:.1f} KB (at most {limit}) {'ok' if used <= limit * 1000 else 'ABOVE'}"


def launch(fleet: Fleet, name: str, schedule: str, window: Window) -> Run:
    """Launch as ``seeknal run --detach`` does, and tell what it took."""
    launcher = fleet.launcher(fleet.flow(name, schedule=schedule))
    before = memory(fleet)
    started = time.perf_counter()
    run = launcher(window)
    registered = time.perf_counter() - started
    CeleryExecutor(fleet.dispatcher).launch(run.id)
    launched = time.perf_counter() - started
    used = sum(memory(fleet).values()) - sum(before.values())
    print(
        f"{run.units:>10,} units: registered in {registered * 1000:.0f} ms, launched in "
        f"{launched * 1000:.0f} ms; Redis holds {shown(100, used)}"
    )
    return run


def complete(fleet: Fleet, run: Run) -> None:
    """Claim and complete every unit, as workers do."""
    started = time.perf_counter()
    store, done = fleet.store, 0
    while done < run.units:
        fleet.dispatcher.feed(run.id)
        fleet.client.delete(QUEUE)
        while (claim := store.claim("bench", 30.0, run.id)) is not None:
            store.complete(claim, run.fingerprint, UnitResult(1, 1, 0.001))
            done += 1
    took = time.perf_counter() - started
    print(f"{done:,} units claimed and completed, {done / took:.0f}/s by one process")


def main() -> None:
    with folder() as root, Fleet(root) as fleet:
        years = Window(EARLY, EARLY + MANY * 60, backfill=True, include_empty=True)
        many = launch(fleet, "minutes", "* * * * *", years)
        assert many.units == MANY
        run = launch(fleet, "hourly", "@hourly", hours(UNITS, FIRST - UNITS * HOUR))
        assert run.units == UNITS
        complete(fleet, run)
        kept = memory(fleet)
        of_flow = sum(size for key, size in kept.items() if key.endswith(":hourly"))
        of_run = {key: size for key, size in kept.items() if run.id in key}
        print(f"the flow, {UNITS:,} contiguous units later: {shown(10, of_flow)}")
        for key, size in sorted(of_run.items()):
            print(f"    and of its run, for 90 days, {key.partition(':')[0]}: {size / 1000:.1f} KB")


if __name__ == "__main__":
    main()
