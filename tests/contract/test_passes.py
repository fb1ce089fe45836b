"""A command's whole way with a flow, beside other commands, on every store."""

from __future__ import annotations

from collections import Counter
from typing import cast

import pytest

from seeknal.coordinator import Coordinator
from seeknal.engine.source import Query
from seeknal.feed import top_up
from seeknal.plan import KINDS, Data, Part, Plan, Window
from seeknal.resolve import Prepared
from seeknal.stores.base import Store
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import Completion, Counts, Origin, Restatement, Run, RunStatus
from tests.contract.building import CHANGE, DAY, START, finish

FLOW = "events"
DAILY = "@daily UTC"
DAYS = 8
NOW = float(START + DAYS * DAY)
DATA = Data((float(START), NOW - 1))
PREPARED = Prepared(
    FLOW, "UTC", Schedule.parse(DAILY), cast(Query, None), "fp", {"name": FLOW}, None, 0
)


class Hands:
    """Executes all that is ready whenever it is asked to drive; some days fail for good."""

    def __init__(self, store: Store, *failing: int) -> None:
        self.store = store
        self.failing = {START + day * DAY for day in failing}
        self.said: list[str] = []

    def drive(self, run_id: str | None, wait: float) -> None:
        if run_id is not None:
            top_up(self.store, run_id)
        while (claim := self.store.claim("hands", 60.0)) is not None:
            if claim.unit.start in self.failing:
                self.store.fail(claim, "boom", None)
            else:
                finish(self.store, claim)

    def stop(self) -> None: ...
    def progress(self, run: Run, counts: Counts) -> None: ...

    def planned(self, plan: Plan) -> None:
        self.said.append(f"planned {plan.count()}")

    def waiting(self, theirs: tuple[Part, ...], runs: tuple[Run, ...]) -> None:
        if "waiting" not in self.said:
            self.said.append("waiting")


def coordinator(store: Store, hands: Hands) -> Coordinator:
    return Coordinator(store, hands, hands, actor="ada", owner="", clock=lambda: 0.0)


def mark(store: Store, *days: int) -> None:
    done = [
        Completion(START + day * DAY, START + (day + 1) * DAY, Origin.RUN, DAILY, "fp")
        for day in days
    ]
    store.mark(FLOW, done, [], CHANGE)


def executed(store: Store) -> Counter[int]:
    """How often each day was executed, by the events of all runs."""
    units = [e.unit for run in store.runs(FLOW) for e in store.events(run.id)
             if e.kind == "completed"]  # fmt: skip
    return Counter(int(unit[6:8]) - 1 for unit in units)


@pytest.mark.parametrize("lookback", [0, 3])
def test_what_is_forced_is_done_again_once(store: Store, lookback: int) -> None:
    mark(store, *range(6))
    hands = Hands(store)
    window = Window(force="bug", lookback=lookback)
    report = coordinator(store, hands).run(PREPARED, DATA, window, NOW)
    assert report.complete
    assert executed(store) == Counter(range(DAYS))
    assert store.state(FLOW).restatements == ()
    assert [entry.action for entry in store.audit(FLOW)] == ["force", "test"]


def test_what_another_command_forces_at_the_time_is_not_forced_again(store: Store) -> None:
    mark(store, *range(DAYS))
    window = Window(force="bug")
    first = coordinator(store, Hands(store)).launch(PREPARED, DATA, window, NOW)
    assert first.run is not None
    assert top_up(store, first.run.id) == DAYS
    hands = Hands(store)
    report = coordinator(store, hands).run(PREPARED, DATA, window, NOW)
    assert hands.said == ["planned 0", "waiting"]
    assert (report.runs, report.complete) == ((), True)
    assert executed(store) == Counter(range(DAYS))


def test_lookback_is_redone_once_whatever_others_give_up(store: Store) -> None:
    mark(store, *range(4))
    other = coordinator(store, Hands(store)).launch(
        PREPARED, DATA, Window(start=START + 6 * DAY, backfill=True), NOW
    )
    assert other.run is not None

    class Giving(Hands):
        """Hands that wait for others, who then give up."""

        def waiting(self, theirs: tuple[Part, ...], runs: tuple[Run, ...]) -> None:
            for run in runs:
                store.set_status(run.id, RunStatus.CANCELLED)

    report = coordinator(store, Giving(store)).run(PREPARED, DATA, Window(lookback=2), NOW)
    assert report.complete
    assert executed(store) == Counter(range(2, DAYS)), "days 2 and 3 are looked back at, once"


def test_a_limit_ends_the_command_and_says_what_it_kept_back(store: Store) -> None:
    hands = Hands(store)
    report = coordinator(store, hands).run(PREPARED, DATA, Window(limit=3), NOW)
    assert (report.complete, report.later.count()) == (True, DAYS - 3)
    assert executed(store) == Counter(range(3))
    again = coordinator(store, Hands(store, 4)).run(PREPARED, DATA, Window(limit=3), NOW)
    assert (again.complete, again.left.count(), again.later.count()) == (False, 1, 2)
    assert [record.error for record in again.failed] == ["boom"]


@pytest.mark.parametrize("kind", ["missing", "restated"])
def test_what_fails_of_one_kind_is_left_although_it_is_of_another_then(
    store: Store, kind: str
) -> None:
    mark(store, *range(6))
    store.restate(FLOW, [Restatement(START + 2 * DAY, START + 5 * DAY, DAILY, "bug")], [], CHANGE)
    failing = 7 if kind == "missing" else 3
    window = Window(only=KINDS[kind])
    report = coordinator(store, Hands(store, failing)).run(PREPARED, DATA, window, NOW)
    assert not report.complete
    assert [record.unit.start for record in report.failed] == [START + failing * DAY]
    last = coordinator(store, Hands(store)).run(PREPARED, DATA, Window(only=KINDS["failed"]), NOW)
    assert last.complete
    assert executed(store)[failing] == 1


def test_what_fails_of_the_lookback_is_left_although_it_lies_before_the_window(
    store: Store,
) -> None:
    mark(store, *range(6))
    window = Window(start=START + 6 * DAY, lookback=2)
    report = coordinator(store, Hands(store, 5)).run(PREPARED, DATA, window, NOW)
    assert not report.complete
    assert [record.unit.start for record in report.failed] == [START + 5 * DAY]
