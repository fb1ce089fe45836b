"""Sets of instants, and the arithmetic of what is missing."""

import itertools
import pickle
import random
import tracemalloc
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seeknal.errors import TimeError
from seeknal.workflow.interval_set import EMPTY
from seeknal.workflow.intervals import IntervalSet, count_units, due, missing, units
from seeknal.workflow.schedule import Schedule
from tests.unit.schedule_oracles import DAY, utc

Pairs = list[tuple[int, int]]
HOUR = 3600

pairs = st.lists(
    st.tuples(st.integers(0, 60), st.integers(0, 12)).map(lambda p: (p[0], p[0] + p[1])),
    max_size=8,
)


def members(ranges: Iterable[tuple[int, int]]) -> set[int]:
    return {instant for start, end in ranges for instant in range(start, end)}


def days(first: int, last: int) -> IntervalSet:
    """January days, both inclusive."""
    return IntervalSet([(utc(2024, 1, first), utc(2024, 1, last) + DAY)])


def test_days_added_and_removed() -> None:
    left = days(1, 10) | days(11, 15)
    left = (left - days(5, 12)) | days(12, 16)
    left = left - days(14, 16)
    assert left.ranges == (
        (utc(2024, 1, 1), utc(2024, 1, 5)),
        (utc(2024, 1, 12), utc(2024, 1, 14)),
    )


def test_days_added_and_removed_in_any_equivalent_order() -> None:
    expected = IntervalSet(
        [(utc(2024, 1, 1), utc(2024, 1, 5)), (utc(2024, 1, 12), utc(2024, 1, 14))]
    )
    for first, second in itertools.permutations([days(1, 10), days(11, 15)]):
        assert ((first | second) - days(5, 12) | days(12, 16)) - days(14, 16) == expected
        apart = (first - days(5, 12)) | (second - days(5, 12))
        for added in ((apart | days(12, 16)), (days(12, 16) | apart)):
            assert added - days(14, 16) == expected
        assert (apart - days(14, 16)) | (days(12, 16) - days(14, 16)) == expected
        assert apart - days(14, 16) | days(12, 13) == expected
        assert hash(apart - days(14, 16) | days(12, 13)) == hash(expected)


@given(pairs, pairs)
def test_operators_are_those_of_sets(one: Pairs, other: Pairs) -> None:
    left, right = IntervalSet(one), IntervalSet(other)
    mine, theirs = members(one), members(other)
    for result, expected in (
        (left, mine),
        (left | right, mine | theirs),
        (left & right, mine & theirs),
        (left - right, mine - theirs),
    ):
        assert members(result) == expected
        assert result == IntervalSet((instant, instant + 1) for instant in expected)
        assert sum(end - start for start, end in result) == len(expected)
        assert result.span == ((min(expected), max(expected) + 1) if expected else None)
        assert bool(result) == bool(expected)
        assert len(result) == len(result.ranges) == len(list(result))
        assert all(a[1] < b[0] for a, b in itertools.pairwise(result))
        assert all(start < end for start, end in result)


@given(pairs, pairs, pairs)
def test_operators_obey_the_algebra(one: Pairs, other: Pairs, third: Pairs) -> None:
    a, b, c = IntervalSet(one), IntervalSet(other), IntervalSet(third)
    assert a | b == b | a
    assert a & b == b & a
    assert (a | b) | c == a | (b | c)
    assert a & (b | c) == (a & b) | (a & c)
    assert a - (b | c) == (a - b) - c
    assert (a | b) - c == (a - c) | (b - c)
    assert (a - b) | (a & b) == a
    assert a - a == a & EMPTY == EMPTY
    assert IntervalSet(reversed(one)) == a
    assert hash(IntervalSet(a.ranges)) == hash(a)


@given(pairs, st.integers(-2, 75), st.integers(0, 15))
def test_questions_about_a_range(given_pairs: Pairs, start: int, length: int) -> None:
    ranges, end = IntervalSet(given_pairs), start + length
    inside, asked = members(given_pairs), set(range(start, end))
    assert ranges.covers(start, end) == (asked <= inside)
    assert ranges.overlaps(start, end) == bool(asked & inside)
    assert (start in ranges) == (start in inside)
    expected = [pair for pair in ranges if asked & set(range(*pair))]
    assert list(ranges.overlapping(start, end)) == expected


def test_sets_are_values() -> None:
    ranges = IntervalSet([(5, 7), (1, 3), (3, 4), (9, 9)])
    assert ranges.ranges == ((1, 4), (5, 7))
    assert repr(ranges) == "IntervalSet([(1, 4), (5, 7)])"
    assert pickle.loads(pickle.dumps(ranges)) == ranges
    assert len({ranges, IntervalSet([(1, 4), (5, 7)])}) == 1
    assert ranges != ((1, 4), (5, 7))
    assert "x" not in ranges
    with pytest.raises(AttributeError):
        ranges.ranges = ()  # type: ignore[misc]
    with pytest.raises(TypeError):
        ranges | ((1, 2),)  # type: ignore[operator]


def test_a_range_that_ends_before_it_starts() -> None:
    with pytest.raises(TimeError, match="1970-01-02T00:00:00Z to 1970-01-01T00:00:00Z ends before"):
        IntervalSet([(0, DAY), (DAY, 0)])


@pytest.mark.parametrize(
    "pairs", [[(1,)], [(1, 2.5)], [(1, 2, 3)], [5], [None], [(1, None)], [("a", "b")], [(1, 2), 3]]
)
def test_what_is_no_pair_of_whole_seconds(pairs: list[tuple[int, int]]) -> None:
    with pytest.raises(TimeError, match=r"pairs \(start, end\)"):
        IntervalSet(pairs)


