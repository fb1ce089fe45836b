"""A worker's metrics, without a worker: what is counted, and what a scrape shows."""

from __future__ import annotations

import os
import threading
import time

import pytest
from prometheus_client import generate_latest
from prometheus_client.openmetrics import exposition, parser

from seeknal.engine.machine import Usage
from seeknal.errors import StoreUnavailableError
from seeknal.stores.redis_worker import OpenRun
from seeknal.workbench import Outcome
from seeknal.workflow.state import Counts, RunStatus
from tests.scraping import Scrape, assert_named_well
from tests.waiting import wait_until
from worker import metrics as metrics_module
from worker import observer as observer_module
from worker.crew import ENDS, Crew
from worker.meters import Meters
from worker.metrics import registry_of
from worker.observer import Observer, Reading

ARGS = ("shop", "sales", "2024-01-01", "20240101T000000Z_20240102T000000Z")
READING = Reading(
    waiting=7,
    pending={"shop": 9, "idle": 0},
    runs=[
        ("shop", OpenRun("r1", "sales", RunStatus.ACTIVE, Counts(10, done=4, failed=1, running=2))),
        ("shop", OpenRun("r2", "sales", RunStatus.PAUSED, Counts(5, done=5))),
        ("shop", OpenRun("r3", "stock", RunStatus.ACTIVE, Counts(1_000_000))),
    ],
)


class Site:
    """A crew, what its store is read as, and a scrape of it."""

    def __init__(self) -> None:
        self.crew = Crew()
        self.crew.assemble("w@host", 3)
        self.reading: Reading | Exception = READING
        self.registry = registry_of(self.crew, self.read)

    def read(self) -> Reading:
        if isinstance(self.reading, Exception):
            raise self.reading
        return self.reading

    def scrape(self) -> Scrape:
        return Scrape(generate_latest(self.registry).decode())


@pytest.fixture
def site() -> Site:
    return Site()


def test_names_follow_the_conventions(site: Site) -> None:
    site.crew.ended(ARGS, "done", 0.5)
    site.crew.meters.tell(0, Usage(1, 2, 3))
    scrape = site.scrape()
    assert_named_well(scrape.families)
    assert all(family.samples for family in scrape.families)


def test_the_newer_format_that_prometheus_asks_for_can_be_read(site: Site) -> None:
    site.crew.ended(ARGS, "done", 0.5)
    text = exposition.generate_latest(site.registry).decode()  # type: ignore[no-untyped-call]
    families = parser.text_string_to_metric_families(text)  # type: ignore[no-untyped-call]
    assert {"seeknal_attempts", "seeknal_units", "seeknal_build"} <= {f.name for f in families}


def test_attempts_are_counted_by_how_they_end(site: Site) -> None:
    for outcome, times in ((Outcome.DONE, 3), (Outcome.FAILED, 2), (Outcome.LOST, 1)):
        for _ in range(times):
            site.crew.ended(ARGS, str(outcome), 2.0)
    site.crew.ended(("shop", "stock", "EU", "=EU"), str(Outcome.DONE), 40.0)
    scrape = site.scrape()
    counted = {"done": 3, "failed": 2, "lost": 1, "released": 0, "unseen": 0, "killed": 0}
    assert set(counted) == set(ENDS)
    for outcome_name, expected in counted.items():
        found = scrape.one("seeknal_attempts_total", flow="sales", outcome=outcome_name)
        assert found == expected
    assert scrape.one("seeknal_unit_duration_seconds_count", flow="sales") == 3
    assert scrape.one("seeknal_unit_duration_seconds_sum", flow="sales") == 6.0
    (about,) = [f.documentation for f in scrape.families if f.name.startswith("seeknal_unit_d")]
    assert about.startswith("Seconds that a pool process spent on the message of a unit")
    buckets = scrape.all("seeknal_unit_duration_seconds_bucket")
    assert buckets["sales", "1.0", "shop"] == 0
    assert buckets["sales", "3.0", "shop"] == 3
    assert buckets["stock", "100.0", "shop"] == 1


@pytest.mark.parametrize("answer", ["not claimed", "refused: the store is away", "", "None"])
def test_what_was_no_attempt_is_not_counted(site: Site, answer: str) -> None:
    site.crew.ended(ARGS, answer, 1.0)
    site.crew.ended((), answer, 1.0)
    assert site.scrape().all("seeknal_attempts_total") == {}


def test_a_killed_process_is_an_attempt_that_was_killed(site: Site) -> None:
    site.crew.lost(ARGS, {"run": "r1"}, os.getpid(), "signal 9 (SIGKILL)")
    site.crew.lost(("not", "a unit"), {}, os.getpid(), "signal 9 (SIGKILL)")
    scrape = site.scrape()
    assert scrape.one("seeknal_attempts_total", flow="sales", outcome="killed") == 1
    assert "seeknal_unit_duration_seconds_count" not in scrape.names
    assert len(list(site.crew.killed())) == 1


