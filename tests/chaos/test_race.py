"""Fifty who want one unit: one gets it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from seeknal.stores.redis import RedisStore
from seeknal.workflow.state import Claim, UnitResult
from tests.chaos.arena import FLOW, PROJECT, Arena, report
from tests.waiting import wait_until

COORDINATORS = 25
WORKERS = 25


@pytest.mark.chaos
@pytest.mark.timeout(600)
def test_of_fifty_coordinators_and_workers_one_claims(make_arena: Callable[..., Arena]) -> None:
    arena = make_arena()
    arena.declare(1)
    claims: list[Claim] = []
    over = threading.Event()
    tries = [0] * WORKERS

    def work(number: int) -> None:
        store = RedisStore(arena.server.url, PROJECT)
        while not over.is_set():
            tries[number] += 1
            claim = store.claim(f"worker-{number}", 30.0)
            if claim is not None:
                claims.append(claim)
            over.wait(0.005)
        store.close()

    workers = [threading.Thread(target=work, args=(n,)) for n in range(WORKERS)]
    for worker in workers:
        worker.start()
    try:
        coordinators = [arena.coordinate() for _ in range(COORDINATORS)]
        wait_until("somebody claims", lambda: claims, 120.0)
        wait_until("all coordinators are there", lambda: arena.told().count("\n") >= 25, 120.0)
        fingerprint = arena.only_run().fingerprint
        arena.store.complete(claims[0], fingerprint, UnitResult(2, 0, 0.1))
        codes = [each.wait(120) for each in coordinators]
    finally:
        over.set()
        for worker in workers:
            worker.join()
    assert len(claims) == 1
    assert codes == [0] * COORDINATORS, arena.told()
    run = arena.only_run()
    assert arena.store.counts(run.id).done == 1
    assert [e.kind for e in arena.events(run.id)] == ["registered", "completed", "done"]
    assert arena.store.failed(FLOW) == []
    report(
        f"{COORDINATORS} coordinators and {WORKERS} workers on one unit: {len(claims)} claim of "
        f"{sum(tries)} tries, {len(arena.store.runs(FLOW))} run"
    )
