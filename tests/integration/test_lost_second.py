"""A server that died may have lost its last second, and with it what was launched in that."""

from __future__ import annotations

from pathlib import Path

from seeknal.stores.redis_worker import Registry
from seeknal.workflow.state import RunStatus
from tests.fleet import PROJECT, fleet
from tests.waiting import wait_until


def test_a_run_that_the_store_lost_is_launched_again(tmp_path: Path) -> None:
    # Without a file to come back from, the server loses all there was.
    with fleet(tmp_path) as ships:
        ships.box.events("2024-01-01", 5 * 24, "1 hour").declare()
        coordinator = ships.start("run", "--backfill")
        (lost,) = wait_until("it is launched", ships.store.runs, 30.0)
        ships.server.restart()
        (run,) = wait_until("it is launched again", ships.store.runs, 30.0)
        assert run.id != lost.id
        registry = Registry(ships.server.url)
        wait_until("workers can know of it", lambda: registry.projects() == [PROJECT])
        registry.close()
        ships.worker()
        assert f"Run {run.id}: 5 done" in ships.box.wait(coordinator, 0).out
        assert ships.ends(run.id) is RunStatus.DONE
        ships.assert_done_once(run.id, 5)
        ships.box.assert_output_is("SELECT * FROM events")
