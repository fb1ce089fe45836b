"""Marking, restating, withdrawing, and the audit of it."""

from __future__ import annotations

import pytest

from seeknal.stores.base import Change, Store
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import CompletedValue, Origin, Restatement, UnitResult
from tests.contract.building import (
    CHANGE,
    DAILY,
    FLOW,
    HOURLY,
    WORKER,
    completion,
    day,
    fail_units,
    hour,
    launch,
    restate,
    restatement,
    run_units,
    span,
    take,
    value,
)
from tests.contract.harness import Harness


def marked(name: str) -> CompletedValue:
    return CompletedValue(name, Origin.MANUAL, "")


def test_marking_completes_what_is_missing(store: Store) -> None:
    store.mark(FLOW, [completion(hour(0), last=hour(2))], [marked("EU")], CHANGE)
    state = store.state(FLOW)
    assert state.completions == (completion(hour(0), last=hour(2)),)
    assert state.values == (marked("EU"),)
    assert state.latest_end is None


def test_marking_keeps_the_provenance_of_what_is_completed(store: Store) -> None:
    run_units(store, hour(1), value("EU"))
    store.mark(FLOW, [completion(hour(0), last=hour(2))], [marked("EU"), marked("US")], CHANGE)
    state = store.state(FLOW)
    assert state.completions == (
        completion(hour(0)),
        completion(hour(1), Origin.BACKFILL, "fp"),
        completion(hour(2)),
    )
    assert state.values == (CompletedValue("EU", Origin.BACKFILL, "fp"), marked("US"))


def test_marks_that_touch_are_one(store: Store) -> None:
    for number in (0, 2, 1):
        store.mark(FLOW, [completion(hour(number))], [], CHANGE)
    assert store.state(FLOW).completions == (completion(hour(0), last=hour(2)),)


def test_of_marks_that_overlap_the_first_counts(store: Store) -> None:
    first = completion(hour(0), Origin.RUN, "a", hour(1))
    store.mark(FLOW, [first, completion(hour(1), Origin.RUN, "b", hour(2))], [], CHANGE)
    assert store.state(FLOW).completions == (first, completion(hour(2), Origin.RUN, "b"))


def test_marking_settles_restatements_plans_and_failures(store: Store) -> None:
    run_units(store, hour(0), value("EU"))
    restate(store, hour(0), value("EU"))
    fail_units(store, hour(1), hour(5), value("US"))
    store.mark(FLOW, [completion(hour(0), last=hour(1))], [marked("EU"), marked("US")], CHANGE)
    state = store.state(FLOW)
    assert state.restatements == ()
    assert dict(state.restated_values) == {}
    assert state.unfinished == span(hour(5))
    assert state.unfinished_values == frozenset()
    assert [r.unit for r in store.failed(FLOW)] == [hour(5)]


def test_marking_piece_by_piece_settles_a_wider_failure(store: Store) -> None:
    fail_units(store, day(0))
    for number in range(0, 24, 6):
        assert len(store.failed(FLOW)) == 1
        store.mark(FLOW, [completion(hour(number), last=hour(number + 5))], [], CHANGE)
    assert store.failed(FLOW) == []


def test_a_marked_unit_of_a_run_counts_as_done(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), value("EU"))
    store.mark(FLOW, [completion(hour(0))], [marked("EU")], CHANGE)
    assert store.claim(WORKER, harness.lease) is None
    assert store.counts(run).done == 2


def test_a_unit_that_runs_while_it_is_marked_completes_as_its_run_says(
    store: Store, harness: Harness
) -> None:
    run = launch(store, hour(0))
    claim = take(store, harness.lease, run)
    store.mark(FLOW, [completion(hour(0))], [], CHANGE)
    store.prepare(claim)
    store.complete(claim, "fp", UnitResult())
    assert store.state(FLOW).completions == (completion(hour(0), Origin.BACKFILL, "fp"),)


