"""When a run pauses itself: on every store, by the same judgement."""

from __future__ import annotations

from seeknal.failing import allowing, pause_if_hopeless, why_paused
from seeknal.stores.base import Store
from seeknal.workflow.state import RunStatus
from tests.contract.building import finish, hour, launch, take

LEASE = 60.0


def fail(store: Store, run: str, number: int, error: str = "boom") -> bool:
    """Let a unit fail for good, and judge."""
    store.fail(take(store, LEASE, run, hour(number)), error, None)
    return pause_if_hopeless(store, run, options(store, run))


def options(store: Store, run: str) -> dict[str, object]:
    found = store.run(run)
    assert found is not None
    return dict(found.options)


def why(store: Store, run: str) -> str:
    found = store.run(run)
    assert found is not None
    return why_paused(store, found)


def test_a_run_is_paused_when_so_many_units_have_failed(store: Store) -> None:
    run = launch(store, *(hour(n) for n in range(9)), stop_after=2)
    finish(store, take(store, LEASE, run, hour(0)))
    assert [fail(store, run, number) for number in (1, 2)] == [False, True]
    assert why(store, run) == "2 of its units failed, and it was to stop after 2."
    assert not pause_if_hopeless(store, run, options(store, run)), "it is paused already"


def test_a_resumed_run_is_given_as_many_failures_again(store: Store) -> None:
    run = launch(store, *(hour(n) for n in range(9)), stop_after=2)
    finish(store, take(store, LEASE, run, hour(0)))
    assert [fail(store, run, number) for number in (1, 2)] == [False, True]
    assert store.set_status(run, RunStatus.ACTIVE)
    assert why(store, run) == ""
    assert [fail(store, run, number) for number in (3, 4)] == [False, True]
    assert why(store, run) == "2 of its units failed, and it was to stop after 2."


def test_attempts_that_are_tried_again_do_not_count(store: Store) -> None:
    run = launch(store, *(hour(n) for n in range(3)), stop_after=1, pause_after=0)
    store.fail(take(store, LEASE, run, hour(0)), "boom", 60.0)
    assert not pause_if_hopeless(store, run, options(store, run))


def test_a_run_whose_first_units_fail_alike_is_paused_and_says_so(store: Store) -> None:
    run = launch(store, *(hour(n) for n in range(9)))
    assert [fail(store, run, n, f"no row {n}") for n in range(5)] == [False] * 4 + [True]
    assert why(store, run) == "all of its first units failed the same way: no row 0"
    store.set_status(run, RunStatus.INTERRUPTED)
    assert why(store, run).startswith("all of its first units"), "its command is gone by now"


def test_units_that_had_failed_before_are_no_evidence_against_others(store: Store) -> None:
    patient = allowing({"max_attempts": 1}, 3, 20)
    run = launch(store, *(hour(n) for n in range(20)), **patient)
    assert [fail(store, run, n) for n in range(8)] == [False] * 7 + [True]
    assert why(store, run) == "all of its first units failed the same way: boom"
    assert allowing(patient, 0, 20) == allowing(patient, 20, 20) == {"max_attempts": 1}


def test_what_was_under_way_when_a_run_paused_itself_is_not_held_against_that(
    store: Store,
) -> None:
    run = launch(store, *(hour(n) for n in range(9)))
    under_way = take(store, LEASE, run, hour(8))
    assert [fail(store, run, n) for n in range(5)] == [False] * 4 + [True]
    finish(store, under_way)
    assert why(store, run) == "all of its first units failed the same way: boom"
    assert store.set_status(run, RunStatus.ACTIVE)
    assert [fail(store, run, n) for n in (5, 6, 7)] == [False] * 3
    store.set_status(run, RunStatus.PAUSED)
    assert why(store, run) == "", "somebody paused it: one was done by then"


def test_a_run_that_somebody_paused_did_not_pause_itself(store: Store) -> None:
    run = launch(store, *(hour(n) for n in range(3)), stop_after=2)
    assert not fail(store, run, 0)
    store.set_status(run, RunStatus.PAUSED)
    assert why(store, run) == ""
