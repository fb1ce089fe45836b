"""Verbs asked for together: each for itself, whether or not they are one transaction."""

from __future__ import annotations

import threading

import pytest

from seeknal.errors import LeaseLostError
from seeknal.stores.base import Store
from seeknal.workflow.state import UnitResult
from tests.contract.building import hour, launch, take
from tests.contract.harness import Harness


def test_what_is_asked_for_together_happens_in_order(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1), hour(2))
    with store.together():
        first, second = take(store, harness.lease), take(store, harness.lease)
        assert (first.unit, second.unit) == (hour(0), hour(1))
        assert store.counts(run).running == 2
    with store.together():
        for claim in (first, second):
            store.prepare(claim)
        for claim in (first, second):
            store.complete(claim, "fp", UnitResult(3, 4, 5.0))
    counts = store.counts(run)
    assert (counts.done, counts.running, counts.rows) == (2, 0, 6)
    assert [event.kind for event in store.events(run)][-2:] == ["completed", "completed"]


def test_a_refusal_changes_nothing_and_leaves_the_others(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1), hour(2))
    claims = [take(store, harness.lease) for _ in range(3)]
    store.release(claims[1])
    with store.together():
        store.complete(claims[0], "fp", UnitResult())
        with pytest.raises(LeaseLostError):
            store.prepare(claims[1])
        with pytest.raises(LeaseLostError):
            store.complete(claims[1], "fp", UnitResult())
        store.complete(claims[2], "fp", UnitResult())
    assert store.counts(run).done == 2
    assert [record.planned.unit for record in store.records(run)] == [hour(1)]


def test_other_threads_are_no_part_of_it(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1))
    done = threading.Event()

    def other() -> None:
        claim = take(store, harness.lease)
        store.complete(claim, "fp", UnitResult())
        done.set()

    thread = threading.Thread(target=other)
    with pytest.raises(ZeroDivisionError), store.together():
        thread.start()
        done.wait(0.3)  # a store that makes the block one transaction lets it wait
        raise ZeroDivisionError
    thread.join(30)
    assert done.is_set()
    assert store.counts(run).done == 1
