"""What a run tells of itself: window, counts, records, events."""

from __future__ import annotations

import pytest

from seeknal.errors import UsageError
from seeknal.stores.base import Store
from seeknal.workflow.state import Counts, RunStatus, UnitStatus
from tests.contract.building import (
    WORKER,
    day,
    finish,
    hour,
    launch,
    new_run,
    planned,
    register,
    run_units,
    take,
)
from tests.contract.harness import QUICK, Harness


def test_the_window_is_what_is_queued_or_running(store: Store, harness: Harness) -> None:
    run = launch(store, *[hour(n) for n in range(5)])
    assert store.window(run) == 5
    done, failed, retried, released = (take(store, harness.lease) for _ in range(4))
    assert store.window(run) == 5
    finish(store, done)
    store.fail(failed, "boom", None)
    store.fail(retried, "boom", 60.0)
    store.release(released)
    assert store.window(run) == 3


def test_counts_follow_the_units(store: Store, harness: Harness) -> None:
    run = register(store, new_run(*[hour(n) for n in range(6)])).id
    assert store.counts(run) == Counts(6)
    store.feed(run, [planned(hour(n)) for n in range(5)], "", "5")
    claims = [take(store, harness.lease) for _ in range(4)]
    assert store.counts(run) == Counts(6, running=4)
    finish(store, claims[0])
    store.fail(claims[1], "boom", 60.0)
    store.fail(claims[2], "boom", None)
    counts = store.counts(run)
    assert counts == Counts(6, done=1, failed=1, running=1, retries=1, rows=10, bytes=100, busy=0.5)
    assert counts.queued == 3
    store.release(claims[3])
    assert store.counts(run).running == 0


def test_records_come_in_the_order_of_feeding(store: Store, harness: Harness) -> None:
    run = launch(store, hour(3), hour(1), hour(2))
    claim = take(store, harness.lease)
    store.fail(take(store, harness.lease), "boom", None)
    assert [r.unit for r in store.records(run)] == [hour(3), hour(1), hour(2)]
    assert [r.unit for r in store.records(run, limit=2)] == [hour(3), hour(1)]
    (running,) = store.records(run, UnitStatus.RUNNING)
    assert (running.planned, running.worker, running.until) == (
        claim.planned,
        WORKER,
        claim.until,
    )
    assert [r.unit for r in store.records(run, UnitStatus.QUEUED)] == [hour(2)]
    (failed,) = store.records(run, UnitStatus.FAILED)
    assert (failed.unit, failed.error, failed.worker) == (hour(1), "boom", "")


def test_events_tell_what_happened(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), day(1))
    store.fail(take(store, harness.lease), "boom", 0.0)
    store.release(take(store, harness.lease))
    claim = take(store, harness.lease)
    harness.expire(claim)
    store.reap()
    finish(store, take(store, harness.lease))
    store.set_status(run, RunStatus.PAUSED)
    store.set_status(run, RunStatus.ACTIVE)
    store.fail(take(store, harness.lease), "no such file", None)
    events = store.events(run)
    assert [(e.kind, e.unit) for e in events] == [
        ("registered", ""),
        ("retry", hour(0).key),
        ("released", hour(0).key),
        ("reaped", hour(0).key),
        ("completed", hour(0).key),
        ("paused", ""),
        ("active", ""),
        ("failed", day(1).key),
        ("failed", ""),
    ]
    assert [e.at for e in events] == sorted(e.at for e in events)
    assert (events[1].worker, events[1].detail) == (WORKER, "boom")
    assert events[7].detail == "no such file"


def test_events_are_read_in_pages(store: Store) -> None:
    run = run_units(store, *[hour(n) for n in range(5)])
    every = store.events(run)
    assert len(every) == 7
    seen = []
    after = ""
    while page := store.events(run, after, limit=3):
        seen += page
        after = page[-1].id
    assert seen == every


def test_a_wrong_event_id_is_refused(store: Store) -> None:
    run = launch(store, hour(0))
    with pytest.raises(UsageError):
        store.events(run, "yesterday")


@pytest.mark.timeout(120)
@pytest.mark.parametrize("harness", QUICK, indirect=True)
def test_events_are_bounded(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    for _ in range(11_000):
        store.release(take(store, harness.lease, run, hour(0)))
    events = store.events(run, limit=100_000)
    assert 9_000 <= len(events) <= 10_999
    assert events[0].kind == "released"
