"""The thread that keeps leases alive: it outlives what the store does, and ends what is late."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import pytest

from seeknal import heartbeat as module
from seeknal.heartbeat import Heartbeat, Holding
from seeknal.stores.base import Store
from seeknal.workflow.state import Claim, Origin
from seeknal.workflow.units import PlannedUnit, Unit
from tests.waiting import passed, wait_until

LEASE = 0.03


class Odd:
    """A store whose renewal fails in a way that no store should, then refuses."""

    def __init__(self) -> None:
        self.asked = 0

    def renew(self, claim: Claim, lease: float) -> bool:
        self.asked += 1
        if self.asked < 3:
            raise ValueError("this is no answer")
        return False


class Kind:
    """A store that renews whatever it is asked, and counts that."""

    def __init__(self) -> None:
        self.asked = 0

    def renew(self, claim: Claim, lease: float) -> bool:
        self.asked += 1
        return True


def test_a_renewal_that_fails_oddly_is_tried_again() -> None:
    store, interrupted = Odd(), threading.Event()
    heartbeat = Heartbeat(cast(Store, store), LEASE)
    with held(heartbeat, interrupted.set) as holding:
        wait_until("the refusal is heard", interrupted.is_set)
        assert holding.lost
    assert store.asked >= 3
    heartbeat.close()


def test_it_goes_on_when_nothing_is_held_for_a_while() -> None:
    store = Kind()
    heartbeat = Heartbeat(cast(Store, store), LEASE)
    with held(heartbeat):
        pass
    wait_until("several beats have passed", passed(5 * LEASE))
    with held(heartbeat):
        wait_until("it is renewed", lambda: store.asked > 1)
    heartbeat.close()


def test_only_what_is_late_is_interrupted_long_before_renewals_are_due() -> None:
    heartbeat = Heartbeat(cast(Store, Kind()), lease=600.0)
    slow, quick, timeless = (threading.Event() for _ in range(3))
    with (
        held(heartbeat, timeless.set),
        held(heartbeat, quick.set, 60.0),
        held(heartbeat, slow.set, 0.2) as late,
    ):
        wait_until("the slow one is interrupted", slow.is_set, 5)
        assert late.late
        assert not late.lost
    assert not quick.is_set()
    assert not timeless.is_set()
    heartbeat.close()


def test_what_ends_in_time_is_left_alone_after_it() -> None:
    heartbeat = Heartbeat(cast(Store, Kind()), lease=600.0)
    interrupted = threading.Event()
    with held(heartbeat):
        with held(heartbeat, interrupted.set, 1.0) as holding:
            heartbeat.query_ended(holding)
            wait_until("its time has passed", passed(1.5))
        with held(heartbeat, interrupted.set, 1.0):
            pass
        wait_until("its time has passed", passed(1.5))
    assert not interrupted.is_set()
    heartbeat.close()


def test_a_deaf_query_is_given_up_without_holding_up_renewals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_APART", 0.05)
    store = Kind()
    heartbeat = Heartbeat(cast(Store, store), LEASE)
    interrupts: list[int] = []
    store_answers = threading.Event()
    deaf_query = held(heartbeat, lambda: interrupts.append(1), 0.05, store_answers.wait)
    with held(heartbeat), deaf_query as deaf:
        wait_until("it is given up", lambda: deaf.lost)
        assert len(interrupts) == 4
        asked = store.asked
        wait_until("others are renewed although the store keeps us", lambda: store.asked > asked)
        assert heartbeat.stuck == frozenset(), "its attempt is not over yet"
        store_answers.set()
        wait_until("it is known as stuck", lambda: heartbeat.stuck == {threading.get_ident()})
    assert heartbeat.stuck == frozenset(), "its query has ended"
    heartbeat.close()


def test_what_is_published_is_not_interrupted_but_its_lease_may_be_lost() -> None:
    store, interrupted = Odd(), threading.Event()
    heartbeat = Heartbeat(cast(Store, store), LEASE)
    with held(heartbeat, interrupted.set) as holding:
        heartbeat.query_ended(holding)
        heartbeat.interrupt()
        wait_until("the refusal is heard", lambda: holding.lost)
    assert not interrupted.is_set(), "its session may be at another query by now"
    heartbeat.close()


@contextmanager
def held(
    heartbeat: Heartbeat,
    interrupt: Callable[[], None] = lambda: None,
    timeout: float | None = None,
    give_up: Callable[[], object] | None = None,
) -> Iterator[Holding]:
    holding = heartbeat.hold(claim())
    heartbeat.query_begins(holding, interrupt, timeout, give_up)
    try:
        yield holding
    finally:
        heartbeat.drop(holding)


def claim() -> Claim:
    unit = PlannedUnit(Unit("events", 0, 3600), Origin.RUN, "0 * * * * UTC")
    return Claim(run="run-1", planned=unit, token=1, worker="w", until=0.0, attempts=0)
