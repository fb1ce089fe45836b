"""Ticks tile time: for random crons, in every zone, at random instants of 1900 to 2100."""

from itertools import pairwise
from random import Random
from zoneinfo import _zoneinfo  # type: ignore[attr-defined]

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from seeknal.errors import ScheduleError
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.zones import _PROBE, load_zone, local_to_instant, stretches
from tests.unit.schedule_oracles import (
    DAY,
    MONTHS,
    WEEKDAYS,
    ZONES,
    at,
    changes,
    follows_clock,
    near_a_change,
    random_cron,
    utc,
)

instants = st.integers(utc(1900, 1, 1), utc(2101, 1, 1) - 1)


def fields(low: int, high: int, names: tuple[str, ...] = ()) -> st.SearchStrategy[str]:
    number = st.integers(low, high)
    one = number.map(str)
    if names:
        one |= number.map(lambda n: names[n - low])
    step = st.integers(1, high).map(lambda n: f"/{n}") | st.just("")
    item = st.one_of(
        one,
        st.builds(lambda s: f"*{s}", step),
        st.builds(lambda a, b, s: f"{a}-{b}{s}", number, number, step),
        st.builds(lambda a, s: f"{a}{s}", number, step),
    )
    return st.lists(item, min_size=1, max_size=3).map(",".join)


def crons() -> st.SearchStrategy[str]:
    star, weekday = st.just("*"), st.integers(0, 6)
    special = st.builds(lambda d, n: f"{d}#{n}", weekday, st.integers(1, 5))
    special |= weekday.map(lambda d: f"L{d}")
    five = (
        fields(0, 59) | st.sampled_from(("0", "30", "*")),
        fields(0, 23) | star,
        fields(1, 31) | st.sampled_from(("L", "15,L", "15W", "31", "?")) | star,
        fields(1, 12, tuple(MONTHS)) | star,
        fields(0, 6, tuple(WEEKDAYS)) | special | star,
    )
    names = st.sampled_from(("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly"))
    without, with_seconds = st.tuples(*five), st.tuples(*five, fields(0, 59))
    expression = st.integers(0, 5).flatmap(lambda n: with_seconds if n == 0 else without)
    return names | expression.map(" ".join)


# Made once: hypothesis looks through a strategy that it meets for the first time.
CRONS = crons()


def made(cron: str, zone: str) -> Schedule:
    """The schedule, unless it names a day that does not exist."""
    try:
        return Schedule(cron, zone)
    except ScheduleError as error:
        assume("never fires" not in str(error))
        raise


@settings(max_examples=500, deadline=None, derandomize=True)
@given(CRONS, st.sampled_from(ZONES), instants)
@example("@daily", "Pacific/Apia", utc(2011, 12, 30, 9, 59, 59))
@example("30 2 * * *", "Australia/Lord_Howe", utc(2025, 10, 4, 15, 30))
@example("*/5 0 * * *", "America/Havana", utc(2024, 11, 3, 5))
@example("0 12 * * *", "Pacific/Kwajalein", utc(1969, 10, 1))
def test_ticks_tile_time(cron: str, zone: str, instant: int) -> None:
    assume(tiles(made(cron, zone), instant) or follows_clock(cron))


def test_ticks_tile_time_in_every_zone_near_its_clock_changes() -> None:
    chance, tiled = Random(42), 0
    for zone in ZONES:
        for cron in (random_cron(chance), random_cron(chance, seconds=False), "@daily"):
            done = tiles(Schedule(cron, zone), near_a_change(chance, zone) + 3600)
            assert done or follows_clock(cron)
            tiled += done
    assert tiled > 2.7 * len(ZONES)