SCHEDULES = [
    Schedule("@hourly"),
    Schedule("@daily", "America/New_York"),
    Schedule("@hourly", "Australia/Lord_Howe"),
    Schedule("30 1,2 * * *", "America/Los_Angeles"),
    Schedule("*/20 9-17 * * 1-5", "Europe/London"),
    Schedule("0 0 31 * *", "Pacific/Apia"),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.data())
def test_missing_is_due_less_completed_and_restated(
    schedule: Schedule, data: st.DataObject
) -> None:
    start = utc(*data.draw(st.sampled_from([(2024, 3, 8), (2024, 10, 31), (2011, 12, 27)])))
    instants = st.integers(start, start + 9 * DAY)
    spans = st.lists(st.tuples(instants, instants).map(lambda p: (min(p), max(p))), max_size=4)
    ticks = schedule.ticks(start, start + 9 * DAY) or [start]
    aligned = st.lists(st.tuples(st.sampled_from(ticks), st.sampled_from(ticks)), max_size=3)
    window = due(schedule, start, data.draw(instants))
    done = IntervalSet(data.draw(spans)) | IntervalSet((min(p), max(p)) for p in data.draw(aligned))
    again = IntervalSet(data.draw(spans))
    found = missing(schedule, window, done, again)

    every = [unit for a, b in window for unit in schedule.intervals(a, b)]
    expected = [u for u in every if not done.covers(*u) or again.overlaps(*u)]
    assert list(units(schedule, found)) == expected
    assert count_units(schedule, found) == len(expected)
    assert found == IntervalSet(expected)
    assert missing(schedule, window, EMPTY) == window
    assert missing(schedule, window, window) == EMPTY
    assert missing(schedule, window, done | found) == EMPTY


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ((2024, 1, 3), (2024, 1, 4), (3, 4)),
        ((2024, 1, 3, 5), (2024, 1, 4), (3, 4)),
        ((2024, 1, 3, 5), (2024, 1, 5, 23, 59, 59), (3, 5)),
        ((2024, 1, 3), (2024, 1, 3), None),
        ((2024, 1, 3, 1), (2024, 1, 3, 20), None),
    ],
)
def test_the_window_rule(
    start: tuple[int, ...], end: tuple[int, ...], expected: tuple[int, int] | None
) -> None:
    window = due(Schedule("@daily"), utc(*start), utc(*end))
    if expected is None:
        assert not window
    else:
        assert window.span == (utc(2024, 1, expected[0]), utc(2024, 1, expected[1]))
        assert due(Schedule("@daily"), *window.span) == window


def test_a_window_that_ends_before_it_starts() -> None:
    with pytest.raises(TimeError, match="swap the two"):
        due(Schedule("@daily"), DAY, 0)


def test_a_changed_schedule_keeps_what_it_covers() -> None:
    daily, hourly = Schedule("@daily"), Schedule("@hourly")
    window = IntervalSet([(0, 10 * DAY)])
    done = IntervalSet([(0, 3 * DAY), (4 * DAY, 4 * DAY + 5 * HOUR)])
    assert count_units(hourly, missing(hourly, window, done)) == 24 + 19 + 5 * 24
    assert count_units(daily, missing(daily, window, done)) == 7


def test_a_window_off_the_ticks_is_read_by_the_window_rule() -> None:
    window = IntervalSet([(5 * HOUR, DAY + HOUR), (3 * DAY + 1, 3 * DAY + 2)])
    assert missing(Schedule("@daily"), window, EMPTY).ranges == ((0, DAY),)


@pytest.mark.parametrize(
    "make",
    [
        lambda _: EMPTY,
        lambda window: IntervalSet(
            (start, start + 1800)
            for start in random.Random(3).sample(range(window[0], window[1], 1800), 1000)
        ),
    ],
)
def test_ten_million_intervals_take_no_memory_to_plan_and_count(
    make: Callable[[tuple[int, int]], IntervalSet],
) -> None:
    """A minute each, for nineteen years: the plan holds ranges, and units come one by one."""
    schedule = Schedule("* * * * *", "Europe/London")
    window = due(schedule, utc(2005, 1, 1), utc(2005, 1, 1) + 10_000_000 * 60)
    assert window.span is not None
    done = make(window.span)
    tracemalloc.start()
    try:
        plan = missing(schedule, window, done)
        total = count_units(schedule, plan)
        first = list(itertools.islice(units(schedule, plan), 3))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == 10_000_000 - sum(end - start for start, end in done) // 60
    assert first[0][0] == plan.ranges[0][0]
    assert peak < 3_000_000


def test_a_hundred_thousand_ranges_are_ordinary() -> None:
    odd = IntervalSet((n * HOUR, (n + 1) * HOUR) for n in range(1, 200_000, 2))
    window = IntervalSet([(0, 200_000 * HOUR)])
    even = window - odd
    assert (len(odd), len(even)) == (100_000, 100_000)
    assert odd | even == window
    assert odd & even == EMPTY
    schedule = Schedule("@hourly")
    plan = missing(schedule, window, odd)
    assert plan == even
    assert count_units(schedule, plan) == 100_000
    assert sum(1 for _ in units(schedule, plan)) == 100_000
    assert all(odd.overlaps(n * HOUR, (n + 1) * HOUR) == bool(n % 2) for n in range(2000))
