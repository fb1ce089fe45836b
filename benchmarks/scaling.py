"""How throughput grows with workers, on units that wait and compute nothing.

Units of half a second on 1 to 16 workers of one process each: how near it comes to so many times
what one does. Then fast units with the window that the broker is kept at, against one that is
unbounded: workers that wait for messages would show in the rate, and in an empty queue.
"""

from __future__ import annotations

import threading
import time

from benchmarks._fleet import FIRST, HOUR, TRIVIAL, Fleet, Took, compare, folder, hours, rates
from seeknal.executors.celery import QUEUE
from seeknal.executors.dispatch import Dispatcher
from seeknal.workflow.cursor import ends_of
from seeknal.workflow.state import Run

WAITS = f"SELECT sleep_ms(500) AS waited, count(*) AS rows FROM ({TRIVIAL})"
SECONDS = 0.5
SIZES = (1, 2, 4, 8, 16)
UNITS_EACH = 10
FAST = 4000
ROUNDS = 3


class Unbounded(Dispatcher):
    """Has the broker hold whatever there is."""

    def window(self) -> int:
        return 10**9


def waiting(fleet: Fleet) -> None:
    """Print the rate of each number of workers, which are added as we go."""
    launch = fleet.launcher(fleet.flow("waiting", WAITS))
    start, alive, one = FIRST, 0, 0.0
    for size in SIZES:
        while alive < size:
            fleet.worker(1)
            alive += 1
        warm, units = size * 2, size * UNITS_EACH
        fleet.our_time(launch(hours(warm, start)))
        took = fleet.our_time(launch(hours(units, start + warm * HOUR)))
        start += (warm + units) * HOUR
        rate = units / took.passed
        one = one or rate
        each = took.computed / units * 1000
        print(
            f"{size:>3} workers: {rate:5.2f} units/s, {rate / size / one:.2f} of {size} times "
            f"one's, {rate * SECONDS / size:.2f} of what waiting allows; "
            f"{each:.1f} ms computed for each"
        )


def fast(fleet: Fleet) -> None:
    """Compare the kept window with an unbounded one, and look for an empty queue."""
    launch = fleet.launcher(fleet.flow("fast", TRIVIAL))
    unbounded = Unbounded(fleet.store, fleet.publisher, fleet.project.name, "bench")
    bounded = fleet.dispatcher
    kept: list[Took] = []
    free: list[Took] = []
    least: list[int] = []
    for round_ in range(ROUNDS + 1):
        first = FIRST - (2 * round_ + 2) * FAST * HOUR
        fleet.dispatcher = unbounded
        free.append(fleet.our_time(launch(hours(FAST, first))))
        fleet.dispatcher = bounded
        run = launch(hours(FAST, first + FAST * HOUR))
        watch = threading.Thread(target=lambda run=run: least.append(lowest(fleet, run)))
        watch.start()
        kept.append(fleet.our_time(run))
        watch.join()
    rates("unbounded", FAST, free[1:])
    rates("window", FAST, kept[1:])
    compare("the window against an unbounded one", free[1:], kept[1:], 0.95)
    print(f"fewest messages that waited while there was more to feed: {min(least[1:])}")


def lowest(fleet: Fleet, run: Run) -> int:
    """Return how few messages waited at any moment before the last ones were fed."""
    least, key = 10**9, fleet.store._key("run", run.id)
    while not fleet.client.llen(QUEUE):
        time.sleep(0.001)
    while True:
        with fleet.client.pipeline() as pipe:
            pipe.hget(key, "cursor")
            pipe.llen(QUEUE)
            cursor, waits = pipe.execute()
        if ends_of(cursor or "") == "end":
            return least
        least = min(least, waits)
        time.sleep(0.005)


def main() -> None:
    with folder() as root, Fleet(root) as fleet:
        fleet.worker(2)
        fast(fleet)
    with folder() as root, Fleet(root) as fleet:
        waiting(fleet)


if __name__ == "__main__":
    main()