def test_restating_keeps_the_completion(store: Store) -> None:
    run_units(store, hour(0), hour(1), value("EU"))
    before = store.state(FLOW)
    restate(store, hour(1), value("EU"), reason="late data")
    state = store.state(FLOW)
    assert state.restatements == (Restatement(hour(1).start, hour(1).end, HOURLY, "late data"),)
    assert dict(state.restated_values) == {"EU": "late data"}
    assert (state.completions, state.values) == (before.completions, before.values)
    assert state.unfinished == IntervalSet()


def test_what_is_not_completed_is_not_restated(store: Store) -> None:
    run_units(store, hour(1), hour(3), value("EU"))
    store.restate(FLOW, [restatement(hour(0), last=hour(4))], ["EU", "US"], CHANGE)
    state = store.state(FLOW)
    assert state.restated == span(hour(1)) | span(hour(3))
    assert set(state.restated_values) == {"EU"}


def test_restating_over_completions_of_two_provenances_is_one_restatement(store: Store) -> None:
    run_units(store, hour(0), fingerprint="a")
    run_units(store, hour(1), fingerprint="b")
    store.restate(FLOW, [restatement(hour(0), last=hour(1))], [], CHANGE)
    assert store.state(FLOW).restatements == (restatement(hour(0), last=hour(1)),)


def test_restatements_that_touch_are_one_if_schedule_and_reason_are_equal(store: Store) -> None:
    run_units(store, *[hour(n) for n in range(4)])
    for unit, reason in [(hour(0), "x"), (hour(1), "x"), (hour(2), "y")]:
        restate(store, unit, reason=reason)
    daily = Restatement(hour(3).start, hour(3).end, DAILY, "y")
    store.restate(FLOW, [daily], [], CHANGE)
    assert store.state(FLOW).restatements == (
        restatement(hour(0), "x", hour(1)),
        restatement(hour(2), "y"),
        daily,
    )


def test_a_later_restatement_replaces_the_reason(store: Store) -> None:
    run_units(store, *[hour(n) for n in range(3)], value("EU"))
    store.restate(FLOW, [restatement(hour(0), "first", hour(2))], [], CHANGE)
    restate(store, value("EU"), reason="first")
    restate(store, hour(1), value("EU"), reason="second")
    state = store.state(FLOW)
    assert [r.reason for r in state.restatements] == ["first", "second", "first"]
    assert dict(state.restated_values) == {"EU": "second"}


def test_withdrawing_cuts_restatements_at_the_edges(store: Store) -> None:
    run_units(store, *[hour(n) for n in range(4)], value("EU"), value("US"))
    store.restate(FLOW, [restatement(hour(0), last=hour(3))], ["EU", "US"], CHANGE)
    store.clear_restatements(FLOW, span(hour(1)) | span(hour(3), hour(9)), ["EU"], CHANGE)
    state = store.state(FLOW)
    assert state.restatements == (restatement(hour(0)), restatement(hour(2)))
    assert set(state.restated_values) == {"US"}
    assert state.completed == span(hour(0), hour(3))


@pytest.mark.parametrize("verb", ["mark", "restate", "clear_restatements"])
def test_changes_by_hand_are_audited(store: Store, harness: Harness, verb: str) -> None:
    before = store.now()
    change = Change("ada", verb, "2024-01-01", "late data")
    if verb == "clear_restatements":
        store.clear_restatements(FLOW, IntervalSet(), [], change)
    elif verb == "mark":
        store.mark(FLOW, [], [], change)
    else:
        store.restate(FLOW, [], [], change)
    (entry,) = store.audit()
    assert (entry.actor, entry.action, entry.flow, entry.what, entry.reason) == (
        "ada",
        verb,
        FLOW,
        "2024-01-01",
        "late data",
    )
    assert before <= entry.at <= store.now()


def test_the_audit_is_newest_first_by_flow_and_limited(store: Store) -> None:
    for number in range(4):
        flow = "other" if number == 2 else FLOW
        store.mark(flow, [], [], Change("ada", "mark", str(number)))
    assert [e.what for e in store.audit()] == ["3", "2", "1", "0"]
    assert [e.what for e in store.audit(FLOW)] == ["3", "1", "0"]
    assert [e.what for e in store.audit(limit=2)] == ["3", "2"]
    assert [e.what for e in store.audit(FLOW, limit=2)] == ["3", "1"]
    assert store.audit("nobody") == []
