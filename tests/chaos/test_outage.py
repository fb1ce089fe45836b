"""The store is away for twice the lease: nothing runs twice, nothing is interrupted.

Afterwards all go on as before: every slot of every worker, and the coordinator that watches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.chaos.arena import FLOW, Arena, report
from tests.waiting import passed, wait_until

LEASE = 4.0
UNITS = 40
SLOTS = 8


@pytest.mark.chaos
@pytest.mark.parametrize("how", ["stands still", "hangs up", "is killed"])
def test_an_outage_costs_nothing(make_arena: Callable[..., Arena], how: str, seed: int) -> None:
    # Written through: what a server loses of its last second is another matter.
    arena = make_arena(lease=LEASE, concurrency=2, fsync="always", proxied=how == "hangs up")
    # Some end during the outage, some after it.
    arena.declare(UNITS, slow=1.0, slow_ms=(2000, 12000), seed=seed)
    arena.fleet.start_ready(SLOTS // 2)
    coordinator = arena.coordinate()
    wait_until("it is launched", lambda: arena.store.runs(FLOW), 60.0)
    run = arena.only_run().id
    wait_until("all slots are busy", lambda: arena.running(run) == SLOTS, 30.0)
    running = {r.unit.key: r.worker for r in arena.store.records(run) if r.worker}
    with outage(arena, how):
        wait_until("twice the lease is over", passed(2 * LEASE), 3 * LEASE)
    with arena.explained(run):
        wait_until("all slots are busy again", lambda: arena.running(run) == SLOTS, 30.0)
        wait_until("the run ends", lambda: arena.has_ended(run), 120.0)
        assert coordinator.wait(30) == 0, arena.told()
    arena.assert_settled(run)
    happened = arena.happened(run)
    report(f"the store {how} for {2 * LEASE:g} s", happened)
    kinds = {kind for kind in happened if not kind.startswith("tasks")}
    assert kinds == {"registered", "completed", "done"}
    assert arena.fleet.outcomes()["done"] == UNITS
    assert set(arena.fleet.outcomes()) <= {"done", "not claimed"}
    by = {event.unit: event.worker for event in arena.events(run) if event.kind == "completed"}
    assert {key: by[key] for key in running} == running
    arena.assert_nothing_left_behind()


@contextmanager
def outage(arena: Arena, how: str) -> Iterator[None]:
    """Keep the store from the workers within the block."""
    server, proxy = arena.server, arena.proxy
    if proxy is not None:
        proxy.cut()
    elif how == "is killed":
        server.kill()
    else:
        server.pause()
    yield
    if proxy is not None:
        proxy.mend()
    elif how == "is killed":
        server.start()
    else:
        server.resume()
