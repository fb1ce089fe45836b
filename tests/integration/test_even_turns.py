"""Runs of one priority take even turns, also where both go ahead of a third one's messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_fleet import Due
from seeknal.workflow.state import Claim
from tests.contract.building import finish, hour, launch
from tests.contract.redis_harness import FakeHarness

UNITS = 60


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[FakeHarness]:
    made = FakeHarness(tmp_path)
    yield made
    made.close()


def next_claim(store: RedisStore, queue: list[Due], worker: str) -> Claim:
    """Take messages, which are at the end of the queue, until one leads to a claim."""
    while True:
        message = queue.pop()
        answer = store.claim_in_turn(worker, 30.0, message)
        if isinstance(answer, Claim):
            return answer
        if answer.first:
            queue += [message, *answer.first[::-1]]


@pytest.mark.parametrize("workers", [2, 8])
def test_equals_that_go_ahead_of_others_share_workers_evenly(
    harness: FakeHarness, workers: int
) -> None:
    store = harness.open()
    assert isinstance(store, RedisStore)
    launch(store, *[hour(n, "low") for n in range(UNITS)])
    queue = store.due()[::-1]
    equals = [
        launch(store, *[hour(n, flow) for n in range(UNITS)], priority=1)
        for flow in ("one", "another")
    ]
    queue = [*store.due()[::-1], *queue]
    harness.pass_time(0.01)  # what was just sent is on its way for a moment
    served = Counter[str]()
    claims: list[Claim | None] = [None] * workers
    for turn in range(UNITS):
        number = turn % workers
        claim = claims[number]
        if claim is not None:
            finish(store, claim)
        claims[number] = claim = next_claim(store, queue, f"w{number}")
        served[claim.run] += 1
        harness.pass_time(0.01)
    assert served == dict.fromkeys(equals, UNITS // 2)
