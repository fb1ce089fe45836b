"""Real workers and several runs: who is served, however many messages wait in the queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from seeknal.feed import WINDOW
from seeknal.workflow.state import Run, RunStatus
from seeknal.workflow.units import PlannedRange
from tests.contract.building import HOUR, START, hour
from tests.fleet import Fleet, fleet
from tests.waiting import wait_until

SLOTS = 4
# Takes its time without work, so that several fit on one processor.
SQL = (
    "SELECT id, event_time FROM events WHERE event_time >= '__START__' "
    "AND event_time < '__END__' AND sleep_ms(wait_ms) IS NULL"
)


@pytest.fixture
def ships(tmp_path: Path) -> Iterator[Fleet]:
    """A worker that knows two flows, and has run a unit of each."""
    with fleet(tmp_path, lease=10.0) as made:
        yield made


def sail(ships: Fleet, wait_ms: int) -> dict[str, Run]:
    """Start a worker, have it run a unit of each of two flows, and return these runs."""
    with ships.box.data() as connection:
        connection.execute(
            "CREATE TABLE events AS SELECT i AS id, TIMESTAMP '2024-01-01' + i * INTERVAL 1 HOUR "
            "AS event_time, ? AS wait_ms FROM range(6000) t(i)",
            [wait_ms],
        )
    for flow in ("old", "young"):
        ships.box.declare(flow, schedule="0 * * * *", sql=SQL, output={"kind": "none"})
    ships.worker(SLOTS)
    one = ("--backfill", "--detach", "--end-date", "2024-01-01T01:00")
    ships.seeknal("run", "--flow", "old", "--flow", "young", *one)
    runs = {run.flow: run for run in ships.store.runs()}
    for run in runs.values():
        assert ships.ends(run.id) is RunStatus.DONE
    return runs


def launch(ships: Fleet, like: Run, units: int, **options: object) -> str:
    """Launch a run of so many units after the first one, with options of its own."""
    start = START + HOUR
    (part,) = like.planned
    assert isinstance(part, PlannedRange)
    run = replace(
        like,
        id=f"{like.flow}-of-{units}",
        planned=(replace(part, start=start, end=start + units * HOUR),),
        units=units,
        options={**like.options, **options},
        status=RunStatus.ACTIVE,
    )
    assert ships.store.register(run, ships.store.holds(run.flow).version)
    return run.id


def fills(ships: Fleet, run: str) -> None:
    """Wait until a run has all slots, and the queue is full of it."""
    wait_until("the queue is full", lambda: ships.queued() >= WINDOW - 2 * SLOTS, 30.0)
    reaches(ships, run, SLOTS)


def reaches(ships: Fleet, run: str, running: int, timeout: float = 60.0) -> None:
    def look() -> bool:
        return ships.store.counts(run).running == running

    wait_until(f"{running} of {run} run", look, timeout)


def sampled(ships: Fleet, what: Callable[[], int], times: int, *runs: str) -> list[int]:
    """Return what was seen again and again until so many more units of runs were done."""
    seen: list[int] = []

    def done() -> int:
        return sum(ships.store.counts(run).done for run in runs)

    def look() -> bool:
        seen.append(what())
        return done() >= until

    until = done() + times
    wait_until(f"{times} units are done", look, 90.0, 0.02)
    return seen


def shares(ships: Fleet, times: int, *runs: str) -> list[float]:
    """Return how many units of each run ran on average, while so many units ended."""
    seen: list[list[int]] = []

    def look() -> int:
        seen.append([ships.store.counts(run).running for run in runs])
        return len(seen)

    sampled(ships, look, times, *runs)
    return [sum(column) / len(seen) for column in zip(*seen, strict=True)]


def test_a_second_run_gets_half_of_the_slots_at_once_and_a_higher_one_all(ships: Fleet) -> None:
    like = sail(ships, 250)
    old = launch(ships, like["old"], 5000)
    fills(ships, old)
    before = ships.store.counts(old).done
    young = launch(ships, like["young"], 2000)
    reaches(ships, young, SLOTS // 2)
    # The units that ran, and a few more: a thousand messages were not waited for.
    assert ships.store.counts(old).done - before <= 10 * SLOTS
    old_share, young_share = shares(ships, 40, old, young)
    assert 0.6 <= old_share / young_share <= 1.7
    assert ships.queued() <= 1.1 * WINDOW
    ships.store.steer(young, {"priority": 1})
    reaches(ships, young, SLOTS)
    before = ships.store.counts(old).done
    old_share, young_share = shares(ships, 40, old, young)
    assert old_share < 0.3 < young_share
    assert ships.store.counts(old).done - before <= SLOTS
    ships.store.set_status(young, RunStatus.CANCELLED)
    reaches(ships, old, SLOTS)


def test_a_run_of_higher_priority_is_done_before_others_go_on(ships: Fleet) -> None:
    like = sail(ships, 100)
    old = launch(ships, like["old"], 5000)
    fills(ships, old)
    young = launch(ships, like["young"], 60, priority=3)
    sampled(ships, ships.queued, 4, young)
    before = ships.store.counts(old).done
    queued = sampled(ships, ships.queued, 50, young)
    assert ships.store.counts(old).done - before <= SLOTS
    assert WINDOW - 2 * SLOTS <= min(queued) <= max(queued) <= 1.1 * WINDOW
    assert ships.ends(young) is RunStatus.DONE
    completed = [event.unit for event in ships.events(young, "completed")]
    assert len(completed) == len(set(completed)) == 60
    reaches(ships, old, SLOTS)


def test_a_cap_and_an_order_count_while_a_run_goes_on(ships: Fleet) -> None:
    like = sail(ships, 200)
    run = launch(ships, like["old"], 5000)
    fills(ships, run)
    assert ships.store.steer(run, {"max_active": 1})
    reaches(ships, run, 1)
    assert max(sampled(ships, lambda: ships.store.counts(run).running, 10, run)) == 1
    assert ships.store.steer(run, {"newest_first": True, "max_active": None})
    (last, *_) = ships.store.recent(run, 1)
    reaches(ships, run, SLOTS)
    sampled(ships, ships.queued, 30, run)
    ended = [e.unit for e in ships.store.events(run, last.id) if e.kind == "completed"]
    newest = {hour(number).key for number in range(4900, 5001)}
    # The first of them was claimed before.
    assert newest.issuperset(ended[1:])
    assert len(ended) >= 20


def test_a_cancelled_run_leaves_the_queue_at_once(ships: Fleet) -> None:
    like = sail(ships, 100)
    run = launch(ships, like["old"], 5000)
    fills(ships, run)
    assert ships.store.set_status(run, RunStatus.CANCELLED)
    wait_until("the queue is empty", lambda: ships.queued() == 0)
    young = launch(ships, like["young"], 8)
    assert ships.ends(young) is RunStatus.DONE
    # It took one message, or one for each slot, to know of the others.
    refused = sum(ships.workers[0].text().count(word) for word in ("out of date", "not claimed"))
    assert 1 <= refused <= 10 * SLOTS
