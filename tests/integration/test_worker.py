"""Real worker processes on a real server: what LAWS 4 to 8 promise, seen from outside."""

from __future__ import annotations

import json
import os
import pickle
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from seeknal.executors.celery import QUEUE
from seeknal.workflow.state import RunStatus
from tests.fleet import BURN, Fleet, fleet
from tests.waiting import passed, wait_until

ALL = "SELECT * FROM events"
DAYS = 40


@pytest.fixture
def ships(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        yield made


def events(ships: Fleet, days: int = DAYS, **more: str) -> Fleet:
    """Declare a flow over days of hourly events."""
    ships.box.events("2024-01-01", days * 24, "1 hour").declare(**more)
    return ships


def slow(ships: Fleet, days: int, millions: int) -> Fleet:
    """Declare a flow whose units take their time."""
    return events(ships, days, sql=BURN.format(millions=millions))


def test_a_backfill_equals_the_query_over_everything(ships: Fleet) -> None:
    events(ships).worker(2)
    ran = ships.seeknal("run", "--backfill")
    assert ran.lines[0] == f"Processing {DAYS} missing intervals (2024-01-01 to 2024-02-10)"
    ships.box.assert_output_is(ALL)
    (run,) = ships.seeknal("runs", "list", "--json").json["runs"]
    assert (run["status"], run["done"], run["rows"]) == ("done", DAYS, DAYS * 24)
    ships.assert_done_once(run["run"], DAYS)
    assert ships.queued() == 0
    assert (ships.box.root / "target" / "run_state.json").exists()
    (worker,) = wait_until("the worker is idle", lambda: idle(ships), 10)
    assert (worker["slots"], worker["state"]) == (2, "working")
    again = ships.seeknal("run", "--backfill")
    assert again.lines == ["Nothing to do for events_flow."]


def idle(ships: Fleet) -> list[dict[str, Any]]:
    """The workers that are alive, all without a unit; the last beat may be from a busier time."""
    seen: list[dict[str, Any]] = ships.seeknal("workers", "--json").json["workers"]
    assert seen, "a worker that has just run units is not seen"
    return [] if any(worker["busy"] for worker in seen) else seen


def test_a_killed_workers_unit_runs_again_within_a_lease_and_five_seconds(ships: Fleet) -> None:
    slow(ships, 1, 800)
    first, second = both = ships.worker(ready=False), ships.worker()
    wait_until("both are ready", first.ready, 30)
    run = ships.launch()
    before = ships.runs_one(run)
    if f"/{second.pid}#" in before.worker:
        first, second = second, first
    assert first in both
    first.kill()
    killed = time.monotonic()
    taken = wait_until(
        "another worker has the unit",
        lambda: [r for r in ships.running(run) if r.worker != before.worker],
        ships.lease + 5,
    )
    assert time.monotonic() - killed < ships.lease + 5
    assert taken[0].attempts == 0
    assert f"/{second.pid}#" in taken[0].worker
    assert ships.ends(run) is RunStatus.DONE
    ships.assert_done_once(run, 1)


def test_messages_that_are_lost_or_doubled_change_nothing(ships: Fleet) -> None:
    slow(ships, 60, 4).worker(2)
    run = ships.launch()
    wait_until("some are done", lambda: ships.store.counts(run).done >= 5)
    texts = ships.client.lrange(QUEUE, 0, -1)
    ships.client.lpush(QUEUE, *texts)
    wait_until("some more are done", lambda: ships.store.counts(run).done >= 15)
    ships.client.delete(QUEUE)
    assert ships.ends(run) is RunStatus.DONE
    ships.assert_done_once(run, 60)
    ships.box.assert_output_is("SELECT *, true AS burnt FROM events")


@pytest.mark.parametrize("celery", [False, True])
def test_a_worker_that_is_told_to_stop_hands_back_what_takes_too_long(
    ships: Fleet, celery: bool
) -> None:
    slow(ships, 2, 3000)
    # Celery's own command: as its documentation says for containers.
    remap = "SIGQUIT" if celery else ""
    worker = ships.worker(grace=1.0, celery=celery, REMAP_SIGTERM=remap)
    run = ships.launch()
    ships.runs_one(run)
    worker.signal(signal.SIGTERM)
    wait_until("the unit is handed back", lambda: ships.events(run, "released"), 6)
    worker.wait(20)
    assert not ships.running(run)
    assert all(r.attempts == 0 for r in ships.store.records(run))
    assert ships.store.counts(run).retries == 0
    assert ships.seeknal("workers", "--json").json["workers"] == []
    assert ships.box.leftovers() == ["run_state.json"] or not ships.box.files()


def test_a_worker_that_is_told_to_stop_ends_what_it_runs(ships: Fleet) -> None:
    slow(ships, 3, 120)
    worker = ships.worker()
    run = ships.launch()
    running = ships.runs_one(run)
    worker.signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert [e.unit for e in ships.events(run, "completed")] == [running.unit.key]
    assert ships.store.counts(run).running == 0


def test_a_worker_that_stood_still_past_its_lease_publishes_nothing(ships: Fleet) -> None:
    slow(ships, 1, 800)
    first = ships.worker()
    run = ships.launch()
    ships.runs_one(run)
    first.freeze()
    second = ships.worker()
    assert ships.ends(run) is RunStatus.DONE
    (published,) = ships.box.files().values()
    before = published.stat().st_mtime_ns, published.stat().st_ino
    first.thaw()
    wait_until("the first goes on", lambda: "succeeded in" in first.text(), 20)
    assert "lease lost" in first.text()
    assert (published.stat().st_mtime_ns, published.stat().st_ino) == before
    (completed,) = ships.events(run, "completed")
    assert f"/{second.pid}#" in completed.worker
    ships.assert_done_once(run, 1)


def test_a_message_that_is_not_ours_is_refused_and_harms_nothing(ships: Fleet) -> None:
    worker = events(ships, 5).worker()
    evil = pickle.dumps({"reduce": "me"}).hex()
    envelope = {
        "body": evil,
        "content-encoding": "binary",
        "content-type": "application/x-python-serialize",
        "headers": {"task": "seeknal.unit", "id": "1", "lang": "py"},
        "properties": {
            "correlation_id": "1",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": QUEUE},
            "delivery_tag": "1",
            "body_encoding": "utf-8",
        },
    }
    properties = cast(dict[str, object], envelope["properties"])
    wrong = {**envelope, "content-type": "application/json", "content-encoding": "utf-8"}
    unknown: list[object] = [{}, [], "here", {"exchange": ""}]
    pushed: list[str | bytes] = [
        json.dumps(envelope),
        json.dumps({**wrong, "body": "no JSON"}),
        json.dumps({**wrong, "body": '[["a", "b"], {}, {}]'}),
        json.dumps({**wrong, "body": '[["a", "b", "c", "d"], {"run": "none"}, {}]'}),
        json.dumps({**wrong, "body": '[[1, 2, 3, 4], {"run": 5}, {}]'}),
        json.dumps({**wrong, "body": "[]", "headers": {"task": "os.system", "id": "2"}}),
        *(
            json.dumps({**wrong, "properties": {**properties, "delivery_info": back}})
            for back in unknown
        ),
        json.dumps({"properties": {}}),
        "{}",
        "[]",
        "no JSON at all",
        b"\xff\xfe",
    ]
    for text in pushed:
        ships.client.lpush(QUEUE, text)
    wait_until("they are taken", lambda: ships.queued() == 0, 20)
    assert worker.process.poll() is None
    ships.seeknal("run", "--backfill")
    ships.box.assert_output_is(ALL)
    assert worker.process.poll() is None


def test_a_laptop_without_the_data_has_a_worker_look(ships: Fleet, tmp_path: Path) -> None:
    events(ships, 10).worker()
    laptop = tmp_path / "laptop"
    (laptop / "flows").mkdir(parents=True)
    for name in ("seeknal_project.yml", "flows/events_flow.yml"):
        (laptop / name).write_text((ships.box.root / name).read_text())
    ran = ships.seeknal("run", "--backfill", cwd=laptop)
    assert ran.lines[0] == "Processing 10 missing intervals (2024-01-01 to 2024-01-11)"
    assert "a worker is asked" in ran.err
    ships.box.assert_output_is(ALL)
    (laptop / "flows" / "events_flow.yml").write_text(
        (laptop / "flows" / "events_flow.yml").read_text().replace("FROM events", "FROM evnts")
    )
    refused = ships.seeknal("run", "--backfill", cwd=laptop, code=2)
    assert "Asked of a worker" in refused.err
    assert "evnts" in refused.err


def test_runs_are_paused_resumed_and_cancelled(ships: Fleet) -> None:
    slow(ships, 30, 20).worker()
    run = ships.launch()
    wait_until("some are done", lambda: ships.store.counts(run).done >= 2)
    assert ships.seeknal("runs", "pause", run).out.startswith(f"Paused run {run}: ")
    wait_until("what ran has ended", lambda: not ships.running(run))
    done = ships.store.counts(run).done
    wait_until("a second passes", passed(1.0))
    assert ships.store.counts(run).done == done < 30
    ships.seeknal("runs", "resume", run)
    wait_until("it goes on", lambda: ships.store.counts(run).done >= done + 2)
    ships.seeknal("runs", "cancel", run)
    assert ships.running(run) == []
    refused = ships.seeknal("runs", "resume", run, code=2)
    assert f"Run {run} is over: it is cancelled" in refused.err
    assert ships.seeknal("runs", "show", run, "--json").json["status"] == "cancelled"
    watched = ships.seeknal("runs", "watch", run, code=1)
    assert f"Run {run} is cancelled" in watched.out
    before = len(ships.box.files())
    wait_until("a moment passes", passed(0.5))
    assert len(ships.box.files()) == before


def test_what_failed_is_retried_alone(ships: Fleet) -> None:
    ships.box.events("2024-01-01", 10 * 24, "1 hour", table="stored").declare()
    ships.box.breakable("event_time >= '2024-01-05' AND event_time < '2024-01-07'")
    ships.worker()
    failed = ships.seeknal("run", "--backfill", code=1)
    assert "sensor 7 is broken" in failed.err
    (run,) = ships.seeknal("runs", "list", "--json").json["runs"]
    assert (run["done"], run["failed"], run["status"]) == (8, 2, "failed")
    wait_until("the worker lets go of the file", ships.mended, 20, 0.2)
    ships.seeknal("runs", "retry", run["run"])
    watched = ships.seeknal("runs", "watch", "--json")
    last = json.loads(watched.lines[-1])
    assert (last["units"], last["done"], last["status"]) == (2, 2, "done")
    ships.box.assert_output_is(ALL)
    nothing = ships.seeknal("runs", "retry", run["run"], code=2)
    assert "nothing to retry" in nothing.err


def test_units_in_backoff_are_run_by_whoever_comes_later(ships: Fleet) -> None:
    ships.box.events("2024-01-01", 3 * 24, "1 hour", table="stored").declare()
    ships.box.breakable("true")
    first = ships.worker()
    run = ships.launch()
    wait_until("all are in backoff", lambda: ships.store.counts(run).retries >= 3)
    first.kill()
    wait_until("the worker lets go of the file", ships.mended, 20, 0.2)
    ships.client.delete(QUEUE)
    ships.worker()
    assert ships.ends(run) is RunStatus.DONE
    ships.assert_done_once(run, 3)
    ships.box.assert_output_is(ALL)


def test_a_run_whose_first_units_all_fail_alike_pauses_itself(ships: Fleet) -> None:
    ships.box.events("2024-01-01", 30 * 24, "1 hour", table="stored").declare()
    ships.box.breakable("true")
    ships.worker()
    said = ships.seeknal("run", "--backfill", code=1)
    assert "paused itself" in said.err
    assert "sensor 7 is broken" in said.err
    (run,) = ships.store.runs()
    assert run.status is RunStatus.PAUSED
    assert ships.store.counts(run.id).retries < 15
    wait_until("the worker lets go of the file", ships.mended, 20, 0.2)
    ships.seeknal("runs", "resume", run.id)
    assert ships.ends(run.id) is RunStatus.DONE


def test_a_killed_pool_process_is_counted_apart_from_attempts(ships: Fleet) -> None:
    slow(ships, 1, 300)
    worker = ships.worker()
    run = ships.launch()
    running = ships.runs_one(run)
    os.kill(int(running.worker.rpartition("#")[2]), signal.SIGKILL)
    # As a retry, or as one more loss if somebody else has the unit by then.
    wait_until(
        "it is noted",
        lambda: [e for e in ships.store.events(run) if "SIGKILL" in e.detail],
        20,
    )
    again = ships.runs_one(run)
    assert again.attempts == 0
    assert again.worker != running.worker
    for _ in range(3):
        ships.store.killed(run, again.unit, again.worker, "it was killed", 0.0)
    assert ships.run(run).status is RunStatus.ACTIVE
    assert ships.store.killed(run, again.unit, again.worker, "it was killed", 0.0) == 5
    assert ships.run(run).status is RunStatus.FAILED
    (failed,) = ships.store.failed("events_flow")
    assert "killed 5 times" in failed.error
    assert worker.process.poll() is None


def test_one_worker_of_four_without_the_data_harms_no_run(ships: Fleet, tmp_path: Path) -> None:
    slow(ships, 30, 5)
    elsewhere = tmp_path / "unmounted"
    blind = ships.worker(data=elsewhere)
    run = ships.launch()
    seeing = [ships.worker(ready=False) for _ in range(3)]
    wait_until("it stands aside", lambda: "Standing aside" in blind.text(), 20)
    told = wait_until(
        "it tells", lambda: [w for w in ships.store.workers() if w.detail.get("lacks")]
    )
    assert told[0].detail["state"] == "standing aside"
    assert str(elsewhere) in told[0].detail["lacks"]
    shown = ships.seeknal("workers").out
    assert "standing aside" in shown
    assert f"lacks: The data root {elsewhere}" in shown
    assert ships.ends(run) is RunStatus.DONE
    ships.assert_done_once(run, 30)
    assert ships.store.counts(run).retries == 0
    by = {event.worker.partition("#")[0] for event in ships.events(run, "completed")}
    assert not [name for name in by if name.endswith(f"/{blind.pid}")]
    assert all(worker.process.poll() is None for worker in (blind, *seeing))
    assert not elsewhere.exists()


def test_an_outage_of_the_store_interrupts_nothing(ships: Fleet) -> None:
    slow(ships, 6, 100).worker(2)
    run = ships.launch()
    ships.runs_one(run)
    ships.server.pause()
    wait_until("two leases pass", passed(2 * ships.lease))
    ships.server.resume()
    assert ships.ends(run) is RunStatus.DONE
    ships.assert_done_once(run, 6)
    assert ships.store.counts(run).retries == 0
