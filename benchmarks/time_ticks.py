"""Ticks per second of Schedule beside croniter and cronsim, and the cost of what is missing.

Run as ``python -m benchmarks.time_ticks``. All figures come from one run on one machine: use the
ratios. "First call" starts with nothing parsed and no clock change known, as a new process does.
The two steppers make fewer ticks than Schedule (a million would take them minutes); their cost per
tick does not depend on how many they make.
"""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from zoneinfo import ZoneInfo

from croniter import croniter
from cronsim import CronSim

from seeknal.workflow.intervals import IntervalSet, count_units, missing
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.wall import wall_pattern
from seeknal.workflow.zones import year_changes

MILLION = 1_000_000
STEPS = 4_000
GAPS = 10_000
START = datetime(1972, 1, 1, tzinfo=UTC)
CASES = (
    ("hourly UTC", "0 * * * *", "UTC", MILLION),
    ("hourly New York", "0 * * * *", "America/New_York", MILLION),
    ("*/5 9-17 * * 1-5 London", "*/5 9-17 * * 1-5", "Europe/London", MILLION),
    ("@monthly UTC", "0 0 1 * *", "UTC", 1_500),
)


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def best(work: Callable[[], object], times: int = 5) -> float:
    return min(timed(work) for _ in range(times))


def window(schedule: Schedule, count: int) -> tuple[int, int]:
    """A range from START that holds about ``count`` ticks."""
    start = schedule.ceil(int(START.timestamp()))
    low, high = start, int(datetime(2150, 1, 1, tzinfo=UTC).timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if schedule.count(start, middle) < count else (low, middle)
    return start, high


def step(stepper: Callable[[], object], count: int) -> float:
    def work() -> None:
        for _ in range(count):
            stepper()

    return count / timed(work)


def ticks() -> None:
    print(
        f"{'ticks per second':26}{'Schedule':>14}{'first call':>14}{'croniter':>12}{'cronsim':>12}"
    )
    for name, cron, zone, count in CASES:
        schedule = Schedule(cron, zone)
        start, end = window(schedule, count)
        made = len(schedule.ticks(start, end))
        warm = made / best(partial(schedule.ticks, start, end))
        wall_pattern.cache_clear()
        year_changes.cache_clear()
        cold = made / timed(partial(schedule.ticks, start, end))
        steps = min(STEPS, made)
        local = START.astimezone(ZoneInfo(zone))
        slow = step(partial(croniter(cron, local).get_next, float), steps)
        other = step(partial(next, CronSim(cron, local)), steps)
        print(f"{name:26}{warm:14,.0f}{cold:14,.0f}{slow:12,.0f}{other:12,.0f}")
        print(
            f"{f'  ({made:,} ticks; {steps:,} steps)':26}{'':14}{'':14}"
            f"{f'{warm / slow:,.0f}x':>12}{f'{warm / other:,.0f}x':>12}   "
            f"from the first call: {cold / slow:,.0f}x, {cold / other:,.0f}x"
        )


def gaps() -> None:
    print(f"\nmissing: a million intervals, {GAPS:,} random gaps")
    print(f"{'':26}{'ticks':>12}{'missing':>12}{'ratio':>8}{'count':>12}{'units missing':>16}")
    chosen = random.Random(1)
    for name, cron, zone, count in CASES[:3]:
        schedule = Schedule(cron, zone)
        start, end = window(schedule, count)
        made = schedule.ticks(start, end)
        holes = IntervalSet(
            (made[i], made[i + 1] - chosen.randrange(60))
            for i in chosen.sample(range(len(made) - 1), GAPS)
        )
        asked = IntervalSet([(start, schedule.floor(end))])
        done = asked - holes
        cost = best(partial(schedule.ticks, start, end))
        plan = missing(schedule, asked, done)
        found = best(partial(missing, schedule, asked, done))
        counted = best(partial(count_units, schedule, plan))
        print(
            f"{name:26}{cost * 1e3:9.1f} ms{found * 1e3:9.1f} ms{found / cost:8.2f}"
            f"{counted * 1e3:9.1f} ms{count_units(schedule, plan):16,}"
        )


def main() -> None:
    ticks()
    gaps()


if __name__ == "__main__":
    main()
