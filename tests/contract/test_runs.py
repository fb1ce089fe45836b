"""Runs: registering, holding, feeding, pausing, ending."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seeknal.errors import LeaseLostError, StoreError, UsageError
from seeknal.stores.base import Store
from seeknal.workflow.state import Counts, Origin, Run, RunStatus, UnitResult, UnitStatus
from seeknal.workflow.units import PlannedRange, PlannedValue
from tests.contract.building import (
    FLOW,
    HOURLY,
    WORKER,
    fail_units,
    finish,
    hour,
    launch,
    new_run,
    planned,
    register,
    run_units,
    span,
    take,
    value,
)
from tests.contract.harness import Harness

ENDS = [RunStatus.CANCELLED, RunStatus.INTERRUPTED]


def status_of(store: Store, run: str) -> RunStatus:
    found = store.run(run)
    assert found is not None
    return found.status


def held_by(store: Store) -> list[str]:
    return [run.id for run in store.holds(FLOW).runs]


def test_a_run_comes_back_as_it_was_registered(store: Store) -> None:
    run = Run(
        "run-é",
        FLOW,
        {"name": FLOW, "tasks": [{"sql": "SELECT 'ü'"}], "lag": None},
        "fp",
        (PlannedRange(0, 7200, HOURLY, Origin.RUN), PlannedValue("EU", Origin.RESTATE)),
        3,
        {"max_attempts": 3, "backoff": 1.5, "newest_first": True, "priority": 2, "max_active": 4},
        "ada",
    )
    before = store.now()
    assert store.register(run, 0)
    found = store.run(run.id)
    assert found is not None
    assert before <= found.created <= store.now()
    assert found == Run(**{f: getattr(run, f) for f in run.__slots__} | {"created": found.created})
    assert (found.status, found.cursor) == (RunStatus.ACTIVE, "")


def test_a_caller_sets_neither_created_nor_cursor_nor_status(store: Store) -> None:
    run = new_run(hour(0))
    given = Run(
        run.id,
        run.flow,
        run.spec,
        run.fingerprint,
        run.planned,
        run.units,
        status=RunStatus.CANCELLED,
        created=5.0,
        cursor="7",
    )
    assert store.register(given, 0)
    found = store.run(run.id)
    assert found is not None
    assert (found.status, found.cursor) == (RunStatus.ACTIVE, "")
    assert found.created > 5.0


def test_unknown_runs_are_empty(store: Store) -> None:
    assert store.run("nobody") is None
    assert store.counts("nobody") == Counts(0)
    assert store.window("nobody") == 0
    assert store.records("nobody") == []
    assert store.events("nobody") == []
    assert not store.set_status("nobody", RunStatus.PAUSED)
    assert not store.feed("nobody", [planned(hour(0))], "", "end")


def test_registering_needs_the_current_version(store: Store) -> None:
    version = store.holds(FLOW).version
    register(store, new_run(hour(0)))
    before = store.state(FLOW)
    late = new_run(hour(1))
    assert not store.register(late, version)
    assert store.run(late.id) is None
    assert store.state(FLOW) == before
    assert store.register(late, store.holds(FLOW).version)


def test_a_refused_run_keeps_failed_records(store: Store) -> None:
    fail_units(store, hour(0))
    assert not store.register(new_run(hour(0)), -1)
    assert len(store.failed(FLOW)) == 1


def test_runs_of_other_flows_do_not_change_the_version(store: Store) -> None:
    version = store.holds(FLOW).version
    register(store, new_run(hour(0, "other")))
    assert store.holds(FLOW).version == version


def test_an_id_is_registered_once(store: Store) -> None:
    run = register(store, new_run(hour(0)))
    with pytest.raises(StoreError, match=run.id):
        store.register(run, store.holds(FLOW).version)


def test_a_run_of_no_units_is_done_at_once(store: Store) -> None:
    run = register(store, new_run())
    assert status_of(store, run.id) is RunStatus.DONE
    assert held_by(store) == []


def test_what_a_run_of_no_units_plans_is_unfinished(store: Store) -> None:
    run = register(store, replace(new_run(hour(0), value("EU")), units=0))
    assert status_of(store, run.id) is RunStatus.DONE
    assert store.state(FLOW).unfinished == span(hour(0))
    assert store.state(FLOW).unfinished_values == {"EU"}
    assert store.claim(WORKER, 60.0) is None


def test_runs_come_newest_first(store: Store, harness: Harness) -> None:
    ids = [launch(store, hour(0)), launch(store, hour(0, "other")), launch(store, hour(1))]
    assert [r.id for r in store.runs()] == ids[::-1]
    assert [r.id for r in store.runs(FLOW)] == [ids[2], ids[0]]
    assert [r.id for r in store.runs(limit=2)] == [ids[2], ids[1]]
    assert store.runs("nobody") == []


def test_an_active_run_holds_its_units(store: Store) -> None:
    assert held_by(store) == []
    first, second = launch(store, hour(0)), launch(store, hour(1))
    launch(store, hour(1, "other"))
    assert held_by(store) == [first, second]


@pytest.mark.parametrize("end", ENDS)
def test_an_ended_run_holds_nothing(store: Store, harness: Harness, end: RunStatus) -> None:
    run = launch(store, hour(0), hour(1))
    take(store, harness.lease)
    version = store.holds(FLOW).version
    assert store.set_status(run, end)
    assert held_by(store) == []
    assert store.holds(FLOW).version != version


def test_a_run_that_is_done_holds_nothing(store: Store, harness: Harness) -> None:
    launch(store, hour(0))
    version = store.holds(FLOW).version
    finish(store, take(store, harness.lease))
    assert held_by(store) == []
    assert store.holds(FLOW).version != version


@pytest.mark.parametrize("end", ["complete", "fail", "retry", "release", "reap"])
def test_a_paused_run_holds_what_is_under_lease(store: Store, harness: Harness, end: str) -> None:
    run = launch(store, hour(0), hour(1))
    claim = take(store, harness.lease)
    assert store.set_status(run, RunStatus.PAUSED)
    assert held_by(store) == [run]
    assert [r.unit for r in store.records(run, UnitStatus.RUNNING)] == [hour(0)]
    version = store.holds(FLOW).version
    if end == "complete":
        finish(store, claim)
    elif end == "release":
        store.release(claim)
    elif end == "reap":
        harness.expire(claim)
        store.reap()
    else:
        store.fail(claim, "boom", None if end == "fail" else 0.0)
    assert held_by(store) == []
    assert store.holds(FLOW).version != version


def test_a_paused_run_without_leases_holds_nothing(store: Store) -> None:
    run = launch(store, hour(0))
    store.set_status(run, RunStatus.PAUSED)
    assert held_by(store) == []


def test_a_lease_taken_up_again_in_a_paused_run_is_held(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    claim = take(store, harness.lease)
    store.set_status(run, RunStatus.PAUSED)
    harness.expire(claim)
    store.reap()
    version = store.holds(FLOW).version
    assert store.renew(claim, harness.lease)
    assert held_by(store) == [run]
    assert store.holds(FLOW).version != version


def test_pausing_stops_claims_and_lets_what_runs_go_on(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1))
    claim = take(store, harness.lease)
    assert store.set_status(run, RunStatus.PAUSED)
    assert store.claim(WORKER, harness.lease) is None
    assert store.claim(WORKER, harness.lease, run) is None
    assert store.claim(WORKER, harness.lease, run, hour(1)) is None
    assert not store.feed(run, [planned(hour(2))], "end", "more")
    assert store.renew(claim, harness.lease)
    finish(store, claim)
    assert store.counts(run).done == 1
    assert store.set_status(run, RunStatus.ACTIVE)
    assert take(store, harness.lease).unit == hour(1)


def test_a_paused_run_ends_with_its_last_unit(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    claim = take(store, harness.lease)
    store.set_status(run, RunStatus.PAUSED)
    finish(store, claim)
    assert status_of(store, run) is RunStatus.DONE


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("paused", [False, True])
def test_ending_a_run_revokes_its_tokens_at_once(
    store: Store, harness: Harness, end: RunStatus, paused: bool
) -> None:
    run = launch(store, hour(0), hour(1), hour(2), value("EU"))
    store.fail(take(store, harness.lease), "boom", None)
    claim = take(store, harness.lease)
    store.prepare(claim)
    if paused:
        store.set_status(run, RunStatus.PAUSED)
    assert store.set_status(run, end)
    assert status_of(store, run) is end
    assert not store.renew(claim, harness.lease)
    for refused in (
        lambda: store.prepare(claim),
        lambda: store.complete(claim, "fp", UnitResult()),
        lambda: store.fail(claim, "boom", None),
        lambda: store.fail(claim, "boom", 1.0),
        lambda: store.forget(claim, span(hour(0))),
    ):
        with pytest.raises(LeaseLostError):
            refused()
    store.release(claim)
    assert store.claim(WORKER, harness.lease) is None
    assert [r.status for r in store.records(run)] == [UnitStatus.FAILED]
    assert [r.unit for r in store.failed(FLOW)] == [hour(0)]
    counts = store.counts(run)
    assert (counts.running, counts.done, counts.failed) == (0, 0, 1)
    assert store.window(run) == 0
    assert store.state(FLOW).unfinished == span(hour(0), hour(2))
    assert store.state(FLOW).unfinished_values == {"EU"}


@pytest.mark.parametrize("end", ENDS)
def test_what_was_to_be_tried_again_when_a_run_ends_has_failed(
    store: Store, harness: Harness, end: RunStatus
) -> None:
    run = launch(store, *(hour(n) for n in range(4)), value("EU"))
    for unit, wait in ((hour(0), 60.0), (hour(1), 0.0), (value("EU"), 60.0), (hour(2), None)):
        store.fail(take(store, harness.lease, run, unit), f"boom {unit.key}", wait)
    again = take(store, harness.lease, run, hour(1))
    assert store.set_status(run, end)
    failed = store.failed(FLOW)
    assert {(r.unit, r.error, r.attempts, r.status) for r in failed} == {
        (unit, f"boom {unit.key}", 1, UnitStatus.FAILED)
        for unit in (hour(0), hour(1), hour(2), value("EU"))
    }
    assert store.state(FLOW).failed == span(hour(0), hour(2))
    counts = store.counts(run)
    assert (counts.done, counts.failed, counts.running) == (0, 4, 0)
    assert (len(store.records(run)), store.window(run)) == (4, 0)
    with pytest.raises(LeaseLostError):
        store.complete(again, "fp", UnitResult())
    run_units(store, hour(0), hour(1), hour(2), value("EU"))
    assert store.failed(FLOW) == []


def test_only_open_runs_change(store: Store) -> None:
    run = launch(store, hour(0))
    assert not store.set_status(run, RunStatus.ACTIVE)
    assert store.set_status(run, RunStatus.PAUSED)
    assert not store.set_status(run, RunStatus.PAUSED)
    assert store.set_status(run, RunStatus.CANCELLED)
    for status in (RunStatus.ACTIVE, RunStatus.PAUSED, *ENDS):
        assert not store.set_status(run, status)
    done = run_units(store, hour(1))
    assert not store.set_status(done, RunStatus.CANCELLED)


@pytest.mark.parametrize("status", [RunStatus.DONE, RunStatus.FAILED])
def test_no_run_is_done_by_hand(store: Store, status: RunStatus) -> None:
    run = launch(store, hour(0))
    with pytest.raises(UsageError):
        store.set_status(run, status)


def test_feeding_moves_the_cursor(store: Store) -> None:
    run = register(store, new_run(hour(0), hour(1), hour(2)))
    assert store.feed(run.id, [planned(hour(0))], "", "1")
    assert not store.feed(run.id, [planned(hour(0)), planned(hour(1))], "", "2")
    assert store.window(run.id) == 1
    assert store.feed(run.id, [planned(hour(1)), planned(hour(2))], "1", "3")
    assert [r.unit for r in store.records(run.id)] == [hour(0), hour(1), hour(2)]
    found = store.run(run.id)
    assert found is not None
    assert found.cursor == "3"


def test_feeding_nothing_moves_the_cursor(store: Store) -> None:
    run = register(store, new_run(hour(0)))
    assert store.feed(run.id, [], "", "end")
    assert store.window(run.id) == 0
    assert not store.feed(run.id, [], "", "end")


@pytest.mark.parametrize("end", ENDS)
def test_an_ended_run_is_not_fed(store: Store, end: RunStatus) -> None:
    run = register(store, new_run(hour(0)))
    store.set_status(run.id, end)
    assert not store.feed(run.id, [planned(hour(0))], "", "end")
    assert store.records(run.id) == []


def test_a_unit_fed_twice_is_one(store: Store, harness: Harness) -> None:
    run = register(store, new_run(hour(0), hour(1)))
    store.feed(run.id, [planned(hour(0))], "", "1")
    claim = take(store, harness.lease)
    store.feed(run.id, [planned(hour(0)), planned(hour(1))], "1", "end")
    assert store.window(run.id) == 2
    finish(store, claim)
    finish(store, take(store, harness.lease))
    assert status_of(store, run.id) is RunStatus.DONE


@pytest.mark.parametrize("fails", [0, 1, 2])
def test_a_run_ends_with_its_last_unit(store: Store, harness: Harness, fails: int) -> None:
    run = launch(store, hour(0), value("EU"))
    for number in range(2):
        assert status_of(store, run) is RunStatus.ACTIVE
        claim = take(store, harness.lease)
        if number < fails:
            store.fail(claim, "boom", None)
        else:
            finish(store, claim)
    assert status_of(store, run) is (RunStatus.FAILED if fails else RunStatus.DONE)


def test_a_run_does_not_end_before_it_is_fed_to_its_end(store: Store, harness: Harness) -> None:
    run = register(store, new_run(hour(0), hour(1)))
    store.feed(run.id, [planned(hour(0))], "", "1")
    finish(store, take(store, harness.lease))
    assert status_of(store, run.id) is RunStatus.ACTIVE


def test_a_retry_does_not_end_a_run(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0))
    store.fail(take(store, harness.lease), "boom", 0.0)
    assert status_of(store, run) is RunStatus.ACTIVE
    finish(store, take(store, harness.lease))
    assert status_of(store, run) is RunStatus.DONE


def test_a_resumed_run_does_not_do_again_what_others_did(store: Store, harness: Harness) -> None:
    paused = launch(store, hour(0), hour(1))
    store.set_status(paused, RunStatus.PAUSED)
    run_units(store, hour(0))
    store.set_status(paused, RunStatus.ACTIVE)
    assert take(store, harness.lease).unit == hour(1)
    assert store.counts(paused).done == 1
