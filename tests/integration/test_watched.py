"""What Celery's own tools, and Flower above all, see of a worker."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from celery.events.state import State

from seeknal.executors.celery import make_app
from seeknal.workflow.state import RunStatus
from tests.fleet import BURN, PROJECT, Fleet, fleet
from tests.waiting import wait_until

DAYS = 6


@pytest.fixture
def ships(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        made.box.events("2024-01-01", DAYS * 24, "1 hour")
        made.box.declare(sql=BURN.format(millions=100))
        yield made


@contextmanager
def watching(app: Celery) -> Iterator[State]:
    """Collect a fleet's events as Flower does: ask for them, and read them all."""
    state, over = State(), threading.Event()

    def read() -> None:
        with app.connection_for_read() as connection:
            reader: Any = app.events.Receiver(connection, handlers={"*": state.event})
            while not over.is_set():
                try:
                    reader.capture(timeout=0.2, wakeup=False)
                except TimeoutError:
                    app.control.enable_events()

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield state
    finally:
        over.set()
        thread.join()
        app.pool.force_close_all()


def test_flower_sees_workers_and_the_interval_of_each_task(ships: Fleet) -> None:
    ships.worker(2)
    with watching(make_app(ships.server.url)) as state:
        wait_until("the worker is seen", lambda: any(w.alive for w in state.workers.values()))
        run = ships.launch()
        assert ships.ends(run) is RunStatus.DONE
        wait_until(
            "all tasks are seen",
            lambda: [t.state for t in state.tasks.values()].count("SUCCESS") == DAYS,
        )
        told = sorted(task.args for task in state.tasks.values())
    keys = "20240101T000000Z_20240102T000000Z"
    assert told[0] == f"('{PROJECT}', 'events_flow', '2024-01-01 to 2024-01-02', '{keys}')"
    assert {task.kwargs for task in state.tasks.values()} == {f"{{'run': '{run}'}}"}


def test_inspect_tells_what_runs_and_what_recovery_rests_on(ships: Fleet) -> None:
    ships.worker(2)
    run = ships.launch()
    ships.runs_one(run)
    app = make_app(ships.server.url)
    inspect: Any = app.control.inspect(timeout=20.0, limit=1)
    (active,) = inspect.active().values()
    (conf,) = inspect.conf().values()
    (stats,) = inspect.stats().values()
    app.pool.force_close_all()
    assert active
    for task in active:
        assert task["args"][:2] == [PROJECT, "events_flow"]
        assert " to 2024-01-" in task["args"][2]
        assert task["kwargs"] == {"run": run}
    assert (conf["accept_content"], conf["task_serializer"]) == (["json"], "json")
    assert conf["task_acks_late"]
    assert conf["task_reject_on_worker_lost"]
    assert conf["result_backend"] is None
    assert conf["worker_prefetch_multiplier"] == 1
    assert stats["prefetch_count"] == 2
    assert ships.ends(run) is RunStatus.DONE