def tiles(schedule: Schedule, instant: int) -> bool:
    """Check the laws around an instant; False if the schedule has no tick there.

    All its times are then inside the gaps of clock changes.
    """
    try:
        floor, after = schedule.floor(instant), schedule.next(instant)
        later = schedule.next(min(after, utc(2149, 1, 1)))
    except ScheduleError:
        return False
    assert floor <= instant < after < later or after > utc(2149, 1, 1)
    assert schedule.next(floor) == after
    assert schedule.floor(floor) == schedule.ceil(floor) == floor
    assert schedule.floor(after - 1) == floor
    assert schedule.ceil(after - 1) == (floor if floor == after - 1 else after)
    if after < utc(2149, 1, 1):
        assert schedule.floor(after) == after
        assert schedule.ticks(floor, after + 1) == [floor, after]
        assert list(schedule.intervals(floor, after + 1)) == [(floor, after), (after, later)]
    return True


@settings(max_examples=200, deadline=None, derandomize=True)
@given(CRONS, st.sampled_from(ZONES), instants, st.integers(1, 20 * DAY))
def test_every_way_to_ask_gives_the_same_ticks(
    cron: str, zone: str, start: int, length: int
) -> None:
    schedule = made(cron, zone)
    width = length if len(cron.split()) < 6 else length // 40
    end = start + width
    ticks = schedule.ticks(start, end)
    assert all(start <= tick < end for tick in ticks)
    assert all(one < other for one, other in pairwise(ticks))
    assert schedule.count(start, end) == len(ticks)
    assert list(schedule.iter_ticks(start, end)) == ticks
    middle = start + width // 3
    assert schedule.ticks(start, middle) + schedule.ticks(middle, end) == ticks
    assert schedule.count(start, middle) + schedule.count(middle, end) == len(ticks)
    if ticks:
        assert schedule.floor(end - 1) == ticks[-1]
        assert schedule.ceil(start) == ticks[0]
        intervals = list(schedule.intervals(start, end))
        assert list(schedule.intervals(start, end, newest_first=True)) == intervals[::-1]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(ZONES), st.integers(1901, 2099), st.data())
def test_stretches_tile_time_and_agree_with_the_zone(
    zone: str, year: int, data: st.DataObject
) -> None:
    start = utc(year, 1, 1) + data.draw(st.integers(0, 300 * DAY))
    end = start + data.draw(st.integers(1, 500 * DAY))
    found = list(stretches(load_zone(zone), start, end))
    assert (found[0].start, found[-1].end) == (start, end)
    for one, other in pairwise(found):
        assert one.end == other.start
        assert one.offset != other.offset
    assert [one.end for one in found[:-1]] == [change for change, _ in changes(zone, start, end)]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.sampled_from(ZONES), instants)
def test_an_instant_is_found_by_its_local_time(zone: str, instant: int) -> None:
    shown = at(instant, zone)
    offset = shown.utcoffset()
    assert offset is not None
    local = instant + int(offset.total_seconds())
    assert local_to_instant(load_zone(zone), local, shown.fold) == instant


def test_no_two_clock_changes_are_closer_than_the_probe() -> None:
    """Read from the database itself, by the parser of the standard library."""
    closest = {}
    for zone in ZONES:
        table = _zoneinfo.ZoneInfo.no_cache(zone)
        previous, times = table._tti_before, []
        for time, info in zip(table._trans_utc, table._ttinfos, strict=True):
            if previous is not None and info.utcoff != previous.utcoff:
                times.append(time)
            previous = info
        closest[zone] = min((b - a for a, b in pairwise(times)), default=_PROBE * 9)
    assert min(closest.values()) > 1.5 * _PROBE


@pytest.mark.parametrize("zone", ["Africa/Freetown", "America/New_York", "Asia/Gaza"])
def test_every_change_of_the_database_is_seen(zone: str) -> None:
    table = _zoneinfo.ZoneInfo.no_cache(zone)
    expected, offset = [], table._tti_before.utcoff
    for time, info in zip(table._trans_utc, table._ttinfos, strict=True):
        if info.utcoff != offset and time > utc(1900, 1, 1):
            expected.append(time)
        offset = info.utcoff
    assert expected
    found = list(stretches(load_zone(zone), utc(1900, 1, 1), expected[-1] + 1))
    assert [stretch.end for stretch in found[:-1]] == expected
