"""Many workers take messages in any order, and some vanish: all goes on, in turn, to its end.

The scripts and the dispatcher are the real ones; the queue, the workers and the clock are not.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from seeknal.errors import LeaseLostError
from seeknal.executors import dispatch
from seeknal.executors.dispatch import Dispatcher
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_fleet import Due
from seeknal.stores.redis_values import MICRO
from seeknal.workflow.state import Claim, Run, RunStatus, UnitStatus
from tests.contract.building import finish, hour, new_run, register
from tests.contract.redis_harness import FakeHarness

LEASE = 30.0
WINDOW = 12
WORKERS = 5
AT_ONCE = 8  # messages of a higher priority that go ahead at once
PRIORITIES = 3


class Queue:
    """A broker: what is taken next is at the end."""

    def __init__(self) -> None:
        self.messages: list[tuple[Due, float]] = []

    def waiting(self) -> int:
        return len(self.messages)

    def oldest(self) -> float | None:
        return self.messages[-1][1] if self.messages else None

    def publish_units(
        self, project: str, units: Sequence[tuple[Due, str]], sent: float, *, ahead: bool = False
    ) -> None:
        new = [(due, sent) for due, _ in units]
        self.messages = self.messages + new if ahead else new[::-1] + self.messages

    def withdraw(self, run_id: str, below: int) -> None:
        self.messages = [
            (due, sent)
            for due, sent in self.messages
            if due.run != run_id or int(due.mark) >= below
        ]


class Worker:
    """What one slot has in hands: a message, what goes before it, or a claim."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.message: tuple[Due, float] | None = None
        self.first: tuple[Due, ...] = ()
        self.claim: Claim | None = None

    def drop(self) -> None:
        """Vanish with whatever it has in hands."""
        self.message, self.first, self.claim = None, (), None


