"""However many feed, the broker holds no more than its window."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import redis

from seeknal.executors.celery import QUEUE
from seeknal.feed import WINDOW
from tests.chaos.arena import Arena, report
from tests.chaos.storm import Storm, Weather

UNITS = 20_000
WORKERS = 8
EVERY = 0.005


@pytest.mark.chaos
@pytest.mark.timeout(1800)
def test_twenty_thousand_slow_units_keep_within_the_window(
    make_arena: Callable[..., Arena], seed: int
) -> None:
    arena = make_arena(lease=10.0, concurrency=4)
    arena.declare(UNITS, wait_ms=200, output={"kind": "none"})
    arena.fleet.start_ready(WORKERS)
    with sampled(arena) as lengths:
        run = arena.launch()
        # Now and then whoever feeds dies, and the others race for the office.
        storm = Storm(arena, Weather(kill_every=20.0, seconds=1500), seed)
        storm.rage(run)
    samples, most = sum(lengths.values()), max(lengths)
    starved = lengths[0] / samples
    counts = arena.store.counts(run)
    report(
        f"{UNITS} units, {WORKERS} workers, {storm.seconds:.0f} s: at most {most} messages in a "
        f"window of {WINDOW} ({samples} samples), none in {starved:.1%}",
        storm.did,
    )
    assert most <= 1.1 * WINDOW
    assert (counts.done, counts.failed) == (UNITS, 0)
    arena.assert_settled(run)


@contextmanager
def sampled(arena: Arena) -> Iterator[Counter[int]]:
    """Count how long the broker's queue is, again and again, within the block."""
    lengths: Counter[int] = Counter()
    over = threading.Event()

    def sample() -> None:
        with arena.server.client() as client:
            while not over.wait(EVERY):
                try:
                    lengths[int(client.llen(QUEUE))] += 1
                except redis.RedisError:
                    time.sleep(EVERY)

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield lengths
    finally:
        over.set()
        thread.join()
