"""The keys in Redis: each has a kind and a way to go, and little is left when all is done."""

from __future__ import annotations

import time
from typing import Any

import pytest

from seeknal.feed import top_up
from seeknal.stores.base import Change
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_keys import prefix
from seeknal.workflow.state import Completion, Origin, Run, RunStatus
from seeknal.workflow.units import PlannedRange
from tests.contract.building import (
    FLOW,
    HOUR,
    HOURLY,
    START,
    day,
    finish,
    hour,
    launch,
    restate,
    take,
    value,
)
from tests.contract.redis_harness import shared_server
from tests.keys import check_keys

LASTING = {
    "flows", "token", "server", "audit", "runseq", "runs", "flow", "completions", "values",
    "flowruns", "run", "events", "ended", "workers", "worker", "office", "question", "answer",
    "lacks", "seen", "specs", "log",
}  # fmt: skip


@pytest.fixture
def client() -> Any:
    with shared_server().client() as client:
        yield client


def memory(client: Any, project: str, *kinds: str) -> int:
    found = client.scan_iter(match=f"{prefix(project)}*", count=1000)
    return sum(
        client.memory_usage(key, samples=0)
        for key in found
        if not kinds or key.removeprefix(prefix(project)).partition(":")[0] in kinds
    )


def exercise(store: RedisStore) -> None:
    """Leave every kind of key behind, then settle all of it."""
    first = launch(store, hour(0), hour(1), hour(2), value("EU"), value("US"), day(3))
    store.due(10)
    for failed in (hour(0), value("EU"), day(3)):
        store.fail(take(store, 30, first, failed), "boom", None)
    store.fail(take(store, 30, first), "boom", 60.0)
    finish(store, take(store, 30, first))
    store.beat("w", {"unit": "x"}, 30)
    store.elect("janitor", "w", 30)


def settle(store: RedisStore) -> None:
    for run in store.runs():
        store.set_status(run.id, RunStatus.CANCELLED)
    units = [hour(0), hour(1), hour(2), value("EU"), value("US"), day(3)]
    last = launch(store, *units)
    while claim := store.claim("w", 30, last):
        finish(store, claim)
    restate(store, hour(0), value("EU"))
    last = launch(store, hour(0), value("EU"))
    while claim := store.claim("w", 30, last):
        store.prepare(claim)
        store.forget(claim, store.state(FLOW).completed)
        finish(store, claim)
    everything = store.state(FLOW).unfinished
    change = Change("ada", "mark", "all", "the end")
    marks = [Completion(s, e, Origin.MANUAL, HOURLY, "") for s, e in everything.ranges]
    store.mark(FLOW, marks, [], change)


def test_every_key_has_a_time_to_live_or_a_reason(
    redis_store: RedisStore, project: str, client: Any
) -> None:
    exercise(redis_store)
    assert {"unit", "units", "fed", "failed", "failures", "waiting", "pending"} <= check_keys(
        client, project
    )


def test_nothing_of_units_is_left_when_all_are_done(
    redis_store: RedisStore, project: str, client: Any
) -> None:
    exercise(redis_store)
    settle(redis_store)
    left = check_keys(client, project)
    # What was taken back and marked by hand is remembered: its output may still be there.
    assert left - {"forgotten"} <= LASTING
    assert redis_store.pending() == 0


def test_ended_runs_go_and_are_pruned(redis_store: RedisStore, project: str, client: Any) -> None:
    old = launch(redis_store, hour(0))
    redis_store.set_status(old, RunStatus.CANCELLED)
    client.delete(f"{prefix(project)}run:{old}")  # what its time to live will do
    assert redis_store.runs() == []
    new = launch(redis_store, hour(0))
    assert [run.id for run in redis_store.runs(FLOW)] == [new]
    for kind in ("runs", f"flowruns:{FLOW}"):
        assert client.zrange(prefix(project) + kind, 0, -1) == [new]


def test_ten_million_units_are_a_range(redis_store: RedisStore, project: str, client: Any) -> None:
    units = 10_000_000
    planned = PlannedRange(START, START + units * 60, "* * * * * UTC", Origin.BACKFILL)
    run = Run("r", FLOW, {"name": FLOW}, "fp", (planned,), units)
    began = time.perf_counter()
    assert redis_store.register(run, 0)
    assert time.perf_counter() - began < 0.5
    assert memory(client, project) <= 20_000
    assert top_up(redis_store, "r") == 1000
    assert redis_store.counts("r").queued == units
    assert memory(client, project) <= 1_000_000
    redis_store.set_status("r", RunStatus.CANCELLED)
    assert memory(client, project) <= 20_000


def test_a_hundred_thousand_hours_are_one_range(
    redis_store: RedisStore, project: str, client: Any
) -> None:
    change = Change("ada", "mark", "hours", "")
    for first in range(0, 100_000, 10_000):
        hours = (START + number * HOUR for number in range(first, first + 10_000))
        marks = [Completion(at, at + HOUR, Origin.RUN, HOURLY, "fp") for at in hours]
        redis_store.mark(FLOW, marks, [], change)
    (done,) = redis_store.state(FLOW).completions
    assert (done.end - done.start) // HOUR == 100_000
    assert memory(client, project, "flow", "completions", "unfinished", "restatements") <= 1000
