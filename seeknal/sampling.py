"""Runs a sample of a registered run's units, and judges the rest by them."""

from __future__ import annotations

import time
from collections.abc import Callable

from seeknal.coordinator import Driver
from seeknal.estimate import Estimate, estimate, sample
from seeknal.feed import ended
from seeknal.stores.base import Store
from seeknal.workflow.state import Run, RunStatus

_TICK = 0.1
# A sample of long units is cut short after so many seconds, but not below so many a slot.
_PATIENCE = 60.0
_LEAST = 3
_SIZE = 24
_A_SLOT = 4


def run_sample(
    store: Store,
    run: Run,
    driver: Driver,
    slots: int,
    clock: Callable[[], float] = time.monotonic,
) -> Estimate | None:
    """Have a sample of a run's units executed by ``slots`` workers; then interrupt the run.

    What the sample completed stays complete, and what it left is unfinished: any later run goes
    on with it. None if nothing was completed.
    """
    size = max(_SIZE, _A_SLOT * slots)
    units = sample(run.flow, run.planned, size)
    store.feed(run.id, units, run.cursor, ended(run))
    started = clock()
    while True:
        driver.drive(None, _TICK)
        counts = store.counts(run.id)
        over = clock() - started > _PATIENCE and counts.done >= _LEAST * slots
        current = store.run(run.id)
        if current is None or current.status is not RunStatus.ACTIVE:
            break
        if over or counts.done + counts.failed >= len(units):
            store.set_status(run.id, RunStatus.INTERRUPTED)
            break
    return estimate(store.recent(run.id, 10 * size), run.units)
