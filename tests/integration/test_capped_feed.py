"""A run with a cap: the end of each unit brings the next one's message, without waiting."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from seeknal.executors.dispatch import Dispatcher
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_fleet import Due
from seeknal.workflow.state import Claim
from tests.contract.building import finish, hour, new_run, register
from tests.contract.redis_harness import FakeHarness

UNITS = 12


class Queue:
    """A broker: what is taken next is at the front."""

    def __init__(self) -> None:
        self.messages: list[Due] = []

    def waiting(self) -> int:
        return len(self.messages)

    def oldest(self) -> float | None:
        return 0.0 if self.messages else None

    def publish_units(
        self, project: str, units: Sequence[tuple[Due, str]], sent: float, *, ahead: bool = False
    ) -> None:
        self.messages += [due for due, _ in units]

    def withdraw(self, run_id: str, below: int) -> None:
        raise AssertionError("nothing is out of date here")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RedisStore]:
    harness = FakeHarness(tmp_path)
    opened = harness.open()
    assert isinstance(opened, RedisStore)
    yield opened
    harness.close()


def test_the_end_of_a_unit_makes_room_for_the_next_message(store: RedisStore) -> None:
    run = register(store, new_run(*[hour(n) for n in range(UNITS)], max_active=2)).id
    queue = Queue()
    dispatcher = Dispatcher(store, queue, "contract", "me")
    dispatcher.sweep()
    for left in range(UNITS, 0, -1):
        assert len(queue.messages) == min(2, left)
        claim = store.claim_in_turn("w", 30.0, queue.messages.pop(0))
        assert isinstance(claim, Claim)
        finish(store, claim)
        dispatcher.feed_if_low(run)
    assert store.active() == []


def test_a_cap_that_is_steered_is_noticed(store: RedisStore) -> None:
    run = register(store, new_run(hour(0))).id
    assert not store.is_capped(run)
    store.steer(run, {"max_active": 1})
    assert store.is_capped(run)
    store.steer(run, {"max_active": None})
    assert not store.is_capped(run)
