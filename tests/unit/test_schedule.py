"""Schedules: the tables everyone should know, what the syntax means, and what is refused."""

import pickle
import random
from itertools import pairwise
from typing import Any

import pytest

from seeknal.errors import ScheduleError, TimeError
from seeknal.workflow.intervals import due
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.zones import EARLIEST, LATEST, year_changes
from tests.unit.schedule_oracles import DAY, at, seconds_of, utc

LA = "America/Los_Angeles"


def local(cron: str, zone: str, start: int, end: int) -> list[str]:
    """Ticks as wall clock text with the UTC offset."""
    return [at(t, zone).strftime("%m-%d %H:%M%z") for t in Schedule(cron, zone).ticks(start, end)]


def days(cron: str, start: int, end: int) -> list[str]:
    return [at(t, "UTC").strftime("%Y-%m-%d") for t in Schedule(cron).ticks(start, end)]


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        ((2025, 3, 9), utc(2025, 3, 9, 8), utc(2025, 3, 10, 7)),
        ((2025, 11, 2), utc(2025, 11, 2, 7), utc(2025, 11, 3, 8)),
    ],
)
def test_days_of_clock_changes_run_from_local_midnight_to_local_midnight(
    day: tuple[int, int, int], start: int, end: int
) -> None:
    schedule = Schedule("@daily", LA)
    noon = utc(*day, 20)
    assert (schedule.floor(noon), schedule.next(noon)) == (start, end)
    assert (end - start) // 3600 in (23, 25)


@pytest.mark.parametrize("day", [(2025, 3, 9), (2025, 11, 2)])
def test_hours_keep_counting_while_the_clock_changes(day: tuple[int, int, int]) -> None:
    schedule = Schedule("@hourly", LA)
    midnight, now = utc(*day), utc(*day, 9, 30)
    assert schedule.count(midnight, schedule.floor(now)) == 9
    assert schedule.floor(now) == utc(*day, 9)


@pytest.mark.parametrize(
    ("cron", "now", "floor"),
    [
        ("0 0 1-20 * *", utc(2025, 1, 25, 6), utc(2025, 1, 20)),
        ("*/10 9-17 * * *", utc(2025, 1, 5, 20), utc(2025, 1, 5, 17, 50)),
    ],
)
def test_floor_is_a_tick_of_the_schedule(cron: str, now: int, floor: int) -> None:
    assert Schedule(cron).floor(now) == floor


def test_a_fixed_time_fires_once_on_a_day_that_has_it_twice() -> None:
    assert local("30 1 * * *", LA, utc(2025, 11, 2, 7), utc(2025, 11, 3, 8)) == ["11-02 01:30-0700"]


def test_a_fixed_time_that_is_skipped_fires_after_the_gap() -> None:
    window = utc(2025, 3, 9, 8), utc(2025, 3, 10, 8)
    assert local("30 2 * * *", LA, *window) == ["03-09 03:00-0700"]
    assert local("0,30 2,3 * * *", LA, *window) == ["03-09 03:00-0700", "03-09 03:30-0700"]


def test_a_schedule_that_follows_the_clock_fires_at_real_matches_only() -> None:
    gap, twice = utc(2025, 3, 9, 9, 30), utc(2025, 11, 2, 8, 30)
    assert local("30 * * * *", LA, gap, gap + 2 * 3600) == ["03-09 01:30-0800", "03-09 03:30-0700"]
    assert local("*/30 2 * * *", LA, gap, gap + 12 * 3600) == []
    assert local("*/30 1 * * *", LA, twice - 1800, twice + 7200) == [
        "11-02 01:00-0700",
        "11-02 01:30-0700",
        "11-02 01:00-0800",
        "11-02 01:30-0800",
    ]
    assert local("30 1 * * * 0", LA, twice - 1800, twice + 7200) == [
        "11-02 01:30-0700",
        "11-02 01:30-0800",
    ]


