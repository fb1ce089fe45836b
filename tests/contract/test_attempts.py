"""What is kept of attempts: a unit's log, how long they took, the latest events of a run."""

from __future__ import annotations

import pytest

from seeknal.stores.base import Store
from seeknal.workflow.state import Event, RunStatus, UnitStatus
from seeknal.workflow.units import Unit
from tests.contract.building import (
    FLOW,
    WORKER,
    day,
    fail_units,
    finish,
    hour,
    launch,
    new_run,
    run_units,
    take,
    value,
)
from tests.contract.harness import STILL, Clock, Harness

AWHILE = 0.25


def kinds(events: list[Event]) -> list[str]:
    return [event.kind for event in events]


@pytest.mark.parametrize("unit", [hour(0), value("EU/ü")])
def test_a_log_tells_of_a_units_attempts_in_any_run(
    store: Store, harness: Harness, unit: Unit
) -> None:
    first = launch(store, unit, hour(5))
    store.fail(take(store, harness.lease, first, unit), "no memory", 0.0)
    store.release(take(store, harness.lease, first, unit))
    claim = take(store, harness.lease, first, unit, "worker-2")
    harness.expire(claim)
    store.reap()
    store.fail(take(store, harness.lease, first, unit), "no such file", None)
    second = launch(store, unit)
    finish(store, take(store, harness.lease, second, unit))
    log = store.log(FLOW, unit)
    assert kinds(log) == ["retry", "released", "reaped", "failed", "completed"]
    assert [event.run for event in log] == [first] * 4 + [second]
    assert {event.unit for event in log} == {unit.key}
    assert [event.worker for event in log] == [WORKER, WORKER, "worker-2", WORKER, WORKER]
    assert (log[0].detail, log[3].detail) == ("no memory", "no such file")
    assert [event.at for event in log] == sorted(event.at for event in log)
    events = [e for run in (first, second) for e in store.events(run) if e.unit == unit.key]
    assert log == events


def test_a_unit_that_completes_at_its_first_attempt_has_no_log(store: Store) -> None:
    run = run_units(store, hour(0))
    assert kinds(store.events(run)) == ["registered", "completed", "done"]
    assert store.log(FLOW, hour(0)) == []
    assert store.log(FLOW, hour(7)) == []
    assert store.log("nobody", hour(0)) == []


def test_a_unit_has_a_log_of_its_own(store: Store, harness: Harness) -> None:
    fail_units(store, hour(0), day(0))
    run_units(store, hour(1))
    launch(store, hour(0, "other"))
    store.release(take(store, harness.lease))
    assert kinds(store.log(FLOW, hour(0))) == ["failed"]
    assert kinds(store.log(FLOW, day(0))) == ["failed"]
    assert kinds(store.log("other", hour(0))) == ["released"]


def test_a_unit_that_was_done_by_others_is_no_attempt(store: Store) -> None:
    fail_units(store, hour(0))
    run_units(store, hour(0))
    assert kinds(store.log(FLOW, hour(0))) == ["failed", "completed"]
    run = launch(store, hour(0))
    assert store.claim(WORKER, 1.0) is None
    assert kinds(store.events(run)) == ["registered", "skipped", "done"]
    assert kinds(store.log(FLOW, hour(0))) == ["failed", "completed"]


def test_a_log_stays_when_what_failed_is_settled(store: Store) -> None:
    fail_units(store, hour(0))
    run = launch(store, hour(0))
    store.set_status(run, RunStatus.CANCELLED)
    assert store.failed(FLOW) == []
    assert kinds(store.log(FLOW, hour(0))) == ["failed"]


def test_a_log_holds_the_latest_twenty(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    for number in range(23):
        store.fail(take(store, harness.lease), f"error {number}", 0.0)
    assert [e.detail for e in store.log(FLOW, hour(0))] == [f"error {n}" for n in range(3, 23)]
    finish(store, take(store, harness.lease))
    log = store.log(FLOW, hour(0))
    assert (len(log), log[0].detail, log[-1].kind) == (20, "error 4", "completed")
    assert len(store.events(run)) == 26


def test_an_event_says_what_a_completed_attempt_made(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1))
    claim = take(store, harness.lease)
    harness.pass_time(AWHILE)
    finish(store, claim)
    completed = store.events(run)[-1]
    assert (completed.seconds, completed.rows, completed.bytes) == (0.5, 10, 100)
    assert completed.run == run
    registered = store.events(run)[0]
    assert (registered.run, registered.seconds, registered.rows) == (run, 0.0, 0)


