"""What completing a unit does to a flow's state."""

from __future__ import annotations

import pytest

from seeknal.stores.base import Store
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import (
    CompletedValue,
    Completion,
    FlowState,
    Origin,
    UnitResult,
)
from seeknal.workflow.units import PlannedUnit, Unit
from tests.contract.building import (
    CHANGE,
    DAILY,
    FLOW,
    HOURLY,
    completion,
    day,
    fail_units,
    finish,
    hour,
    launch,
    new_run,
    register,
    restate,
    run_units,
    span,
    take,
    value,
)
from tests.contract.harness import Harness


def test_an_unknown_flow_has_empty_state(store: Store) -> None:
    assert store.state("nobody") == FlowState()
    assert store.failed("nobody") == []
    assert store.flows() == []


def test_flows_with_state_are_listed_in_order(store: Store) -> None:
    run_units(store, hour(0, "b"))
    register(store, new_run(hour(0, "a")))
    store.mark("c", [completion(hour(0))], [], CHANGE)
    assert store.flows() == ["a", "b", "c"]


def test_a_completion_keeps_its_provenance(store: Store) -> None:
    run_units(store, hour(0), origin=Origin.RUN, fingerprint="abc")
    assert store.state(FLOW).completions == (
        Completion(hour(0).start, hour(0).end, Origin.RUN, HOURLY, "abc"),
    )


def test_a_value_keeps_its_provenance(store: Store) -> None:
    run_units(store, value("US"), value("EU"), fingerprint="abc")
    assert store.state(FLOW).values == (
        CompletedValue("EU", Origin.BACKFILL, "abc"),
        CompletedValue("US", Origin.BACKFILL, "abc"),
    )


@pytest.mark.parametrize("text", ["", "=", "a b", "Ünïcode", "x'y\"z", "/etc", "%2F", "\n"])
def test_values_are_any_text(store: Store, harness: Harness, text: str) -> None:
    launch(store, value(text))
    claim = take(store, harness.lease)
    assert claim.unit == value(text)
    assert store.prepare(claim).publishing == ()
    store.fail(claim, "boom", None)
    assert [r.unit for r in store.failed(FLOW)] == [value(text)]
    run_units(store, value(text))
    assert [v.value for v in store.state(FLOW).values] == [text]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (0, 2, 1), (1, 0, 2)])
def test_touching_completions_of_one_provenance_are_one(
    store: Store, order: tuple[int, ...]
) -> None:
    for number in order:
        run_units(store, hour(number))
    assert [(c.start, c.end) for c in store.state(FLOW).completions] == [
        (hour(0).start, hour(2).end)
    ]


def test_completions_that_do_not_touch_stay_apart(store: Store) -> None:
    run_units(store, hour(0), hour(2))
    assert len(store.state(FLOW).completions) == 2
    assert store.state(FLOW).completed == span(hour(0)) | span(hour(2))


@pytest.mark.parametrize("what", ["origin", "fingerprint", "schedule"])
def test_touching_completions_that_differ_stay_apart(
    store: Store, harness: Harness, what: str
) -> None:
    run_units(store, hour(0))
    run = register(store, new_run(hour(1)))
    schedule = DAILY if what == "schedule" else HOURLY
    origin = Origin.RUN if what == "origin" else Origin.BACKFILL
    store.feed(run.id, [PlannedUnit(hour(1), origin, schedule)], "", "end")
    finish(store, take(store, harness.lease), "other" if what == "fingerprint" else "fp")
    assert [(c.start, c.end) for c in store.state(FLOW).completions] == [
        (hour(0).start, hour(0).end),
        (hour(1).start, hour(1).end),
    ]


def test_a_new_completion_replaces_older_provenance_and_splits_it(store: Store) -> None:
    run_units(store, *[hour(n) for n in range(5)])
    restate(store, hour(2))
    run_units(store, hour(2), origin=Origin.RESTATE)
    assert store.state(FLOW).completions == (
        completion(hour(0), Origin.BACKFILL, "fp", hour(1)),
        completion(hour(2), Origin.RESTATE, "fp"),
        completion(hour(3), Origin.BACKFILL, "fp", hour(4)),
    )


def test_a_wider_completion_replaces_the_pieces_within(store: Store) -> None:
    run_units(store, hour(-1), hour(3), hour(5), hour(23), hour(24))
    run_units(store, day(0))
    assert store.state(FLOW).completions == (
        completion(hour(-1), Origin.BACKFILL, "fp"),
        completion(day(0), Origin.BACKFILL, "fp"),
        completion(hour(24), Origin.BACKFILL, "fp"),
    )


def test_a_completion_done_again_alike_merges_again(store: Store) -> None:
    run_units(store, hour(0), hour(1), hour(2))
    restate(store, hour(1))
    run_units(store, hour(1))
    assert len(store.state(FLOW).completions) == 1


def test_a_value_done_again_replaces_its_provenance(store: Store) -> None:
    run_units(store, value("EU"))
    restate(store, value("EU"))
    run_units(store, value("EU"), origin=Origin.RESTATE, fingerprint="new")
    assert store.state(FLOW).values == (CompletedValue("EU", Origin.RESTATE, "new"),)


def test_the_latest_end_is_of_runs_alone(store: Store) -> None:
    run_units(store, hour(0))
    store.mark(FLOW, [completion(hour(5))], [], CHANGE)
    assert store.state(FLOW).latest_end == hour(0).end


