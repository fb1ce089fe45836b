"""Looking at a run again and again: what is seen, and at what cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seeknal.lookout import Lookout
from seeknal.stores.base import Store
from seeknal.stores.sqlite import SQLiteStore
from seeknal.view import Crew
from seeknal.workflow.state import Run, RunStatus, UnitResult
from tests.contract.building import finish, hour, launch, take
from tests.contract.harness import Clock


class Counting:
    """A store that counts what is asked of it, and how much it answers."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.calls: Counter[str] = Counter()
        self.answered = 0

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._store, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] += 1
            answer = verb(*args, **kwargs)
            self.answered += len(answer) if isinstance(answer, list) else 1
            return answer

        return call


@pytest.fixture
def clock() -> Clock:
    return Clock(1_700_000_000.0)


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[SQLiteStore]:
    opened = SQLiteStore(tmp_path / "state.db", clock=clock)
    yield opened
    opened.close()


def run_of(store: Store, name: str) -> Run:
    found = store.run(name)
    assert found is not None
    return found


def test_a_look_tells_what_became_of_the_run_so_far(store: SQLiteStore, clock: Clock) -> None:
    name = launch(store, *(hour(n) for n in range(10)))
    for seconds in (1.0, 5.0, 2.0):
        claim = take(store, 60, name)
        clock.advance(seconds)
        store.complete(claim, "fp", UnitResult(10, 100, seconds))
    store.fail(take(store, 60, name), "sensor 7 is broken", None)
    take(store, 60, name, worker="idle")
    clock.advance(2.0)
    view = Lookout(store, run_of(store, name)).look()
    assert (view.counts.done, view.counts.failed, view.counts.running) == (3, 1, 1)
    assert view.rate == pytest.approx(0.3)  # three in ten seconds
    assert view.left == pytest.approx(15)  # six left, four settled in ten seconds
    assert [event.seconds for event in view.slowest] == [5, 2, 1]
    assert [event.detail for event in view.failures] == ["sensor 7 is broken"]
    assert [(r.worker, view.at - r.since) for r in view.running] == [("idle", 2.0)]
    assert view.crew is None


def test_later_looks_add_what_happened_since(store: SQLiteStore, clock: Clock) -> None:
    name = launch(store, *(hour(n) for n in range(200)))
    lookout = Lookout(store, run_of(store, name))
    assert lookout.look().rate == 0
    for _ in range(100):
        clock.advance(1.0)
        finish(store, take(store, 60, name))
        view = lookout.look()
    assert view.rate == pytest.approx(1.0)
    assert view.left == pytest.approx(100)
    assert len(view.slowest) == 5


def test_the_end_is_seen_at_once(store: SQLiteStore) -> None:
    name = launch(store, hour(0))
    lookout = Lookout(store, run_of(store, name))
    assert lookout.look().run.status is RunStatus.ACTIVE
    finish(store, take(store, 60, name))
    assert lookout.look().run.status is RunStatus.DONE


@pytest.mark.parametrize("status", [RunStatus.PAUSED, RunStatus.CANCELLED])
def test_a_change_by_hand_is_seen_at_once(store: SQLiteStore, status: RunStatus) -> None:
    name = launch(store, hour(0), hour(1))
    lookout = Lookout(store, run_of(store, name))
    lookout.look()
    store.set_status(name, status)
    assert lookout.look().run.status is status


def test_new_orders_are_seen_after_a_while(store: SQLiteStore, clock: Clock) -> None:
    name = launch(store, hour(0), hour(1))
    lookout = Lookout(store, run_of(store, name))
    lookout.look()
    store.steer(name, {"max_active": 3})
    clock.advance(11)
    assert lookout.look().run.options["max_active"] == 3


def test_a_run_that_the_store_has_lost_counts_as_cancelled(store: SQLiteStore) -> None:
    run = run_of(store, launch(store, hour(0)))
    gone = Run("gone", run.flow, run.spec, "fp", run.planned, 1)
    assert Lookout(store, gone).look().run.status is RunStatus.CANCELLED


def test_a_look_reads_little_however_much_has_happened(store: SQLiteStore, clock: Clock) -> None:
    name = launch(store, *(hour(n) for n in range(3000)))
    for _ in range(2500):
        finish(store, take(store, 60, name))
    counting = Counting(store)
    lookout = Lookout(counting, run_of(store, name))
    lookout.look()
    assert counting.answered < 1100
    counting.answered = 0
    counting.calls.clear()
    for _ in range(10):
        clock.advance(0.5)
        lookout.look()
    assert counting.answered <= 10 * 4
    assert counting.calls["run"] == 0


def test_what_happens_faster_than_it_is_read_is_passed_over(store: SQLiteStore) -> None:
    name = launch(store, *(hour(n) for n in range(3000)))
    counting = Counting(store)
    lookout = Lookout(counting, run_of(store, name))
    lookout.look()
    for _ in range(2500):
        finish(store, take(store, 60, name))
    store.fail(take(store, 60, name), "the last one", None)
    counting.answered = 0
    assert [event.detail for event in lookout.look().failures] == ["the last one"]
    assert counting.answered < 2100
    finish(store, take(store, 60, name))
    counting.answered = 0
    lookout.look()
    assert counting.answered < 10


def test_failures_of_long_ago_are_named_without_their_time(
    store: SQLiteStore, clock: Clock
) -> None:
    name = launch(store, *(hour(n) for n in range(1200)))
    store.fail(take(store, 60, name), "the first one", None)
    for _ in range(1100):
        clock.advance(0.01)
        finish(store, take(store, 60, name))
    lookout = Lookout(store, run_of(store, name))
    view = lookout.look()
    assert [(e.detail, e.at, e.unit) for e in view.failures] == [("the first one", 0, hour(0).key)]
    assert view.rate == pytest.approx(100, rel=0.01)
    store.fail(take(store, 60, name), "another", None)
    assert [e.detail for e in lookout.look().failures] == ["another", "the first one"]


def test_the_workers_are_asked_about_seldom(store: SQLiteStore, clock: Clock) -> None:
    asked = []

    def crew() -> Crew:
        asked.append(clock.now)
        return Crew(1, 4, len(asked))

    lookout = Lookout(store, run_of(store, launch(store, hour(0))), crew)
    for _ in range(20):
        view = lookout.look()
        clock.advance(0.5)
    assert view.crew == Crew(1, 4, len(asked))
    assert len(asked) == 4
