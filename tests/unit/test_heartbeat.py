"""The thread that keeps leases alive outlives whatever the store does."""

from __future__ import annotations

import threading
from functools import partial
from typing import cast

from seeknal.heartbeat import Heartbeat, Holding
from seeknal.stores.base import Store
from seeknal.workflow.state import Claim, Origin
from seeknal.workflow.units import PlannedUnit, Unit
from tests.waiting import wait_until

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


def test_a_renewal_that_fails_oddly_is_tried_again() -> None:
    store, interrupted = Odd(), threading.Event()
    heartbeat = Heartbeat(cast(Store, store), LEASE)
    holding = Holding(claim(), interrupted.set)
    with heartbeat.hold(holding):
        wait_until("the refusal is heard", interrupted.is_set)
        assert holding.lost
    assert store.asked >= 3
    heartbeat.close()


class Faithful:
    """A store that renews whatever it is asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def renew(self, claim: Claim, lease: float) -> bool:
        self.asked += 1
        return True

    def was_asked(self, times: int) -> bool:
        return self.asked >= times


def test_leases_are_renewed_after_a_time_without_any() -> None:
    store = Faithful()
    heartbeat = Heartbeat(cast(Store, store), LEASE)
    for _ in range(3):
        with heartbeat.hold(Holding(claim(), lambda: None)):
            wait_until("it is renewed", partial(store.was_asked, store.asked + 1))
        # Some beats in which there is nothing to be renewed.
        idle = threading.Event()
        threading.Timer(3 * LEASE, idle.set).start()
        wait_until("it was idle", idle.is_set)
    heartbeat.close()


def claim() -> Claim:
    unit = PlannedUnit(Unit("events", 0, 3600), Origin.RUN, "0 * * * * UTC")
    return Claim(run="run-1", planned=unit, token=1, worker="w", until=0.0, attempts=0)
