"""Who gets which unit: the order of claiming, and what is not to be had."""

from __future__ import annotations

import pytest

from seeknal.errors import LeaseLostError
from seeknal.stores.base import Store
from seeknal.workflow.state import Origin, RunStatus, UnitResult, UnitStatus
from seeknal.workflow.units import PlannedUnit, Unit
from tests.contract.building import (
    FLOW,
    HOURLY,
    WORKER,
    day,
    finish,
    hour,
    launch,
    new_run,
    planned,
    register,
    restate,
    run_units,
    take,
    value,
)
from tests.contract.harness import STILL, Clock, Harness


def test_claim_says_what_was_leased(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), origin=Origin.RUN)
    before = store.now()
    claim = take(store, harness.lease)
    assert (claim.run, claim.unit, claim.worker, claim.attempts) == (run, hour(0), WORKER, 0)
    assert claim.planned == PlannedUnit(hour(0), Origin.RUN, HOURLY)
    assert before + harness.lease <= claim.until <= store.now() + harness.lease


def test_units_are_claimed_in_the_order_of_feeding(store: Store, harness: Harness) -> None:
    units = [hour(5), hour(1), hour(3), value("EU")]
    launch(store, *units)
    assert [take(store, harness.lease).unit for _ in units] == units
    assert store.claim(WORKER, harness.lease) is None


def test_nothing_is_claimed_from_an_empty_store(store: Store) -> None:
    assert store.claim(WORKER, 1.0) is None
    assert store.claim(WORKER, 1.0, "no such run") is None
    assert store.claim(WORKER, 1.0, "no such run", hour(0)) is None


def test_runs_are_served_by_priority_and_then_by_age(store: Store, harness: Harness) -> None:
    old = launch(store, hour(0))
    young = launch(store, hour(1))
    high = launch(store, hour(2), priority=5)
    low = launch(store, hour(3), priority=-1)
    assert [take(store, harness.lease).run for _ in range(4)] == [high, old, young, low]


def test_a_named_run_is_served_alone(store: Store, harness: Harness) -> None:
    launch(store, hour(0))
    run = launch(store, hour(1))
    assert take(store, harness.lease, run).unit == hour(1)
    assert store.claim(WORKER, harness.lease, run) is None


def test_a_named_unit_is_leased_out_of_turn(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1))
    assert take(store, harness.lease, run, hour(1)).unit == hour(1)
    assert store.claim(WORKER, harness.lease, run, hour(1)) is None
    assert store.claim(WORKER, harness.lease, run, hour(7)) is None


def test_what_is_not_fed_is_not_claimed(store: Store, harness: Harness) -> None:
    run = register(store, new_run(hour(0), hour(1)))
    assert store.claim(WORKER, harness.lease) is None
    store.feed(run.id, [planned(hour(0))], "", "1")
    assert take(store, harness.lease).unit == hour(0)
    assert store.claim(WORKER, harness.lease) is None


@pytest.mark.parametrize("unit", [hour(0), value("EU")])
def test_a_done_unit_counts_as_done_and_is_not_leased(
    store: Store, harness: Harness, unit: Unit
) -> None:
    run_units(store, unit)
    run = launch(store, unit, hour(1))
    assert take(store, harness.lease, run).unit == hour(1)
    assert store.counts(run).done == 1
    assert [r.unit for r in store.records(run)] == [hour(1)]
    assert [e.kind for e in store.events(run)][-1] == "skipped"


@pytest.mark.parametrize("unit", [hour(0), value("EU")])
def test_a_run_of_done_units_ends_by_claiming(store: Store, harness: Harness, unit: Unit) -> None:
    run_units(store, unit)
    run = launch(store, unit)
    assert store.claim(WORKER, harness.lease, run, unit) is None
    current = store.run(run)
    assert current is not None
    assert current.status is RunStatus.DONE
    assert store.counts(run).rows == 0


def test_a_unit_covered_by_another_shape_counts_as_done(store: Store, harness: Harness) -> None:
    run_units(store, day(0))
    run = launch(store, hour(3))
    assert store.claim(WORKER, harness.lease) is None
    assert store.counts(run).done == 1


def test_a_unit_covered_by_pieces_counts_as_done(store: Store, harness: Harness) -> None:
    run_units(store, *[hour(n) for n in range(0, 12)], fingerprint="a")
    run_units(store, *[hour(n) for n in range(12, 24)], fingerprint="b")
    run = launch(store, day(0))
    assert store.claim(WORKER, harness.lease) is None
    assert store.counts(run).done == 1


def test_a_unit_covered_but_for_one_piece_is_leased(store: Store, harness: Harness) -> None:
    run_units(store, *[hour(n) for n in range(24) if n != 7])
    launch(store, day(0))
    assert take(store, harness.lease).unit == day(0)


@pytest.mark.parametrize("unit", [hour(3), value("EU")])
def test_a_restated_unit_is_leased_though_completed(
    store: Store, harness: Harness, unit: Unit
) -> None:
    run_units(store, unit)
    restate(store, unit)
    launch(store, unit, origin=Origin.RESTATE)
    assert take(store, harness.lease).unit == unit


