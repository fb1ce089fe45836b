"""What it costs to look after a run, if it has a million units instead of ten thousand.

A real server holds a run of either size, half done, with some units under lease; with and without
a thousand failures, which cut what is done into as many stretches. Compared are what the server
computes (by its own statistics) and the most memory that the client takes.
"""

from __future__ import annotations

import io
import os
import sys
import tracemalloc
from collections.abc import Callable
from contextlib import chdir, redirect_stdout, suppress
from dataclasses import dataclass
from typing import Final, NamedTuple

from benchmarks._fleet import FIRST, Fleet, folder
from seeknal.cli.main import main as seeknal
from seeknal.feed import top_up
from seeknal.lookout import Lookout
from seeknal.plan import Window
from seeknal.stores.base import Change
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Completion, Origin, Run, UnitResult
from seeknal.workflow.units import PlannedRange, PlannedUnit, Unit

SMALL: Final = 10_000
LARGE: Final = 1_000_000
FAILED: Final = 1000
WANTED: Final = 1.5
ROUNDS: Final = 7
LOOKS: Final = 20
MINUTE: Final = 60
# So many units are completed by the store's own verbs, one by one: more than events are kept.
ONE_BY_ONE: Final = 12_000
RUNNING: Final = 8
LEASE: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Half:
    """A run that is half done."""

    run: Run
    failed: int


class Cost(NamedTuple):
    """What something took: microseconds of the server, and bytes of the client at most."""

    server: float
    client: float


def minute(flow: str, number: int) -> PlannedUnit:
    start = FIRST + number * MINUTE
    return PlannedUnit(Unit(flow, start, start + MINUTE), Origin.BACKFILL, "* * * * * UTC")


def half_done(fleet: Fleet, units: int, failed: int) -> Half:
    """Make a run of so many minutes, of which the older half is done, but for some that failed."""
    name = f"minutes_{units}_{failed}"
    flow = fleet.flow(name, schedule="* * * * *")
    window = Window(FIRST, FIRST + units * MINUTE, backfill=True, include_empty=True)
    run, store, half = fleet.launch(flow, window), fleet.store, units // 2
    (planned,) = run.planned
    assert isinstance(planned, PlannedRange)
    broken = (
        set(range(half // max(failed, 1) - 1, half, half // max(failed, 1))) if failed else set()
    )
    first = max(0, half - ONE_BY_ONE)
    tried = [n for n in range(half) if n >= first or n in broken]
    middle = FIRST + half * MINUTE
    for at in range(0, len(tried), 1000):
        some = [minute(name, n) for n in tried[at : at + 1000]]
        found = store.run(run.id)
        assert found is not None
        assert store.feed(run.id, some, found.cursor, f"0@{middle}/1#{at + 1}")
        for planned_unit, number in zip(some, tried[at : at + 1000], strict=True):
            claim = store.claim("bench/1#1", LEASE, run.id, planned_unit.unit)
            assert claim is not None
            if number in broken:
                store.fail(claim, f"The query failed: sensor {number} is broken.", None)
            else:
                store.complete(claim, run.fingerprint, UnitResult(24, 1000, 0.5))
    _complete_at_once(fleet, run, IntervalSet([(0, first)]) - _points(broken))
    top_up(store, run.id)
    for number in range(RUNNING):
        assert store.claim(f"bench/1#{number}", LEASE, run.id) is not None
    counts = store.counts(run.id)
    assert (counts.done, counts.failed, counts.running) == (half - failed, failed, RUNNING)
    return Half(run, failed)


def _points(numbers: set[int]) -> IntervalSet:
    return IntervalSet((n, n + 1) for n in numbers)


def _complete_at_once(fleet: Fleet, run: Run, numbers: IntervalSet) -> None:
    """Complete stretches of minutes as their attempts would have, in fewer steps."""
    (planned,) = run.planned
    assert isinstance(planned, PlannedRange)
    done = [
        Completion(
            FIRST + low * MINUTE, FIRST + high * MINUTE, Origin.BACKFILL, planned.schedule,
            run.fingerprint,
        )
        for low, high in numbers
    ]  # fmt: skip
    if not done:
        return
    fleet.store.mark(run.flow, done, [], Change("bench", "complete", "half of it"))
    many = sum(high - low for low, high in numbers)
    key = fleet.store._key("run", run.id)
    for field, each in (("done", many), ("rows", 24 * many), ("bytes", 1000 * many)):
        fleet.client.hincrby(key, field, each)


# -- measuring ------------------------------------------------------------------------------------


def served(fleet: Fleet) -> float:
    """Return the microseconds that the server has computed for commands so far."""
    stats = fleet.client.info("commandstats")
    return sum(float(each["usec"]) for name, each in stats.items() if name != "cmdstat_info")


def cost(fleet: Fleet, work: Callable[[], object]) -> Cost:
    before = served(fleet)
    work()
    server = served(fleet) - before
    tracemalloc.start()
    try:
        work()
        return Cost(server, tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()


def command(fleet: Fleet, *words: str) -> Callable[[], str]:
    """Return what runs a command of Seeknal within this process, and returns what it prints."""

    def call() -> str:
        out = io.StringIO()
        before, sys.argv = sys.argv, ["seeknal", *words]
        try:
            with chdir(fleet.project.root), redirect_stdout(out), suppress(SystemExit):
                seeknal()
        finally:
            sys.argv = before
        assert out.getvalue()
        return out.getvalue()

    return call


def refresh(fleet: Fleet, half: Half) -> Callable[[], object]:
    """Return what looks at a run again and again, as ``runs watch`` does."""
    lookout = Lookout(fleet.store, half.run)
    lookout.look()

    def look() -> None:
        for _ in range(LOOKS):
            view = lookout.look()
            assert view.running
            assert bool(view.failures) == bool(half.failed)

    return look


def compare(
    what: str, fleet: Fleet, small: Callable[[], object], large: Callable[[], object]
) -> None:
    """Print what the large run costs, relative to the small one, round by round."""
    small(), large()  # what is imported and cached once
    pairs = [(cost(fleet, small), cost(fleet, large)) for _ in range(ROUNDS)]
    # The least of each: what a command takes longer, others on the machine took.
    ones, others = (
        Cost(min(c.server for c in costs), min(c.client for c in costs))
        for costs in zip(*pairs, strict=True)
    )
    server, client = others.server / ones.server, others.client / ones.client
    took, held = others.server / 1000, others.client / 1e6
    verdict = "ok" if max(server, client) <= WANTED else "ABOVE"
    print(
        f"{what}: {server:.2f} of the server, {client:.2f} of the client's memory "
        f"(wanted {WANTED:g} at most) {verdict}; {took:.1f} ms and {held:.1f} MB"
    )


def main() -> None:
    with folder() as root, Fleet(root) as fleet:
        os.environ["SEEKNAL_REDIS_URL"] = fleet.server.url
        for failed in (0, FAILED):
            small, large = (half_done(fleet, units, failed) for units in (SMALL, LARGE))
            print(f"{SMALL:,} and {LARGE:,} units, half done, {failed:,} failed")
            compare(
                f"  runs watch, {LOOKS} refreshes",
                fleet,
                refresh(fleet, small),
                refresh(fleet, large),
            )
            for words in (("runs", "show"), ("intervals", "show", "--flow")):
                one, many = (
                    command(fleet, *words, half.run.id if words[0] == "runs" else half.run.flow)
                    for half in (small, large)
                )
                compare(f"  {' '.join(words[:2])}", fleet, one, many)


if __name__ == "__main__":
    main()
