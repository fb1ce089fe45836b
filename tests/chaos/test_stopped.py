"""Workers that stand still past their lease neither publish nor complete what others have."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from seeknal.engine import provenance
from tests.chaos.arena import FLOW, Arena, report
from tests.chaos.storm import Storm, Weather
from tests.waiting import wait_until

LEASE = 2.0
MOMENTS = ["at the query", "before the fence", "after the fence", "after publishing"]


@pytest.mark.chaos
@pytest.mark.parametrize("moment", MOMENTS)
def test_who_stood_still_changes_nothing(make_arena: Callable[..., Arena], moment: str) -> None:
    arena = make_arena(lease=LEASE)
    arena.declare(1, slow=1.0, slow_ms=(3000, 3000))
    fleet = arena.fleet
    if moment != "at the query":
        fleet.program = (sys.executable, "-m", "tests.chaos.stopping", moment, "-A", "worker.app")
    (first,) = fleet.start_ready(1)
    run = arena.launch()
    if moment == "at the query":
        wait_until("it runs", lambda: arena.store.counts(run).running, 30.0)
        first.freeze()
    wait_until("it stands still", lambda: any(map(_is_stopped, first.children())), 30.0)
    fleet.program = ()
    fleet.start_ready(1)
    with arena.explained(run):
        wait_until("another completes it", lambda: arena.has_ended(run), 60.0)
    (published,) = arena.sandbox.files().values()
    before = published.stat().st_ino, published.stat().st_mtime_ns, provenance.read(published)
    first.thaw()
    with arena.explained(run):
        wait_until("the first is refused", lambda: first.outcomes()["lease lost"], 30.0)
    assert first.outcomes() == {"lease lost": 1}
    after = published.stat().st_ino, published.stat().st_mtime_ns, provenance.read(published)
    assert after == before
    (completed,) = [e for e in arena.events(run) if e.kind == "completed"]
    assert f"/{fleet.workers[1].pid}#" in completed.worker
    arena.assert_settled(run)
    arena.assert_nothing_left_behind()
    report(f"stopped {moment}, {FLOW} completed once", arena.happened(run))


@pytest.mark.chaos
@pytest.mark.timeout(900)
def test_workers_that_stand_still_again_and_again(
    make_arena: Callable[..., Arena], seed: int
) -> None:
    arena = make_arena(lease=LEASE, concurrency=2)
    arena.declare(600, slow=0.3, slow_ms=(300, 2500), seed=seed)
    arena.fleet.start(4)
    run = arena.launch()
    storm = Storm(arena, Weather(stall_every=1.0, stall_for=2 * LEASE, seconds=600), seed)
    storm.rage(run)
    arena.assert_settled(run)
    arena.assert_nothing_left_behind()
    report(f"600 units in {storm.seconds:.0f} s", storm.did, arena.happened(run))


def _is_stopped(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    except FileNotFoundError:
        return False
