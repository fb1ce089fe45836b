"""Worker throughput on units of trivial SQL whose result is not kept, against Celery's no-op.

Seeknal's worker claims, runs, completes and feeds. Bare Celery's, on the same server, settings
and concurrency, takes messages of the same size that do nothing. Rounds alternate.

Each brings back in its own way what a killed worker had taken: Celery by the records of messages
that kombu keeps in Redis, Seeknal by leases and messages that are sent again, so that its worker
keeps no such records (:mod:`worker.broker`). They are about half of what the no-op costs.
"""

from __future__ import annotations

from benchmarks._bare import NOOP
from benchmarks._fleet import (
    FIRST,
    HOUR,
    Fleet,
    Took,
    compare,
    folder,
    hours,
    messages,
    rates,
)

CONCURRENCY = 2
UNITS = 2000
ROUNDS = 3


def main() -> None:
    with folder() as root, Fleet(root) as fleet:
        launch = fleet.launcher(fleet.flow("hourly"))
        work = messages(UNITS)
        fleet.bare(CONCURRENCY)
        fleet.worker(CONCURRENCY)
        bare: list[Took] = []
        ours: list[Took] = []
        for round_ in range(ROUNDS + 1):
            bare.append(fleet.bare_time(NOOP, work))
            run = launch(hours(UNITS, FIRST - (round_ + 1) * UNITS * HOUR))
            ours.append(fleet.our_time(run))
    rates("bare", UNITS, bare[1:])  # the first round warms up
    rates("seeknal", UNITS, ours[1:])
    compare("seeknal against bare Celery", bare[1:], ours[1:], 0.6)


if __name__ == "__main__":
    main()
