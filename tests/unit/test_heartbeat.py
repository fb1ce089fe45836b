"""The thread that keeps leases alive outlives whatever the store does."""

from __future__ import annotations

import threading
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


def claim() -> Claim:
    unit = PlannedUnit(Unit("events", 0, 3600), Origin.RUN, "0 * * * * UTC")
    return Claim(run="run-1", planned=unit, token=1, worker="w", until=0.0, attempts=0)
