"""Feeding 20,000 units, from planned ranges to messages in the broker, against Celery's own ways.

Seeknal's side is all of it, window by window: units made of the run's ranges, queued in the
store, picked as due, and published. The others only publish the same arguments, by ``delay`` one
by one and by kombu's ``Producer.batch``. All use one server; rounds alternate.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

from benchmarks._fleet import FIRST, HOUR, Fleet, folder, hours, messages, verdict
from seeknal.executors.celery import QUEUE, UNIT_TASK, Message, make_app
from seeknal.executors.dispatch import slice_name
from seeknal.feed import WINDOW, next_units
from seeknal.workflow.state import Run

UNITS = 20_000
OTHERS = 5_000  # their rate does not depend on how many there are
ROUNDS = 3


def by_feed(fleet: Fleet, run: Run) -> None:
    """Feed, pick and publish as the dispatcher does, but for waiting until a window is used up."""
    while True:
        current = fleet.store.run(run.id)
        assert current is not None
        units, cursor = next_units(current, WINDOW)
        if not units:
            return
        assert fleet.store.feed(run.id, units, current.cursor, cursor)
        due = fleet.store.due(WINDOW)
        named = [(each, slice_name(each.unit, "UTC")) for each in due]
        fleet.publisher.publish_units(fleet.project.name, named, fleet.store.now())


def nothing(*_: str, run: str) -> None:
    """What the messages of ``delay`` call."""


def by_delay(task: object, work: list[Message]) -> None:
    for message in work:
        task.delay(*message.args, **message.kwargs)  # type: ignore[attr-defined]


def timed(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    with folder() as root, Fleet(root) as fleet:
        app = make_app(fleet.server.url)
        task = app.task(name=UNIT_TASK)(nothing)
        launch = fleet.launcher(fleet.flow("hourly"))
        work = messages(OTHERS)
        took: dict[str, list[float]] = {"seeknal": [], "delay": [], "batch": []}
        size: dict[str, int] = {}
        sent: dict[str, int] = {}
        for round_ in range(ROUNDS):
            run = launch(hours(UNITS, FIRST - (round_ + 1) * UNITS * HOUR))
            ways: dict[str, Callable[[], None]] = {
                "delay": partial(by_delay, task, work),
                "seeknal": partial(by_feed, fleet, run),
                "batch": partial(fleet.publisher.publish_one_by_one, work, 0.0),
            }
            for name, way in ways.items():
                fleet.client.delete(QUEUE)
                took[name].append(timed(way))
                sent[name] = fleet.client.llen(QUEUE)
                size[name] = len(str(fleet.client.lindex(QUEUE, 0)))
    assert sent == {"seeknal": UNITS, "delay": OTHERS, "batch": OTHERS}
    each = {name: statistics.median(times) / sent[name] for name, times in took.items()}
    for name, seconds in each.items():
        print(f"{name:8} {1 / seconds:8.0f} units/s, {size[name]} bytes a message")
    for name, wanted in (("delay", 8), ("batch", 3)):
        print(f"seeknal against {name}: {verdict(each[name] / each['seeknal'], wanted)}")


if __name__ == "__main__":
    main()
