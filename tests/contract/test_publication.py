"""Fencing a publication, and what it learns of other output within its time."""

from __future__ import annotations

import pytest

from seeknal.errors import LeaseLostError
from seeknal.stores.base import Overlap, Store
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Completion, Origin, RunStatus, UnitResult
from seeknal.workflow.units import Unit
from tests.contract.building import (
    CHANGE,
    DAILY,
    FLOW,
    completion,
    day,
    finish,
    hour,
    launch,
    restate,
    run_units,
    span,
    take,
    value,
)
from tests.contract.harness import Harness

NOTHING = Overlap((), ())


def test_nothing_overlaps_the_first_publication(store: Store, harness: Harness) -> None:
    run_units(store, hour(-1), hour(24))  # they touch the day, no more
    launch(store, day(0))
    assert store.prepare(take(store, harness.lease)) == NOTHING


def test_completions_within_the_unit_are_returned_whole_and_in_order(
    store: Store, harness: Harness
) -> None:
    run_units(store, hour(23), hour(24), fingerprint="a")
    run_units(store, hour(3))
    launch(store, day(0))
    assert store.prepare(take(store, harness.lease)).completions == (
        completion(hour(3), Origin.BACKFILL, "fp"),
        completion(hour(23), Origin.BACKFILL, "a", hour(24)),
    )


def test_a_units_own_completion_overlaps_it(store: Store, harness: Harness) -> None:
    run_units(store, hour(3))
    restate(store, hour(3))
    launch(store, hour(3))
    overlap = store.prepare(take(store, harness.lease))
    assert overlap.completions == (completion(hour(3), Origin.BACKFILL, "fp"),)


def test_a_wider_completion_overlaps_a_piece(store: Store, harness: Harness) -> None:
    run_units(store, day(0))
    restate(store, hour(3))
    launch(store, hour(3))
    overlap = store.prepare(take(store, harness.lease))
    assert overlap.completions == (completion(day(0), Origin.BACKFILL, "fp"),)


def test_a_dead_attempts_publication_is_returned_until_it_is_settled(
    store: Store, harness: Harness
) -> None:
    first = launch(store, hour(3), hour(30))
    dead = [take(store, harness.lease), take(store, harness.lease)]
    for claim in dead:
        store.prepare(claim)
    harness.expire(*dead)
    store.reap()
    store.set_status(first, RunStatus.CANCELLED)
    launch(store, day(0))
    wide = take(store, harness.lease)
    assert store.prepare(wide) == Overlap((), (hour(3),))
    store.complete(wide, "fp", UnitResult())
    restate(store, day(0))
    launch(store, day(0))
    assert store.prepare(take(store, harness.lease)).publishing == ()


def test_a_unit_does_not_overlap_its_own_dead_attempt(store: Store, harness: Harness) -> None:
    launch(store, hour(3))
    dead = take(store, harness.lease)
    store.prepare(dead)
    harness.expire(dead)
    store.reap()
    assert store.prepare(take(store, harness.lease)) == NOTHING


@pytest.mark.parametrize("end", ["release", "retry", "fail"])
def test_a_publication_that_was_given_up_is_remembered(
    store: Store, harness: Harness, end: str
) -> None:
    launch(store, hour(3))
    claim = take(store, harness.lease)
    store.prepare(claim)
    if end == "release":
        store.release(claim)
    else:
        store.fail(claim, "boom", 60.0 if end == "retry" else None)
    run = launch(store, day(0))
    assert store.prepare(take(store, harness.lease, run)).publishing == (hour(3),)


def test_a_publication_that_was_not_prepared_is_not_there(store: Store, harness: Harness) -> None:
    launch(store, hour(3))
    take(store, harness.lease)
    run = launch(store, day(0))
    assert store.prepare(take(store, harness.lease, run)) == NOTHING


def test_preparing_twice_is_preparing(store: Store, harness: Harness) -> None:
    launch(store, hour(3))
    claim = take(store, harness.lease)
    assert store.prepare(claim) == store.prepare(claim) == NOTHING
    run = launch(store, day(0))
    assert store.prepare(take(store, harness.lease, run)).publishing == (hour(3),)