def test_plans_join_what_is_unfinished_and_completing_settles_it(
    store: Store, harness: Harness
) -> None:
    launch(store, hour(0), hour(1), hour(3), value("EU"))
    state = store.state(FLOW)
    assert state.unfinished == span(hour(0), hour(1)) | span(hour(3))
    assert state.unfinished_values == {"EU"}
    for _ in range(3):
        finish(store, take(store, harness.lease))
    assert store.state(FLOW).unfinished == IntervalSet()
    assert store.state(FLOW).unfinished_values == {"EU"}
    finish(store, take(store, harness.lease))
    assert store.state(FLOW).unfinished_values == frozenset()


def test_what_failed_stays_unfinished(store: Store) -> None:
    fail_units(store, hour(0), value("EU"))
    assert store.state(FLOW).unfinished == span(hour(0))
    assert store.state(FLOW).unfinished_values == {"EU"}


def test_completing_settles_restatements_within_its_time_alone(store: Store) -> None:
    run_units(store, hour(0), hour(1), value("EU"), value("US"))
    restate(store, hour(0), hour(1), value("EU"), value("US"))
    run_units(store, hour(0), value("EU"))
    state = store.state(FLOW)
    assert state.restated == span(hour(1))
    assert dict(state.restated_values) == {"US": "late data"}


def test_failed_units_come_in_order_with_error_and_attempts(store: Store) -> None:
    fail_units(store, value("EU"), error="no EU")
    fail_units(store, hour(5))
    fail_units(store, hour(1), error="no such file")
    found = [(r.unit, r.error, r.attempts) for r in store.failed(FLOW)]
    assert found == [
        (value("EU"), "no EU", 1),
        (hour(1), "no such file", 1),
        (hour(5), "boom", 1),
    ]


@pytest.mark.parametrize("failed", [hour(3), value("EU")])
def test_a_failed_unit_stays_until_a_later_run_plans_it(store: Store, failed: Unit) -> None:
    run = fail_units(store, failed)
    register(store, new_run(hour(4), value("US")))
    assert [r.unit for r in store.failed(FLOW)] == [failed]
    register(store, new_run(failed))
    assert store.failed(FLOW) == []
    assert store.counts(run).failed == 1


@pytest.mark.parametrize("planned", [[day(0)], [hour(n) for n in range(24)]])
def test_a_plan_drops_failed_units_of_another_shape_that_it_covers(
    store: Store, planned: list[Unit]
) -> None:
    fail_units(store, day(0))
    fail_units(store, hour(3))
    fail_units(store, day(1))
    register(store, new_run(*planned))
    assert [r.unit for r in store.failed(FLOW)] == [day(1)]


def test_a_plan_keeps_failed_units_that_reach_beyond_it(store: Store) -> None:
    fail_units(store, day(0))
    register(store, new_run(hour(3)))
    assert [r.unit for r in store.failed(FLOW)] == [day(0)]


def test_completing_settles_failed_units_within_its_time(store: Store, harness: Harness) -> None:
    wide = launch(store, day(0), value("EU"))
    fail_units(store, hour(3), hour(30), value("EU"))
    finish(store, take(store, harness.lease, wide, day(0)))
    assert [r.unit for r in store.failed(FLOW)] == [value("EU"), hour(30)]
    finish(store, take(store, harness.lease, wide, value("EU")))
    assert [r.unit for r in store.failed(FLOW)] == [hour(30)]


def test_a_failed_unit_is_settled_once_all_its_time_is_done(store: Store, harness: Harness) -> None:
    hours = [hour(n) for n in range(24)]
    run = launch(store, *hours)
    fail_units(store, day(0))
    for unit in hours:
        assert [r.unit for r in store.failed(FLOW)] == [day(0)]
        finish(store, take(store, harness.lease, run, unit))
    assert store.failed(FLOW) == []


def test_a_failed_unit_is_not_settled_by_a_piece_while_the_rest_is_restated(
    store: Store, harness: Harness
) -> None:
    run_units(store, day(0))
    restate(store, day(0))
    pieces = launch(store, hour(3))
    fail_units(store, day(0))
    finish(store, take(store, harness.lease, pieces))
    assert [r.unit for r in store.failed(FLOW)] == [day(0)]


def test_a_unit_that_fails_in_two_runs_is_listed_once(store: Store, harness: Harness) -> None:
    first, second = launch(store, hour(0)), launch(store, hour(0))
    store.fail(take(store, harness.lease, first), "first", None)
    store.fail(take(store, harness.lease, second), "second", None)
    assert [(r.run, r.error) for r in store.failed(FLOW)] == [(second, "second")]
    assert store.counts(first).failed == 1


def test_flows_do_not_meet(store: Store) -> None:
    run_units(store, hour(0), value("EU"))
    fail_units(store, hour(1), value("US"))
    restate(store, hour(0), value("EU"))
    before = store.state(FLOW), store.failed(FLOW), store.holds(FLOW).version
    run_units(store, hour(0, "other"), hour(1, "other"), value("EU", "other"))
    fail_units(store, hour(2, "other"))
    store.mark("other", [completion(hour(0), last=hour(9))], [], CHANGE)
    assert (store.state(FLOW), store.failed(FLOW), store.holds(FLOW).version) == before


def test_completing_adds_up_what_was_made(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1))
    for number in (1, 2):
        claim = take(store, harness.lease)
        store.prepare(claim)
        store.complete(claim, "fp", UnitResult(number, 10 * number, 0.25))
    counts = store.counts(run)
    assert (counts.rows, counts.bytes, counts.busy) == (3, 30, 0.5)
