"""What workers tell Prometheus, scraped over HTTP and held against the store."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_worker import OpenRun
from seeknal.workflow.state import RunStatus
from tests.contract.building import hour, launch, new_run, register, take
from tests.fleet import BURN, PROJECT, Fleet, Worker, fleet
from tests.scraping import Scrape, assert_named_well
from tests.server import free_port
from tests.waiting import wait_until

FLOW = "events_flow"


@pytest.fixture
def ships(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        yield made


@pytest.fixture
def port() -> int:
    return free_port()


def measured(ships: Fleet, port: int, concurrency: int = 1) -> Worker:
    """A worker that serves metrics."""
    return ships.worker(concurrency, SEEKNAL_METRICS_PORT=f"127.0.0.1:{port}")


def slow(ships: Fleet, days: int, millions: int) -> None:
    ships.box.events("2024-01-01", days * 24, "1 hour")
    ships.box.declare(sql=BURN.format(millions=millions))


def attempts(port: int, outcome: str) -> float:
    found = Scrape.of(port).all("seeknal_attempts_total")
    return found.get((FLOW, outcome, PROJECT), 0.0)


def test_the_numbers_are_those_of_the_store(ships: Fleet, port: int) -> None:
    slow(ships, 40, 20)
    measured(ships, port, 2)
    idle = Scrape.of(port)
    assert idle.one("seeknal_worker_slots") == 2
    assert idle.all("seeknal_attempts_total") == {}
    run = ships.launch()
    during = wait_until("some are seen to be done", lambda: some_done(port), 60, 0.1)
    assert during is not None
    assert_named_well(during.families)
    units = during.all("seeknal_units")
    assert {labels[:2] for labels in units} == {(FLOW, PROJECT)}
    assert sum(units.values()) == 40
    assert units[FLOW, PROJECT, "queued"] > 0
    assert units[FLOW, PROJECT, "running"] <= 2
    assert during.one("seeknal_runs", flow=FLOW, status="active") == 1
    assert 0 < during.one("seeknal_queue_messages") <= 40
    assert 0 < during.one("seeknal_pending_units", project=PROJECT) <= 40
    assert 0 <= during.one("seeknal_worker_busy_slots") <= 2
    assert ships.ends(run) is RunStatus.DONE
    wait_until("all are counted", lambda: attempts(port, "done") == 40, 10)
    after = Scrape.of(port)
    counts = ships.store.counts(run)
    spent = after.one("seeknal_unit_duration_seconds_sum", flow=FLOW)
    # Of the whole message here, of the attempt alone there.
    assert counts.busy < spent < counts.busy + 40 * 2.0
    assert after.one("seeknal_unit_duration_seconds_count", flow=FLOW) == counts.done == 40
    wait_until("the run is gone", lambda: Scrape.of(port).all("seeknal_runs") == {}, 10, 0.2)
    assert Scrape.of(port).one("seeknal_pending_units") == 0


def some_done(port: int) -> Scrape | None:
    scrape = Scrape.of(port)
    done = scrape.all("seeknal_units").get((FLOW, PROJECT, "done"), 0)
    counted = scrape.all("seeknal_attempts_total").get((FLOW, "done", PROJECT), 0)
    return scrape if done and counted else None


def test_duckdbs_memory_is_that_of_each_process(ships: Fleet, port: int) -> None:
    ships.box.events("2024-01-01", 48, "1 hour")
    # A sort of 80 MB that takes its time.
    hog = (
        "SELECT id, event_time, (SELECT max(i) FROM (SELECT hash(i) h, i FROM range(10000000) "
        "t(i) ORDER BY h)) AS amount FROM events "
        "WHERE event_time >= '__START__' AND event_time < '__END__'"
    )
    ships.box.declare(sql=hog)
    measured(ships, port, 2)
    ships.launch()

    def hogs() -> bool:
        used = Scrape.of(port).all("seeknal_duckdb_memory_bytes")
        return len(used) == 2 and max(used.values()) > 50 * 2**20

    wait_until("two processes tell, and one has much", hogs, 60, 0.1)
    scrape = Scrape.of(port)
    limits = scrape.all("seeknal_duckdb_memory_limit_bytes")
    assert set(limits) == {("0",), ("1",)}
    assert min(limits.values()) >= 64 * 2**20
    assert set(scrape.all("seeknal_duckdb_spilled_bytes")) == set(limits)


def test_failed_killed_and_lost_attempts_are_counted(ships: Fleet, port: int) -> None:
    ships.box.events("2024-01-01", 3 * 24, "1 hour", table="stored").declare()
    ships.box.breakable("event_time >= '2024-01-02' AND event_time < '2024-01-03'")
    worker = measured(ships, port)
    run = ships.launch()
    assert ships.ends(run) is RunStatus.FAILED
    wait_until("they are counted", lambda: attempts(port, "failed") == 3, 10)
    assert ships.store.counts(run).retries == 2
    assert attempts(port, "done") == 2
    ships.box.declare(sql=BURN.format(millions=800).replace("FROM events", "FROM stored"))
    run = ships.launch("--end-date", "2024-01-03")
    dead = ships.runs_one(run).worker
    (child,) = worker.children()
    os.kill(child, signal.SIGKILL)
    wait_until("the death is counted", lambda: attempts(port, "killed") == 1, 20)
    ships.runs_one(run, not_by=dead)
    ships.seeknal("runs", "cancel", run)
    wait_until("the loss is counted", lambda: attempts(port, "lost") == 1, 20)
    assert attempts(port, "failed") == 3


def test_an_outage_of_the_store_leaves_scrapes_and_units_alone(ships: Fleet, port: int) -> None:
    slow(ships, 4, 50)
    worker = measured(ships, port)
    run = ships.launch()
    wait_until("one is done", lambda: attempts(port, "done") >= 1, 60)
    ships.server.pause()

    def is_down() -> bool:
        started = time.monotonic()
        scrape = Scrape.of(port)
        assert time.monotonic() - started < 5
        assert scrape.one("seeknal_worker_slots") == 1
        return scrape.one("seeknal_store_up") == 0

    wait_until("the outage is told", is_down, 30, 0.2)
    ships.server.resume()
    assert ships.ends(run) is RunStatus.DONE
    wait_until("its end is told", lambda: not is_down(), 30, 0.2)
    wait_until("all are counted", lambda: attempts(port, "done") == 4, 20)
    assert "Traceback" not in worker.text()


def test_a_port_in_use_ends_a_worker_before_it_begins(ships: Fleet, port: int) -> None:
    slow(ships, 2, 800)
    first = ships.worker(1, "--metrics-port", f"127.0.0.1:{port}")
    said = (
        f"Error: Port {port} for metrics is in use on 127.0.0.1; give another with --metrics-port."
    )
    for celery in (False, True):
        second = ships.worker(celery=celery, ready=False, SEEKNAL_METRICS_PORT=f"127.0.0.1:{port}")
        assert second.wait() == 2
        assert said in second.text().splitlines()
        assert "Traceback" not in second.text()
    assert Scrape.of(port).one("seeknal_worker_slots") == 1
    ships.runs_one(ships.launch())
    first.process.kill()  # its pool process goes on with its query for a while
    first.process.wait()
    measured(ships, port)
    assert Scrape.of(port).one("seeknal_store_up") == 1


def test_whoever_watches_a_run_tells_of_it(ships: Fleet, port: int) -> None:
    slow(ships, 30, 20)
    ships.worker()
    run = ships.launch()
    watching = ships.start("runs", "watch", run, "--metrics-port", f"127.0.0.1:{port}")
    try:
        scrape = wait_until("units are seen to be done", lambda: watched(port), 60, 0.1)
        assert scrape is not None
        assert_named_well(scrape.families)
        assert sum(scrape.all("seeknal_run_units").values()) == 30
        name = {"project": PROJECT, "flow": FLOW, "run": run}
        done = scrape.one("seeknal_run_completed_units_total", **name)
        assert scrape.one("seeknal_run_units", state="done", **name) == done
        assert scrape.one("seeknal_run_rows_total", **name) == done * 24
        assert scrape.one("seeknal_run_busy_seconds_total", **name) > 0
        refused = ships.seeknal("runs", "watch", run, "--metrics-port", str(port), code=2)
        assert f"Port {port} for metrics is in use" in refused.err
        assert ships.ends(run) is RunStatus.DONE
        assert "is done: 30 of 30 done" in ships.box.wait(watching).out
    finally:
        watching.kill()
    assert watched(port) is None


def watched(port: int) -> Scrape | None:
    try:
        scrape = Scrape.of(port)
    except OSError:
        return None
    done = scrape.all("seeknal_run_completed_units_total")
    return scrape if any(done.values()) else None


def test_what_is_no_port_is_refused(ships: Fleet) -> None:
    refused = ships.seeknal("worker", "--metrics-port", "99999", code=2)
    assert "'99999' is no port from 1 to 65535, nor HOST:PORT" in refused.err


def test_the_open_runs_are_those_that_have_not_ended(redis_store: RedisStore) -> None:
    assert redis_store.open_runs() == []
    first = launch(redis_store, hour(0), hour(1))
    take(redis_store, 30, first, hour(0))
    second = launch(redis_store, hour(5, "stock"))
    redis_store.set_status(second, RunStatus.PAUSED)
    ended = launch(redis_store, hour(7))
    redis_store.set_status(ended, RunStatus.CANCELLED)
    empty = register(redis_store, new_run())
    found = {run.id: run for run in redis_store.open_runs()}
    assert set(found) == {first, second} - {empty.id}
    assert found[first] == OpenRun(first, "events", RunStatus.ACTIVE, redis_store.counts(first))
    assert found[first].counts.running == 1
    assert (found[second].flow, found[second].status) == ("stock", RunStatus.PAUSED)
