"""A lease from claim to expiry: renewing, handing back, failing, reaping, fencing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from seeknal.errors import LeaseLostError
from seeknal.stores.base import Store
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Claim, RunStatus, UnitResult, UnitStatus
from seeknal.workflow.units import Unit
from tests.contract.building import (
    FLOW,
    WORKER,
    finish,
    hour,
    launch,
    run_units,
    take,
    value,
)
from tests.contract.harness import STILL, Clock, Harness

FENCED: dict[str, Callable[[Store, Claim], object]] = {
    "prepare": lambda store, claim: store.prepare(claim),
    "forget": lambda store, claim: store.forget(claim, IntervalSet([(0, 10**10)])),
    "complete": lambda store, claim: store.complete(claim, "fp", UnitResult()),
    "fail": lambda store, claim: store.fail(claim, "boom", None),
    "retry": lambda store, claim: store.fail(claim, "boom", 0.0),
}


@pytest.mark.parametrize("harness", STILL, indirect=True)
def test_a_lease_holds_at_its_very_end_and_not_after(
    store: Store, harness: Harness, clock: Clock
) -> None:
    run = launch(store, hour(0))
    claim = take(store, harness.lease)
    clock.now = claim.until
    assert store.reap() == []
    assert store.claim("worker-2", harness.lease, run, hour(0)) is None
    clock.advance(0.001)
    assert [r.unit for r in store.reap()] == [hour(0)]


def test_an_expired_lease_passes_to_who_claims_that_unit(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    first = take(store, harness.lease)
    harness.expire(first)
    assert store.claim("worker-2", harness.lease) is None  # not queued: nobody has reaped it
    second = take(store, harness.lease, run, hour(0), "worker-2")
    assert second.token > first.token
    assert second.attempts == 0
    assert store.counts(run).running == 1


@pytest.mark.parametrize("harness", STILL, indirect=True)
def test_a_renewed_lease_counts_from_now(store: Store, harness: Harness, clock: Clock) -> None:
    launch(store, hour(0))
    claim = take(store, harness.lease)
    clock.now = claim.until
    assert store.renew(claim, harness.lease)
    clock.now = claim.until + harness.lease
    assert store.reap() == []
    clock.advance(0.001)
    assert len(store.reap()) == 1


@pytest.mark.parametrize("harness", STILL, indirect=True)
def test_a_lease_of_another_run_holds_at_its_very_end_and_not_after(
    store: Store, harness: Harness, clock: Clock
) -> None:
    first = launch(store, hour(0))
    theirs = take(store, harness.lease, first)
    second = launch(store, hour(0))
    clock.now = theirs.until
    assert store.claim("worker-2", harness.lease, second) is None
    clock.advance(0.001)
    assert take(store, harness.lease, second).unit == hour(0)


@pytest.mark.parametrize("harness", STILL, indirect=True)
def test_renewing_for_less_shortens_a_lease(store: Store, harness: Harness, clock: Clock) -> None:
    launch(store, hour(0))
    claim = take(store, harness.lease)
    assert store.renew(claim, harness.lease / 2)
    clock.advance(harness.lease / 2 + 0.001)
    assert len(store.reap()) == 1


def test_an_expired_lease_can_be_renewed_while_nobody_has_claimed(
    store: Store, harness: Harness
) -> None:
    run = launch(store, hour(0))
    claim = take(store, harness.lease)
    harness.expire(claim)
    assert store.renew(claim, harness.lease)
    assert store.reap() == []
    assert store.claim("worker-2", harness.lease, run, hour(0)) is None


def test_a_reaped_unit_that_nobody_claimed_is_leased_again_by_renewing(
    store: Store, harness: Harness
) -> None:
    run = launch(store, hour(0))
    claim = take(store, harness.lease)
    harness.expire(claim)
    assert len(store.reap()) == 1
    assert store.counts(run).running == 0
    assert store.renew(claim, harness.lease)
    assert store.counts(run).running == 1
    record = store.records(run)[0]
    assert (record.status, record.worker) == (UnitStatus.RUNNING, WORKER)
    assert store.claim("worker-2", harness.lease) is None
    finish(store, claim)
    assert store.counts(run).done == 1


def test_a_reaped_unit_that_nobody_claimed_can_be_completed(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1))
    claim = take(store, harness.lease)
    harness.expire(claim)
    store.reap()
    finish(store, claim)
    counts = store.counts(run)
    assert (counts.done, counts.running, counts.queued) == (1, 0, 1)


@pytest.mark.parametrize("unit", [hour(0), value("EU")])
@pytest.mark.parametrize("verb", sorted(FENCED))
def test_a_stale_token_is_refused_and_changes_nothing(
    store: Store, harness: Harness, verb: str, unit: Unit
) -> None:
    run_units(store, hour(9))
    run = launch(store, unit)
    stale = take(store, harness.lease)
    harness.expire(stale)
    store.reap()
    current = take(store, harness.lease, worker="worker-2")
    before = (store.state(FLOW), store.records(run), store.counts(run), store.events(run))
    with pytest.raises(LeaseLostError):
        FENCED[verb](store, stale)
    assert not store.renew(stale, harness.lease)
    store.release(stale)
    assert (store.state(FLOW), store.records(run), store.counts(run), store.events(run)) == before
    finish(store, current)


@pytest.mark.parametrize("verb", sorted(FENCED))
def test_a_completed_unit_has_no_token(store: Store, harness: Harness, verb: str) -> None:
    launch(store, hour(0), hour(1))
    claim = take(store, harness.lease)
    finish(store, claim)
    with pytest.raises(LeaseLostError):
        FENCED[verb](store, claim)
    assert not store.renew(claim, harness.lease)


@pytest.mark.parametrize("end", ["release", "retry", "fail"])
def test_who_gave_a_unit_up_cannot_take_it_up_again(
    store: Store, harness: Harness, end: str
) -> None:
    launch(store, hour(0), hour(1))
    claim = take(store, harness.lease)
    if end == "release":
        store.release(claim)
    else:
        store.fail(claim, "boom", 0.0 if end == "retry" else None)
    assert not store.renew(claim, harness.lease)
    with pytest.raises(LeaseLostError):
        store.complete(claim, "fp", UnitResult())


def test_a_released_unit_is_ready_in_its_old_place_without_an_attempt(
    store: Store, harness: Harness
) -> None:
    run = launch(store, hour(0), hour(1))
    store.release(take(store, harness.lease))
    assert store.counts(run).retries == 0
    claim = take(store, harness.lease)
    assert (claim.unit, claim.attempts) == (hour(0), 0)


def test_reaping_costs_no_attempt_and_says_who_had_the_unit(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    harness.expire(take(store, harness.lease))
    (record,) = store.reap()
    assert (record.run, record.unit, record.status) == (run, hour(0), UnitStatus.QUEUED)
    assert (record.worker, record.attempts) == (WORKER, 0)
    assert store.records(run)[0].worker == ""
    assert store.counts(run).retries == 0
    assert take(store, harness.lease).attempts == 0


def test_reaping_leaves_what_is_held_and_queued_and_failed(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1), hour(2), hour(3))
    old = take(store, harness.lease)
    store.fail(take(store, harness.lease), "boom", None)
    harness.expire(old)
    take(store, harness.lease)
    assert [r.unit for r in store.reap()] == [hour(0)]
    assert store.reap() == []
    counts = store.counts(run)
    assert (counts.running, counts.failed, counts.queued) == (1, 1, 2)


def test_reaping_is_bounded(store: Store, harness: Harness) -> None:
    launch(store, *[hour(n) for n in range(5)])
    harness.expire(*[take(store, harness.lease) for _ in range(5)])
    assert [len(store.reap(2)) for _ in range(4)] == [2, 2, 1, 0]


def test_units_of_paused_runs_are_reaped(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    claim = take(store, harness.lease)
    store.set_status(run, RunStatus.PAUSED)
    harness.expire(claim)
    assert len(store.reap()) == 1
    assert store.claim(WORKER, harness.lease) is None


def test_a_failed_attempt_waits_for_its_backoff(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    wait = harness.backoff
    store.fail(take(store, harness.lease), "boom", wait)
    (record,) = store.records(run, UnitStatus.QUEUED)
    assert (record.attempts, record.error, record.worker) == (1, "boom", "")
    assert record.ready > store.now()
    assert store.claim(WORKER, harness.lease) is None
    assert store.claim(WORKER, harness.lease, run, hour(0)) is None
    harness.pass_time(wait)
    claim = take(store, harness.lease)
    assert claim.attempts == 1
    assert store.counts(run).retries == 1


@pytest.mark.parametrize("harness", STILL, indirect=True)
def test_a_backoff_ends_at_its_very_end(store: Store, harness: Harness, clock: Clock) -> None:
    run = launch(store, hour(0))
    store.fail(take(store, harness.lease), "boom", 5.0)
    clock.advance(4.999)
    assert store.claim(WORKER, harness.lease) is None
    clock.now = store.records(run)[0].ready
    assert take(store, harness.lease, run, hour(0)).attempts == 1


def test_others_pass_a_unit_in_backoff_and_it_returns_to_its_place(
    store: Store, harness: Harness
) -> None:
    launch(store, hour(0), hour(1), hour(2))
    wait = harness.backoff
    store.fail(take(store, harness.lease), "boom", wait)
    assert take(store, harness.lease).unit == hour(1)
    harness.pass_time(wait)
    assert take(store, harness.lease).unit == hour(0)


def test_attempts_add_up_over_workers(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    for attempt in range(3):
        claim = take(store, harness.lease, worker=f"worker-{attempt}")
        assert claim.attempts == attempt
        store.fail(claim, f"boom {attempt}", 0.0 if attempt < 2 else None)
    (record,) = store.failed(FLOW)
    assert (record.run, record.attempts, record.error) == (run, 3, "boom 2")
    assert record.status is UnitStatus.FAILED


def test_a_failed_unit_is_not_claimed_again(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1))
    store.fail(take(store, harness.lease), "boom", None)
    assert store.claim(WORKER, harness.lease, run, hour(0)) is None
    assert take(store, harness.lease).unit == hour(1)


def test_one_failure_leaves_the_others(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1), hour(2))
    store.fail(take(store, harness.lease), "boom", None)
    for _ in range(2):
        finish(store, take(store, harness.lease))
    current = store.run(run)
    assert current is not None
    assert current.status is RunStatus.FAILED
    assert store.state(FLOW).completed == IntervalSet([(hour(1).start, hour(2).end)])