class Fleet:
    """Some runs, some workers, and a queue between them."""

    def __init__(self, harness: FakeHarness, seed: int) -> None:
        self.chance = random.Random(seed)
        self.harness = harness
        store = harness.open()
        assert isinstance(store, RedisStore)
        self.store, self.queue = store, Queue()
        self.dispatcher = Dispatcher(store, self.queue, "contract", "model")
        self.workers = [Worker(f"w{n}") for n in range(WORKERS)]
        self.runs: list[Run] = []
        self.idle_turns = 0  # messages that gave way since anything else happened

    def launch(self) -> None:
        flow, size = f"flow-{len(self.runs)}", self.chance.randint(1, 25)
        options: dict[str, Any] = {"priority": self.chance.choice([0, 0, 1])}
        if self.chance.random() < 0.3:
            options["max_active"] = self.chance.randint(1, 3)
        run = new_run(*[hour(n, flow) for n in range(size)], **options)
        self.runs.append(register(self.store, run))

    def step(self, worker: Worker, faults: bool) -> None:
        if faults and self.chance.random() < 0.03:
            worker.drop()
        elif worker.claim is not None:
            self.end(worker.claim, faults)
            worker.claim = None
        elif worker.first:
            assert worker.message is not None
            self.dispatcher.give_way(worker.first, *worker.message)
            worker.message, worker.first = None, ()
        elif worker.message is not None:
            self.ask(worker)
        elif self.queue.messages:
            worker.message = self.queue.messages.pop()

    def ask(self, worker: Worker) -> None:
        assert worker.message is not None
        message = worker.message[0]
        better = [] if self.had_its_turn(message) else self.better(message)
        answer = self.store.claim_in_turn(worker.name, LEASE, message)
        if isinstance(answer, Claim):
            assert better == [], f"{message.run} went before {better}"
            worker.claim, worker.message = answer, None
        elif answer.first:
            assert {due.run for due in answer.first} <= set(better)
            worker.first = answer.first
            self.idle_turns += 1
            assert self.idle_turns <= 2 * WORKERS, "nobody gets anywhere"
            return
        else:
            worker.message = None
            if answer.outdated:
                self.dispatcher.withdraw(message.run, answer.outdated)
        self.idle_turns = 0

    def end(self, claim: Claim, faults: bool) -> None:
        kind = self.chance.choice(["retry", "release", "done", "done"]) if faults else "done"
        self.idle_turns = 0
        with suppress(LeaseLostError):  # so much time may have passed
            if kind == "done":
                finish(self.store, claim)
            elif kind == "release":
                self.store.release(claim)
            else:
                self.store.fail(claim, "boom", 1.0)

    # -- who should go first ------------------------------------------------------------------

    def had_its_turn(self, message: Due) -> bool:
        """Say whether a message's unit is under lease, perhaps an expired one."""
        running = self.store.records(message.run, UnitStatus.RUNNING)
        return message.unit in [record.unit for record in running]

    def better(self, message: Due) -> list[str]:
        """Return the runs that should go before a message's: worked out from their parts."""
        known = {run.id: self.standing(run) for run in self.runs}
        mine = known[message.run]
        return [
            run
            for run, other in known.items()
            if run != message.run
            and other["ready"]
            and other["share"] < other["cap"]
            and (
                other["priority"] > mine["priority"]
                or (other["priority"] == mine["priority"] and other["share"] < mine["running"])
            )
        ]

    def standing(self, run: Run) -> dict[str, Any]:
        found = self.store.run(run.id)
        assert found is not None
        client, now = self.store._client, round(self.store.now() * MICRO)
        sent, unsent = self.store._key("sent", run.id), self.store._key("unsent", run.id)
        ahead = client.zcount(sent, f"({now}", "+inf")
        running = self.store.counts(run.id).running
        ready = client.zcount(sent, "-inf", now) + client.zcard(unsent)
        return {
            "priority": found.options.get("priority", 0),
            "cap": found.options.get("max_active", 10**6),
            "running": running,
            "share": running + ahead,
            "ready": ready if found.status is RunStatus.ACTIVE else 0,
        }

    # -- what else happens --------------------------------------------------------------------

    def happen(self) -> None:
        kind = self.chance.choice(["time", "sweep", "sweep", "launch", "order", "place", "pause"])
        if kind == "time":
            self.harness.pass_time(self.chance.choice([0.01, 0.6, 4.0, 40.0]))
        elif kind == "sweep":
            self.dispatcher.sweep()
        elif kind == "launch" and len(self.runs) < 6:
            self.launch()
        elif kind == "pause":
            self.store.set_status(self.pick(), self.chance.choice(list(RunStatus)[:2]))
        elif kind == "order":
            self.store.steer(self.pick(), {"newest_first": self.chance.random() < 0.5})
        elif kind == "place":
            cap = self.chance.choice([None, 1, 4])
            place = {"priority": self.chance.choice([None, 1, 2]), "max_active": cap}
            self.store.steer(self.pick(), place)
        self.idle_turns = 0

    def pick(self) -> str:
        return self.chance.choice(self.runs).id

    def settle(self) -> None:
        """Let everybody work on, without faults, until nothing is left."""
        for run in self.runs:
            self.store.set_status(run.id, RunStatus.ACTIVE)
        for _ in range(3000):
            if not self.store.active():
                return
            self.harness.pass_time(0.2)
            self.dispatcher.sweep()
            for worker in self.workers:
                self.step(worker, faults=False)
        raise AssertionError(f"still active: {self.store.active()}, {self.queue.messages}")


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[FakeHarness]:
    made = FakeHarness(tmp_path)
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(8))
def test_all_goes_on_in_turn_to_its_end(
    harness: FakeHarness, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(dispatch, "WINDOW", WINDOW)
    monkeypatch.setattr(dispatch, "_WINDOW_PER_SLOT", 0)
    fleet = Fleet(harness, seed)
    fleet.launch()
    for _ in range(300):
        harness.pass_time(0.001)
        if fleet.chance.random() < 0.15:
            fleet.happen()
        else:
            fleet.step(fleet.chance.choice(fleet.workers), faults=True)
        # What goes ahead is beyond the window, and may be out of date: of each priority so many.
        assert len(fleet.queue.messages) <= WINDOW + WORKERS + PRIORITIES * AT_ONCE
    fleet.settle()
    for run in fleet.runs:
        found = fleet.store.run(run.id)
        assert found is not None
        assert found.status is RunStatus.DONE
        events = fleet.store.events(run.id, limit=5000)
        assert len([e for e in events if e.kind == "completed"]) == run.units
    assert fleet.store.pending() == 0