def test_flows_without_number_are_counted_as_one(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics_module, "_FLOWS", 2)
    for number in range(5):
        site.crew.ended(("shop", f"flow{number}", "", ""), "done", 1.0)
    done = {
        labels: value
        for labels, value in site.scrape().all("seeknal_attempts_total").items()
        if "done" in labels
    }
    assert done == {
        ("flow0", "done", "shop"): 1.0,
        ("flow1", "done", "shop"): 1.0,
        ("other", "done", "other"): 3.0,
    }


def test_the_worker_itself_is_shown(site: Site) -> None:
    scrape = site.scrape()
    assert scrape.one("seeknal_worker_slots") == 3
    assert scrape.one("seeknal_worker_busy_slots") == 0
    assert scrape.all("seeknal_worker_state") == {
        ("working",): 1.0,
        ("draining",): 0.0,
        ("standing aside",): 0.0,
    }
    site.crew.slate.drain(5.0)
    assert site.scrape().one("seeknal_worker_state", state="draining") == 1.0
    assert scrape.one("seeknal_build_info") == 1.0
    assert scrape.one("process_resident_memory_bytes") > 0


def test_the_store_is_shown_by_project_flow_and_state(site: Site) -> None:
    scrape = site.scrape()
    assert scrape.one("seeknal_store_up") == 1
    assert scrape.one("seeknal_queue_messages") == 7
    assert scrape.all("seeknal_pending_units") == {("shop",): 9.0, ("idle",): 0.0}
    units = scrape.all("seeknal_units")
    assert units["sales", "shop", "queued"] == 3
    assert units["sales", "shop", "done"] == 9  # of both runs of the flow
    assert units["stock", "shop", "queued"] == 1_000_000
    assert scrape.all("seeknal_runs") == {
        ("sales", "shop", "active"): 1.0,
        ("sales", "shop", "paused"): 1.0,
        ("stock", "shop", "active"): 1.0,
        ("stock", "shop", "paused"): 0.0,
    }


@pytest.mark.parametrize("error", [StoreUnavailableError("away"), KeyError("a mistake of ours")])
def test_an_outage_of_the_store_hides_nothing_else(site: Site, error: Exception) -> None:
    site.reading = error
    site.crew.ended(ARGS, "done", 1.0)
    scrape = site.scrape()
    assert scrape.one("seeknal_store_up") == 0
    assert scrape.one("seeknal_worker_slots") == 3
    assert scrape.one("seeknal_attempts_total", outcome="done") == 1
    assert not {"seeknal_queue_messages", "seeknal_units", "seeknal_runs"} & scrape.names


def test_a_store_that_hangs_delays_no_scrape_and_its_last_word_counts_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(observer_module, "_FRESH", 0.0)
    monkeypatch.setattr(observer_module, "_PATIENCE", 0.05)
    answers, asked = threading.Event(), []
    answers.set()

    def read() -> Reading:
        asked.append(1)
        answers.wait(20)
        return READING

    observer = Observer(read)
    assert observer.latest() == (True, READING)
    answers.clear()
    started = time.monotonic()
    for _ in range(5):
        assert observer.latest() == (False, READING)
    assert time.monotonic() - started < 5
    assert len(asked) == 2  # one hangs, and nobody else is sent after it
    monkeypatch.setattr(observer_module, "_COUNTS", 0.0)
    assert observer.latest() == (False, None)
    monkeypatch.setattr(observer_module, "_COUNTS", 30.0)
    answers.set()
    wait_until("it answers again", lambda: observer.latest() == (True, READING))


def test_a_reading_serves_for_some_seconds() -> None:
    asked = []

    def read() -> Reading:
        asked.append(1)
        return READING

    observer = Observer(read)
    for _ in range(5):
        assert observer.latest() == (True, READING)
    assert len(asked) == 1


def test_processes_tell_of_their_memory_through_a_fork() -> None:
    meters = Meters()
    assert meters.read() == {}
    child = os.fork()
    if child == 0:
        meters.tell(1, Usage(100, 200, 300))
        os._exit(0)
    os.waitpid(child, 0)
    meters.tell(0, Usage(1, 2, 2**40))
    meters.tell(100_000, Usage(1, 2, 3))
    assert meters.read() == {0: Usage(1, 2, 2**40), 1: Usage(100, 200, 300)}


def test_what_a_process_told_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    meters = Meters()
    meters.tell(0, Usage(1, 2, 3))
    later = time.monotonic() + 11
    monkeypatch.setattr("worker.meters.time.monotonic", lambda: later)
    assert meters.read() == {}
    meters.tell(1, Usage(4, 5, 6))
    assert meters.read() == {1: Usage(4, 5, 6)}
