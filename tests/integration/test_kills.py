"""What a death costs a unit: that of its process one of five, that of a whole worker nothing."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from seeknal.stores.redis_worker import KILLS
from seeknal.workflow.state import RunStatus
from tests.fleet import BURN, Fleet, fleet


@pytest.fixture
def ships(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        made.box.events("2024-01-01", 24, "1 hour")
        yield made


def test_a_unit_at_which_five_processes_were_killed_has_failed(ships: Fleet) -> None:
    ships.box.declare(sql=BURN.format(millions=3000))
    worker = ships.worker()
    run, before = ships.launch(), ""
    for _ in range(KILLS):
        found = ships.runs_one(run, not_by=before)
        before = found.worker
        assert found.attempts == 0
        os.kill(int(before.rpartition("#")[2]), signal.SIGKILL)
    assert ships.ends(run, 60.0) is RunStatus.FAILED
    (failed,) = ships.store.failed("events_flow")
    assert f"killed {KILLS} times" in failed.error
    told = [event for event in ships.store.events(run) if "SIGKILL" in event.detail]
    assert len(told) == KILLS
    assert worker.process.poll() is None
    assert ships.store.records(run) == [failed]


def test_the_loss_of_whole_workers_is_no_fault_of_a_unit(ships: Fleet) -> None:
    ships.box.declare(sql=BURN.format(millions=600))
    run, before = ships.launch(), ""
    # While one is lost, the next is on its way.
    ships.worker(ready=False)
    for _ in range(KILLS + 1):
        ships.worker(ready=False)
        found = ships.runs_one(run, not_by=before)
        before = found.worker
        (worker,) = [each for each in ships.workers if f"/{each.pid}#" in before]
        worker.kill()
    assert ships.ends(run) is RunStatus.DONE
    ships.assert_done_once(run, 1)
    counts = ships.store.counts(run)
    assert (counts.failed, counts.retries) == (0, 0)