def test_an_event_says_how_long_another_attempt_took(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    for ending in ("retry", "released", "failed"):
        before = store.now()
        claim = take(store, harness.lease)
        harness.pass_time(AWHILE)
        if ending == "released":
            store.release(claim)
        else:
            store.fail(claim, "boom", 0.0 if ending == "retry" else None)
        event = next(e for e in store.recent(run) if e.unit)
        assert event.kind == ending
        assert AWHILE <= event.seconds <= store.now() - before + 1e-6
        assert (event.rows, event.bytes) == (0, 0)


@pytest.mark.parametrize("harness", STILL, indirect=True)
def test_an_attempt_that_was_reaped_took_until_then(
    store: Store, harness: Harness, clock: Clock
) -> None:
    run = launch(store, hour(0))
    claim = take(store, harness.lease)
    clock.advance(100.0)
    store.renew(claim, harness.lease)
    harness.expire(claim)
    clock.advance(50.0)
    begun = claim.until - harness.lease
    store.reap()
    assert store.recent(run, limit=1)[0].seconds == pytest.approx(clock.now - begun, abs=1e-5)
    store.renew(claim, harness.lease)
    clock.advance(5.0)
    store.fail(claim, "boom", None)
    failed = store.recent(run, limit=2)[1]
    assert failed.seconds == pytest.approx(clock.now - begun, abs=1e-5)


@pytest.mark.parametrize("harness", STILL, indirect=True)
def test_a_record_says_since_when_its_unit_runs(
    store: Store, harness: Harness, clock: Clock
) -> None:
    run = launch(store, hour(0), hour(1))
    claim, other = take(store, harness.lease), take(store, harness.lease)
    store.fail(other, "boom", None)
    begun = clock.now
    clock.advance(7.0)
    store.renew(claim, harness.lease)
    assert since(store, run) == {hour(0): pytest.approx(begun), hour(1): 0.0}
    store.release(claim)
    assert since(store, run) == {hour(0): 0.0, hour(1): 0.0}
    clock.advance(7.0)
    claim = take(store, harness.lease)
    assert since(store, run)[hour(0)] == pytest.approx(begun + 14.0)
    harness.expire(claim)
    (reaped,) = store.reap()
    assert reaped.since == 0.0
    assert since(store, run)[hour(0)] == 0.0
    store.renew(claim, harness.lease)
    assert since(store, run)[hour(0)] == pytest.approx(begun + 14.0)


def since(store: Store, run: str) -> dict[Unit, float]:
    assert all(r.since == 0.0 for r in store.records(run) if r.status is not UnitStatus.RUNNING)
    return {record.unit: record.since for record in store.records(run)}


def test_the_latest_events_come_newest_first(store: Store) -> None:
    run = run_units(store, *[hour(n) for n in range(5)])
    run_units(store, hour(9))
    every = store.events(run)
    assert store.recent(run) == every[::-1]
    assert store.recent(run, limit=3) == every[:-4:-1]
    assert store.recent("nobody") == []


def test_a_run_says_when_it_ended(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    assert ended(store, run) == 0.0
    store.set_status(run, RunStatus.PAUSED)
    assert ended(store, run) == 0.0
    store.set_status(run, RunStatus.ACTIVE)
    harness.pass_time(AWHILE)
    before = store.now()
    finish(store, take(store, harness.lease))
    assert before <= ended(store, run) <= store.now()
    assert [r.ended for r in store.runs(FLOW)] == [ended(store, run)]


@pytest.mark.parametrize("end", [RunStatus.CANCELLED, RunStatus.INTERRUPTED])
def test_a_run_says_when_it_was_ended(store: Store, end: RunStatus) -> None:
    run = launch(store, hour(0))
    before = store.now()
    store.set_status(run, end)
    assert before <= ended(store, run) <= store.now()
    failed = fail_units(store, hour(1))
    assert before <= ended(store, failed) <= store.now()


def test_a_run_of_no_units_ended_as_it_began(store: Store) -> None:
    run = new_run()
    assert store.register(run, store.holds(FLOW).version)
    found = store.run(run.id)
    assert found is not None
    assert found.ended == pytest.approx(found.created, abs=1e-5)


def ended(store: Store, run: str) -> float:
    found = store.run(run)
    assert found is not None
    return found.ended