def test_a_unit_restated_in_part_is_leased(store: Store, harness: Harness) -> None:
    run_units(store, day(0))
    restate(store, hour(3))
    launch(store, day(0))
    assert take(store, harness.lease).unit == day(0)


def test_a_unit_leased_in_another_run_is_passed_over(store: Store, harness: Harness) -> None:
    first = launch(store, hour(0))
    take(store, harness.lease, first)
    second = launch(store, hour(0), hour(1))
    assert store.claim("worker-2", harness.lease, second, hour(0)) is None
    assert take(store, harness.lease, second).unit == hour(1)
    assert store.claim("worker-2", harness.lease) is None


def test_equal_units_of_two_flows_do_not_meet(store: Store, harness: Harness) -> None:
    launch(store, hour(0))
    launch(store, hour(0, "other"))
    assert {take(store, harness.lease).unit.flow for _ in range(2)} == {FLOW, "other"}


def test_a_unit_leased_elsewhere_is_to_be_had_once_that_lease_expired(
    store: Store, harness: Harness
) -> None:
    first = launch(store, hour(0))
    theirs = take(store, harness.lease, first)
    second = launch(store, hour(0))
    harness.expire(theirs)
    mine = take(store, harness.lease, second, hour(0), "worker-2")
    assert mine.token > theirs.token
    assert not store.renew(theirs, harness.lease)
    with pytest.raises(LeaseLostError):
        store.complete(theirs, "fp", UnitResult())
    assert store.counts(first).running == 0
    assert [r.status for r in store.records(first)] == [UnitStatus.QUEUED]
    finish(store, mine)
    assert store.claim(WORKER, harness.lease, first) is None
    assert store.counts(first).done == 1


def test_a_reaped_unit_claimed_in_another_run_is_lost(store: Store, harness: Harness) -> None:
    first = launch(store, hour(0))
    theirs = take(store, harness.lease, first)
    second = launch(store, hour(0))
    harness.expire(theirs)
    store.reap()
    take(store, harness.lease, second, hour(0), "worker-2")
    assert not store.renew(theirs, harness.lease)


def test_max_active_caps_the_units_under_lease(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1), hour(2), max_active=2)
    first, _ = take(store, harness.lease), take(store, harness.lease)
    assert store.claim(WORKER, harness.lease) is None
    assert store.claim(WORKER, harness.lease, run, hour(2)) is None
    finish(store, first)
    assert take(store, harness.lease).unit == hour(2)


def test_a_capped_run_lets_the_next_one_pass(store: Store, harness: Harness) -> None:
    launch(store, hour(0), hour(1), max_active=1)
    second = launch(store, hour(2))
    take(store, harness.lease)
    assert take(store, harness.lease).run == second


def test_tokens_grow_and_follow_the_clock(store: Store, harness: Harness) -> None:
    launch(store, hour(0), hour(1), hour(2))
    before = int(store.now() * 1_000_000)
    tokens = [take(store, harness.lease).token for _ in range(3)]
    assert tokens == sorted(set(tokens))
    assert tokens[0] >= before


def test_tokens_grow_over_runs_and_flows(store: Store, harness: Harness) -> None:
    tokens = []
    for unit in (hour(0), hour(0, "other"), value("EU"), hour(1)):
        launch(store, unit)
        claim = take(store, harness.lease)
        tokens.append(claim.token)
        finish(store, claim)
    assert tokens == sorted(set(tokens))


@pytest.mark.parametrize("harness", STILL, indirect=True)
def test_tokens_grow_also_after_the_clock_steps_back(
    store: Store, harness: Harness, clock: Clock
) -> None:
    launch(store, hour(0), hour(1))
    first = take(store, harness.lease)
    clock.advance(-3600)
    assert take(harness.open(), harness.lease).token == first.token + 1


def test_tokens_grow_from_one_that_is_known_from_elsewhere(store: Store, harness: Harness) -> None:
    launch(store, hour(0), hour(1))
    first = take(store, harness.lease).token
    assert store.raise_token(0) == first
    assert store.raise_token(first - 1) == first
    ahead = first + 10**12
    assert store.raise_token(ahead) == ahead
    assert harness.open().raise_token(0) == ahead
    assert take(harness.open(), harness.lease).token == ahead + 1


def test_raising_the_token_revokes_nothing(store: Store, harness: Harness) -> None:
    launch(store, hour(0))
    claim = take(store, harness.lease)
    store.raise_token(claim.token + 10**12)
    assert store.renew(claim, harness.lease)
    finish(store, claim)


def test_tokens_grow_when_a_unit_is_claimed_again(store: Store, harness: Harness) -> None:
    launch(store, hour(0))
    first = take(store, harness.lease)
    store.release(first)
    assert take(store, harness.lease).token > first.token


def test_another_store_on_the_same_data_sees_the_lease(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    claim = take(store, harness.lease)
    other = harness.open()
    assert other.claim("worker-2", harness.lease) is None
    finish(other, claim)
    assert store.counts(run).done == 1
