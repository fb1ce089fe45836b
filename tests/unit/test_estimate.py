"""A sample is spread over a run, and what is said of the rest follows from it."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seeknal.errors import TimeError
from seeknal.estimate import estimate, sample
from seeknal.feed import planned_units
from seeknal.workflow.intervals import nth
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import Event
from seeknal.workflow.units import Planned, PlannedRange, PlannedValue

DAY = 86_400
HOURLY = "0 * * * * UTC"
DAILY = "@daily America/New_York"


def ranges(seed: int, count: int) -> list[Planned]:
    rng = random.Random(seed)
    schedule, at, made = Schedule.parse(HOURLY), 1_704_067_200, []
    for _ in range(count):
        at += rng.randrange(1, 30) * 3600
        end = at + rng.randrange(1, 60) * 3600
        made.append(PlannedRange(schedule.floor(at), schedule.floor(end), HOURLY, "backfill"))
        at = end
    return list(made)


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_a_sample_is_of_the_plans_units_each_once_and_none_for_nothing(
    seed: int, count: int, size: int
) -> None:
    planned = ranges(seed, count)
    every = list(planned_units("f", planned))
    chosen = sample("f", planned, size)
    assert len(set(chosen)) == len(chosen) == min(size, len(every))
    assert set(chosen) <= set(every)


def test_every_beginning_of_a_sample_is_spread_over_the_run() -> None:
    planned = [PlannedRange(0, 1000 * 3600, HOURLY, "run")]
    starts = [planned_unit.unit.start / 3600 for planned_unit in sample("f", planned, 32)]
    for taken in (4, 8, 16, 32):
        quarters = [int(start // 250) for start in starts[:taken]]
        assert all(quarters.count(q) == taken // 4 for q in range(4))


def test_a_sample_of_ten_million_units_lists_none_of_the_others() -> None:
    planned = [PlannedRange(-1_000_000 * 3600 // 2, 100_000 * 3600, "* * * * * UTC", "run")]
    chosen = sample("f", planned, 24)
    assert len(chosen) == 24
    assert all(one.unit.end - one.unit.start == 60 for one in chosen)


def test_values_are_sampled_as_they_are_planned() -> None:
    planned = [PlannedValue(f"v{n}", "run") for n in range(100)]
    assert len({one.unit.value for one in sample("f", planned, 10)}) == 10
    assert len(sample("f", planned[:3], 10)) == 3


@given(st.integers(0, 400), st.integers(1, 300))
@settings(max_examples=60, deadline=None)
def test_the_nth_interval_is_the_one_that_listing_finds(start: int, days: int) -> None:
    schedule = Schedule.parse(DAILY)
    low = schedule.floor(start * DAY)
    high = schedule.floor((start + days) * DAY)
    listed = list(schedule.intervals(low, high))
    for number in {0, len(listed) // 2, len(listed) - 1} & set(range(len(listed))):
        assert nth(schedule, low, high, number) == listed[number]
    with pytest.raises(TimeError, match="There is no interval"):
        nth(schedule, low, high, len(listed))


def completed(at: float, worker: str, seconds: float = 0.5, rows: int = 10) -> Event:
    return Event("1", at, "completed", "u", worker, seconds=seconds, rows=rows, bytes=rows * 8)


def test_a_unit_takes_from_one_completion_of_a_worker_to_its_next() -> None:
    events = [completed(at, worker) for at, worker in ((10.0, "a"), (10.4, "b"))]
    events += [completed(event.at + 2, event.worker) for event in events]
    found = estimate([*events, Event("9", 11.0, "retry", "u", "a")], 104, together=False)
    assert found is not None
    assert (found.sampled, found.left) == (4, 100)
    assert found.seconds.mean == pytest.approx(2.0)
    assert found.wall(1).mean == pytest.approx(200.0)
    assert found.wall(4).mean == pytest.approx(50.0)
    assert found.rows.times(found.left).mean == 1000


def test_of_completions_that_come_together_the_attempts_themselves_count() -> None:
    events = [completed(10.0, "a", 9.0), completed(10.0, "a", 2.0), completed(10.0, "a", 4.0)]
    found = estimate(events, 103, together=True)
    assert found is not None
    assert found.seconds.mean == pytest.approx(3.0), "the first one opened the input"
    assert found.wall(4).mean == pytest.approx(75.0)


def test_where_each_worker_did_one_unit_the_attempts_themselves_count() -> None:
    found = estimate([completed(10.0, "a", 3.0), completed(10.0, "b", 5.0)], 12, together=False)
    assert found is not None
    assert found.seconds.mean == pytest.approx(4.0)
    assert found.wall(1000).mean == pytest.approx(5.0)  # no less than the longest unit


def test_the_bounds_hold_the_truth_nine_times_in_ten() -> None:
    rng = random.Random(7)
    held = 0
    for _ in range(300):
        at, events = 0.0, []
        for _ in range(25):
            at += rng.uniform(0.5, 1.5)
            events.append(completed(at, "a"))
        found = estimate(events, 1000, together=False)
        assert found is not None
        held += found.seconds.low <= 1.0 <= found.seconds.high
    assert 0.82 < held / 300 < 0.97


def test_nothing_completed_is_no_estimate_and_nothing_left_takes_no_time() -> None:
    assert estimate([], 10, together=False) is None
    found = estimate([completed(1.0, "a")], 1, together=False)
    assert found is not None
    assert (found.left, found.wall(4).mean) == (0, 0.0)
    assert not math.isnan(found.seconds.low)