def test_half_hour_changes_of_lord_howe() -> None:
    zone = "Australia/Lord_Howe"
    forward, back = utc(2025, 10, 4, 15, 30), utc(2025, 4, 5, 15)
    assert local("15 2 * * *", zone, forward - 3600, forward + 3600) == ["10-05 02:30+1100"]
    assert local("0 * * * *", zone, forward - 3600, forward + 5400) == [
        "10-05 01:00+1030",
        "10-05 03:00+1100",
    ]
    assert local("45 1 * * *", zone, back - DAY // 2, back + DAY // 2) == ["04-06 01:45+1100"]
    assert local("45 * * * *", zone, back - 1800, back + 3600) == [
        "04-06 01:45+1100",
        "04-06 01:45+1030",
    ]
    assert Schedule("@daily", zone).next(back) - Schedule("@daily", zone).floor(back) == 88_200


def test_the_day_that_samoa_skipped() -> None:
    zone = "Pacific/Apia"
    window = utc(2011, 12, 29), utc(2012, 1, 2)
    assert local("@daily", zone, *window) == [
        "12-29 00:00-1000",
        "12-31 00:00+1400",
        "01-01 00:00+1400",
        "01-02 00:00+1400",
    ]
    assert local("0 5,17 30 12 *", zone, *window) == ["12-31 00:00+1400"]
    assert local("*/30 5 30 12 *", zone, *window) == []


def test_before_the_first_law_the_clock_is_the_sun() -> None:
    schedule = Schedule("@daily", "America/New_York")
    tick = schedule.floor(utc(1882, 6, 1, 12))
    assert at(tick, "America/New_York").isoformat() == "1882-06-01T00:00:00-04:56:02"


@pytest.mark.parametrize(
    ("cron", "start", "end", "expected"),
    [
        ("0 0 31 * *", utc(2025, 1, 1), utc(2026, 1, 1), "01 03 05 07 08 10 12"),
        ("0 0 29 2 *", utc(1896, 1, 1), utc(1909, 1, 1), "1896-02-29 1904-02-29 1908-02-29"),
        ("0 0 L * *", utc(2024, 1, 1), utc(2024, 5, 1), "01-31 02-29 03-31 04-30"),
        ("0 0 * * 5#2", utc(2025, 1, 1), utc(2025, 4, 1), "01-10 02-14 03-14"),
        ("0 0 * * L5", utc(2025, 1, 1), utc(2025, 4, 1), "01-31 02-28 03-28"),
        ("0 0 15W * *", utc(2025, 2, 1), utc(2025, 6, 1), "02-14 03-14 04-15 05-15"),
        ("0 0 1W * *", utc(2025, 2, 1), utc(2025, 4, 1), "02-03 03-03"),
        ("0 0 31W * *", utc(2025, 8, 1), utc(2025, 10, 1), "08-29 09-30"),
        ("0 0 * feb-apr/2 mon#1", utc(2025, 1, 1), utc(2026, 1, 1), "02-03 04-07"),
        ("0 0 13 * fri", utc(2025, 6, 1), utc(2025, 6, 15), "06-06 06-13"),
        ("0 0 15 * 5#2", utc(2025, 6, 1), utc(2025, 7, 1), "06-13 06-15"),
        ("0 0 15-L * *", utc(2025, 2, 25), utc(2025, 3, 3), "02-25 02-26 02-27 02-28"),
        ("0 0 * * fri-mon", utc(2025, 6, 2), utc(2025, 6, 9), "06-02 06-06 06-07 06-08"),
        ("0 0 * * 7", utc(2025, 6, 1), utc(2025, 6, 12), "06-01 06-08"),
        ("0 0 ? * SUN", utc(2025, 6, 1), utc(2025, 6, 12), "06-01 06-08"),
        ("@weekly", utc(2025, 6, 1), utc(2025, 6, 12), "06-01 06-08"),
        ("@quarterly", utc(2025, 1, 1), utc(2026, 1, 1), "01-01 04-01 07-01 10-01"),
        ("@monthly", utc(2025, 1, 2), utc(2025, 4, 1), "02-01 03-01"),
        ("@yearly", utc(2024, 1, 1), utc(2026, 1, 1), "2024-01-01 2025-01-01"),
        ("@annually", utc(2024, 1, 1), utc(2026, 1, 1), "2024-01-01 2025-01-01"),
        ("@midnight", utc(2024, 1, 1), utc(2024, 1, 3), "01-01 01-02"),
    ],
)
def test_the_days_a_cron_means(cron: str, start: int, end: int, expected: str) -> None:
    found = days(cron, start, end)
    words = expected.split()
    width = len(words[0])
    shown = [day[5:7] if width == 2 else day[-width:] for day in found]
    assert shown == words


def test_rarest_of_all_a_fifth_monday_in_february() -> None:
    assert days("0 0 * 2 1#5", utc(1900, 1, 1), utc(1950, 1, 1)) == ["1904-02-29", "1932-02-29"]
    sundays = Schedule("0 0 * 2 0#5")
    assert sundays.next(utc(2088, 2, 29)) == utc(2128, 2, 29)
    assert sundays.floor(utc(2128, 2, 28)) == utc(2088, 2, 29)


def test_the_sixth_field_is_seconds() -> None:
    schedule = Schedule("* * * * * */20")
    start = utc(2025, 1, 1)
    assert schedule.ticks(start, start + 61) == [start, start + 20, start + 40, start + 60]
    assert schedule.count(start, start + DAY) == 3 * 1440
    assert Schedule("0 0 * * * 5,50").ticks(start, start + DAY) == [start + 5, start + 50]


@pytest.mark.parametrize(
    ("cron", "word"),
    [
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6,9,11 *", "never fires"),
        ("@reboot", "has no times"),
        ("@fortnightly", "@weekly"),
        ("R * * * *", "random"),
        ("0 R(1-5) * * *", "random"),
        ("H H * * *", "hashed"),
        ("H/15 * * * *", "hashed"),
        ("61 * * * *", "'61' is no minute"),
        ("0 24 * * *", "'24' is no hour"),
        ("0 0 0 * *", "'0' is no day of month"),
        ("0 0 1 13 *", "'13' is no month"),
        ("0 0 * * 8", "'8' is no day of week"),
        ("0 0 * * * 60", "'60' is no second"),
        ("*/0 * * * *", "'*/0' is no minute"),
        ("0 0 * * 1#6", "day of week"),
        ("0 0 1W,5 * *", "or 15W alone"),
        ("0 0 LW * *", "or 15W alone"),
        ("0 0 * * 1,5#2", "or 5#2 or L5 alone"),
        ("0 0 * * Lfri", "L takes a number"),
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("* * * * * * 2025", "7 fields"),
        ("every day", "2 fields"),
        ("- - - - -", "minute"),
        ("\u0665 * * * *", "minute"),
        (f"{'9' * 5000} * * * *", "minute"),
    ],
)
def test_what_is_no_schedule_is_one_clear_sentence(cron: str, word: str) -> None:
    with pytest.raises(ScheduleError) as caught:
        Schedule(cron)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("text", [None, 5, b"@daily", []])
def test_crons_zones_and_schedules_are_texts(text: Any) -> None:
    with pytest.raises(ScheduleError, match="not a cron expression"):
        Schedule(text)
    with pytest.raises(ScheduleError, match="no time zone"):
        Schedule("@daily", text)
    with pytest.raises(ScheduleError, match="no schedule"):
        Schedule.parse(text)


@pytest.mark.parametrize(
    "zone",
    ["Mars/Base", "", "America", "../etc/passwd", "right/UTC", "\0", "localtime", "x" * 5000,
     "America.Indiana/Knox", "America/../America/Chicago", "posixrules"],
)  # fmt: skip
def test_unknown_zones(zone: str) -> None:
    with pytest.raises(ScheduleError, match="no time zone") as caught:
        Schedule("@daily", zone)
    assert "mean 'localtime'" not in str(caught.value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("zone", "meant"),
    [("Europe/Londn", "Europe/London"), ("utc", "UTC"), ("EUROPE/LONDON", "Europe/London"),
     ("America.Indiana/Knox", "America/Indiana/Knox")],
)  # fmt: skip
def test_a_zone_that_is_nearly_right_is_suggested(zone: str, meant: str) -> None:
    with pytest.raises(ScheduleError, match=f"did you mean '{meant}'"):
        Schedule("@daily", zone)


def test_times_that_every_clock_change_skips() -> None:
    """Sundays at 02:xx that clocks go forward, by real matches: none since 2007."""
    schedule = Schedule("* 2 * 3 0#2", "America/New_York")
    assert schedule.floor(utc(2030, 1, 1)) == utc(2006, 3, 12, 7, 59)
    with pytest.raises(ScheduleError, match="clock changes skip all its times"):
        schedule.next(utc(2030, 1, 1))
    window = due(schedule, utc(2004, 1, 1), utc(2030, 1, 1))
    assert window.span == (utc(2003, 3, 9, 7, 59), utc(2006, 3, 12, 7, 59))


@pytest.mark.parametrize("instant", [EARLIEST - 1, LATEST + 1, 10**15, -(10**15), 1.5, True])
def test_instants_beyond_the_years_are_refused(instant: int) -> None:
    schedule = Schedule("@daily", LA)
    for call in (
        schedule.floor,
        schedule.next,
        schedule.ceil,
        lambda t: schedule.ticks(0, t),
        lambda t: schedule.count(0, t),
        lambda t: schedule.iter_ticks(0, t),
        lambda t: schedule.intervals(0, t),
        lambda t: schedule.floors([t]),
        lambda t: schedule.ceils([t]),
        lambda t: schedule.ranks([t]),
    ):
        with pytest.raises(TimeError):
            call(instant)


@pytest.mark.parametrize("zone", ["UTC", LA, "Asia/Tokyo", "Pacific/Apia"])
@pytest.mark.parametrize("cron", ["@hourly", "@daily", "@yearly", "0 0 29 2 *", "0 0 * 2 1#5"])
def test_intervals_at_the_edges_of_the_years_are_whole(cron: str, zone: str) -> None:
    schedule = Schedule(cron, zone)
    for edge in (EARLIEST, LATEST):
        assert schedule.floor(edge) <= edge < schedule.next(edge)
        assert schedule.floor(edge) <= edge <= schedule.ceil(edge)
    for year in (1900, 2101):
        edge = utc(year, 1, 1)
        (start, end), *_ = schedule.intervals(schedule.floor(edge), edge + 1)
        assert start <= edge < end


def test_schedules_are_values() -> None:
    one, same = Schedule(" @daily ", LA), Schedule("@daily", LA)
    assert one == same
    assert hash(one) == hash(same)
    assert one != Schedule("@daily")
    assert pickle.loads(pickle.dumps(one)) == same
    assert Schedule.parse(str(one)) == one
    assert str(Schedule("0  0 * * *")) == "0 0 * * * UTC"
    with pytest.raises(AttributeError):
        one.cron = "@hourly"  # type: ignore[misc]
    with pytest.raises(ScheduleError, match="with a time zone"):
        Schedule.parse("@daily")


def test_empty_and_reversed_ranges_hold_nothing() -> None:
    schedule = Schedule("@hourly")
    for end in (0, -5000):
        assert schedule.ticks(0, end) == []
        assert schedule.count(0, end) == 0
        assert list(schedule.iter_ticks(0, end)) == []
        assert list(schedule.intervals(0, end)) == []
        assert list(schedule.intervals(0, end, newest_first=True)) == []
    assert (schedule.floors([]), schedule.ceils([]), schedule.ranks([])) == ([], [], [])


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("cron", ["@hourly", "*/5 9-17 * * 1-5", "0 0 L * *", "7,8 2 * * * 3"])
def test_one_range_in_every_way(cron: str, zone: str) -> None:
    schedule = Schedule(cron, zone)
    start, end = utc(2015, 2, 3, 4, 5, 6), utc(2025, 11, 2, 5, 45)
    ticks = schedule.ticks(start, end)
    assert list(schedule.iter_ticks(start, end)) == ticks
    assert schedule.count(start, end) == len(ticks)
    assert list(schedule.intervals(start, end)) == [
        *pairwise(ticks),
        (ticks[-1], schedule.next(ticks[-1])),
    ]
    newest_first = list(schedule.intervals(start, end, newest_first=True))
    assert newest_first == list(schedule.intervals(start, end))[::-1]


def test_many_instants_at_once_are_as_one_by_one() -> None:
    chosen = random.Random(7)
    for cron, zone in (
        ("@hourly", "UTC"),
        ("@daily", "America/Havana"),
        ("30 1 * * *", "Australia/Lord_Howe"),
        ("*/7 0-3 * * *", "Africa/Cairo"),
        ("0 0 30 12 *", "Pacific/Apia"),
        ("0 12 1 * *", "Pacific/Kwajalein"),
    ):
        schedule = Schedule(cron, zone)
        instants = sorted(chosen.randrange(utc(1960, 1, 1), utc(2030, 1, 1)) for _ in range(300))
        instants += schedule.ticks(instants[-1], instants[-1] + 900 * DAY)[:20]
        assert schedule.floors(instants) == [schedule.floor(t) for t in instants]
        assert schedule.ceils(instants) == [schedule.ceil(t) for t in instants]
        assert schedule.ranks(instants) == [schedule.count(instants[0], t) for t in instants]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Sao_Paulo", LA])
@pytest.mark.parametrize("cron", ["@daily", "*/10 * * * *", "@monthly"])
def test_a_tick_that_is_near_costs_no_look_at_far_years(cron: str, zone: str) -> None:
    schedule, instant = Schedule(cron, zone), utc(2025, 6, 15)
    year_changes.cache_clear()
    assert schedule.floor(instant) <= instant < schedule.next(instant)
    assert year_changes.cache_info().misses <= 3


def test_the_machines_own_zone_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    window = utc(2025, 3, 1), utc(2025, 4, 1)
    expected = Schedule("30 2 * * *", LA).ticks(*window)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        assert Schedule("30 2 * * *", LA).ticks(*window) == expected
        assert seconds_of(at(expected[0], LA)) == expected[0]
    finally:
        monkeypatch.undo()
        time.tzset()
