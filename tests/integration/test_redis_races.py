"""Many at once: the store stays right."""

from __future__ import annotations

import multiprocessing
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from seeknal.stores.redis import RedisStore
from seeknal.workflow.state import Claim, Completion, Origin, RunStatus
from tests.contract.building import (
    FLOW,
    HOURLY,
    finish,
    hour,
    launch,
    new_run,
    planned,
    register,
    take,
)
from tests.waiting import wait_until

T = TypeVar("T")


def at_once(number: int, act: Callable[[int], T]) -> list[T]:
    """Run ``act`` in many threads that start together; return what each returned."""
    barrier = threading.Barrier(number)

    def run(index: int) -> T:
        barrier.wait()
        return act(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))


@pytest.mark.parametrize("named", [False, True])
def test_of_fifty_threads_one_claims(redis_store: RedisStore, named: bool) -> None:
    run = launch(redis_store, hour(0))
    unit = hour(0) if named else None
    claims = at_once(50, lambda n: redis_store.claim(f"w{n}", 30.0, run, unit))
    (claim,) = filter(None, claims)
    assert redis_store.counts(run).running == 1
    finish(redis_store, claim)
    assert redis_store.counts(run).done == 1


def test_of_two_runs_one_claims_a_unit(redis_store: RedisStore) -> None:
    runs = [launch(redis_store, hour(0)) for _ in range(10)]
    claims = at_once(20, lambda n: redis_store.claim(f"w{n}", 30.0, runs[n % 10], hour(0)))
    assert len(list(filter(None, claims))) == 1


def test_of_forked_processes_one_claims(redis_store: RedisStore) -> None:
    launch(redis_store, hour(0))
    context = multiprocessing.get_context("fork")
    won = context.Value("i", 0)
    started = context.Barrier(8)

    def race(number: int) -> None:
        started.wait()
        if redis_store.claim(f"p{number}", 30.0) is not None:
            with won.get_lock():
                won.value += 1

    processes = [context.Process(target=race, args=(number,)) for number in range(8)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0] * 8
    assert won.value == 1
    assert redis_store.now() > 0  # the parent's connection is still its own


def test_of_many_who_register_one_does(redis_store: RedisStore) -> None:
    version = redis_store.holds(FLOW).version
    runs = [new_run(hour(0)) for _ in range(20)]
    registered = at_once(20, lambda n: redis_store.register(runs[n], version))
    assert registered.count(True) == 1
    assert [run.id for run in redis_store.holds(FLOW).runs] == [runs[registered.index(True)].id]


def test_of_many_feeders_one_feeds(redis_store: RedisStore) -> None:
    units = [hour(number) for number in range(100)]
    run = register(redis_store, new_run(*units))
    fed = at_once(
        10, lambda _: redis_store.feed(run.id, [planned(unit) for unit in units], "", "end")
    )
    assert fed.count(True) == 1
    assert redis_store.window(run.id) == 100


def test_completions_in_any_order_are_one_range(redis_store: RedisStore) -> None:
    units = [hour(number) for number in range(400)]
    run = register(redis_store, new_run(*units))
    random.Random(7).shuffle(units)
    redis_store.feed(run.id, [planned(unit) for unit in units], "", "end")

    def work(number: int) -> list[Claim]:
        done = []
        while claim := redis_store.claim(f"w{number}", 30.0):
            finish(redis_store, claim)
            done.append(claim)
        return done

    claims = [claim for done in at_once(8, work) for claim in done]
    assert len({claim.token for claim in claims}) == len(claims) == 400
    assert redis_store.state(FLOW).completions == (
        Completion(hour(0).start, hour(399).end, Origin.BACKFILL, HOURLY, "fp"),
    )
    assert redis_store.state(FLOW).unfinished.ranges == ()
    counts = redis_store.counts(run.id)
    assert (counts.done, counts.running, counts.rows) == (400, 0, 4000)
    found = redis_store.run(run.id)
    assert found is not None
    assert found.status is RunStatus.DONE


def test_what_is_reaped_and_completed_at_once_is_done_once(redis_store: RedisStore) -> None:
    units = [hour(number) for number in range(30)]
    run = launch(redis_store, *units)
    claims = [take(redis_store, 0.01) for _ in units]
    wait_until("they expire", lambda: redis_store.now() > claims[-1].until)

    def act(number: int) -> None:
        if number == 0:
            redis_store.reap(10)
        else:
            finish(redis_store, claims[number - 1])

    at_once(31, act)
    counts = redis_store.counts(run)
    assert (counts.done, counts.running, counts.failed) == (30, 0, 0)
    assert redis_store.window(run) == 0