def test_a_wider_dead_publication_is_settled_piece_by_piece(store: Store, harness: Harness) -> None:
    first = launch(store, day(0))
    store.prepare(take(store, harness.lease))
    store.set_status(first, RunStatus.CANCELLED)
    run = launch(store, *[hour(n) for n in range(24)])
    for _ in range(24):
        claim = take(store, harness.lease, run)
        assert store.prepare(claim).publishing == (day(0),)
        store.complete(claim, "fp", UnitResult())
    restate(store, hour(3))
    run = launch(store, hour(3))
    assert store.prepare(take(store, harness.lease, run)).publishing == ()


def test_marking_does_not_settle_a_publication(store: Store, harness: Harness) -> None:
    first = launch(store, hour(3))
    store.prepare(take(store, harness.lease))
    store.set_status(first, RunStatus.CANCELLED)
    store.mark(FLOW, [completion(hour(3))], [], CHANGE)
    run = launch(store, day(0))
    assert store.prepare(take(store, harness.lease, run)).publishing == (hour(3),)


def test_values_overlap_nothing_else(store: Store, harness: Harness) -> None:
    run_units(store, value("EU"), hour(0))
    restate(store, value("EU"))
    launch(store, value("US"), value("EU"), hour(1))
    first = take(store, harness.lease)
    assert store.prepare(first) == NOTHING
    assert store.prepare(take(store, harness.lease)) == NOTHING
    assert store.prepare(take(store, harness.lease)) == NOTHING


def test_a_cancelled_run_cannot_publish(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    claim = take(store, harness.lease)
    store.set_status(run, RunStatus.CANCELLED)
    with pytest.raises(LeaseLostError):
        store.prepare(claim)
    assert not store.renew(claim, harness.lease)
    other = launch(store, day(0))
    assert store.prepare(take(store, harness.lease, other)) == NOTHING


def test_forgetting_takes_completions_back(store: Store, harness: Harness) -> None:
    run_units(store, *[hour(n) for n in range(6)])
    restate(store, hour(2), hour(4))
    run = launch(store, Unit(FLOW, hour(1).start, hour(2).end))
    restate(store, hour(1))
    claim = take(store, harness.lease, run)
    store.forget(claim, span(hour(2), hour(3)) | span(hour(5), hour(9)))
    state = store.state(FLOW)
    assert state.completions == (
        completion(hour(0), Origin.BACKFILL, "fp", hour(1)),
        completion(hour(4), Origin.BACKFILL, "fp"),
    )
    assert state.restated == span(hour(1)) | span(hour(4))
    # The plan of the run, and what is missing again; what never was completed is not.
    assert state.unfinished == span(hour(1), hour(3)) | span(hour(5))


def test_what_was_forgotten_still_overlaps_until_it_is_completed_again(
    store: Store, harness: Harness
) -> None:
    run_units(store, day(0))
    restate(store, hour(3))
    run = launch(store, hour(3))
    claim = take(store, harness.lease, run)
    store.prepare(claim)
    before = IntervalSet([(day(0).start, hour(3).start)])
    after = IntervalSet([(hour(3).end, day(0).end)])
    store.forget(claim, before | after)
    store.complete(claim, "fp", UnitResult())

    other = launch(store, hour(5))
    claim = take(store, harness.lease, other)
    assert store.prepare(claim).completions == (
        Completion(hour(3).end, day(0).end, Origin.BACKFILL, DAILY, "fp"),
    )
    finish(store, claim)
    restate(store, hour(5))
    again = launch(store, hour(5))
    assert store.prepare(take(store, harness.lease, again)).completions == (
        completion(hour(5), Origin.BACKFILL, "fp"),
    )


def test_forgetting_nothing_changes_nothing(store: Store, harness: Harness) -> None:
    run_units(store, hour(0))
    launch(store, hour(1))
    claim = take(store, harness.lease)
    before = store.state(FLOW)
    store.forget(claim, IntervalSet())
    store.forget(claim, span(hour(5)))
    assert store.state(FLOW) == before
