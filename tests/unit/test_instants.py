"""What people write as times, and what they are shown."""

from datetime import UTC, date, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seeknal.errors import ScheduleError, TimeError
from seeknal.workflow.instants import (
    format_instant,
    format_interval,
    has_offset,
    is_bare_date,
    parse_instant,
    to_datetime,
    to_seconds,
)
from seeknal.workflow.schedule import Schedule
from tests.unit.schedule_oracles import ZONES, at, utc

NEW_YORK = "America/New_York"
PARIS = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (datetime(2024, 1, 1), utc(2024, 1, 1, 5)),
        (datetime(2024, 7, 1, 12, 30, 15, 999_999), utc(2024, 7, 1, 16, 30, 15)),
        (datetime(2024, 1, 1, tzinfo=UTC), utc(2024, 1, 1)),
        (datetime(2024, 1, 1, tzinfo=PARIS), utc(2023, 12, 31, 23)),
        (datetime(1960, 1, 1, 0, 0, 0, 1, tzinfo=UTC), utc(1960, 1, 1)),
        (datetime(2024, 1, 1, tzinfo=ZoneInfo("Asia/Tokyo")), utc(2023, 12, 31, 15)),
        (date(2024, 1, 1), utc(2024, 1, 1, 5)),
        ("2024-01-01", utc(2024, 1, 1, 5)),
        (" 2024-01-01 ", utc(2024, 1, 1, 5)),
        ("2024-01-01T06", utc(2024, 1, 1, 11)),
        ("2024-01-01T06:30", utc(2024, 1, 1, 11, 30)),
        ("2024-01-01 06:30:15", utc(2024, 1, 1, 11, 30, 15)),
        ("2024-01-01t06:30:15.75", utc(2024, 1, 1, 11, 30, 15)),
        ("2024-01-01T06:30:15,123456789", utc(2024, 1, 1, 11, 30, 15)),
        ("2024-01-01T00:00Z", utc(2024, 1, 1)),
        ("2024-01-01T00:00z", utc(2024, 1, 1)),
        ("2024-01-01T00:00+01:00", utc(2023, 12, 31, 23)),
        ("2024-01-01T00:00+0530", utc(2023, 12, 31, 18, 30)),
        ("2024-01-01T00-08", utc(2024, 1, 1, 8)),
        ("1906-08-31T00:00-07:33:52", utc(1906, 8, 31, 7, 33, 52)),
    ],
)
def test_what_is_a_time(value: datetime | date | str, expected: int) -> None:
    assert to_seconds(value, NEW_YORK) == expected


@pytest.mark.parametrize(
    ("value", "word"),
    [
        ("", "is not a time; write"),
        ("yesterday", "is not a time; write"),
        ("2024-13-01", "month must be"),
        ("2024-02-30", "day"),
        ("2023-02-29T00:00", "day"),
        ("2024-01-01T25:00", "hour must be"),
        ("2024-01-01T05:61", "minute must be"),
        ("2024-01-01T05:00+25:00", "is not a time"),
        ("2024-1-1", "write 2024-01-31"),
        ("20240101", "write 2024-01-31"),
        ("2024-W01-1", "write 2024-01-31"),
        ("01/02/2024", "write 2024-01-31"),
        ("2024-01-01Z", "write 2024-01-31"),
        ("2024-01-01T05:00 Europe/Paris", "write 2024-01-31"),
        ("1704067200", "write 2024-01-31"),
        ("\u0662\u0660\u0662\u0664-01-01", "write 2024-01-31"),
        ("1899-12-31", "outside the years"),
        ("2101-01-02", "outside the years"),
        (datetime(1, 1, 1), "outside the years"),
        (datetime.max.replace(tzinfo=UTC), "outside the years"),
        (datetime(1849, 12, 31), "outside the years 1900 to 2100"),
        (date(2151, 1, 2), "outside the years 1900 to 2100"),
        ("x" * 5000, "xxx...' is not a time"),
        (1704067200, "give a datetime"),
        (12.5, "give a datetime"),
        (True, "give a datetime"),
        (None, "give a datetime"),
    ],
)
def test_what_is_no_time_is_one_clear_sentence(value: str, word: str) -> None:
    with pytest.raises(TimeError) as caught:
        to_seconds(value, NEW_YORK)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 200


def test_an_unknown_zone() -> None:
    for call in (lambda: to_seconds("2024-01-01", "X/Y"), lambda: to_datetime(0, "X/Y")):
        with pytest.raises(ScheduleError, match="no time zone"):
            call()


def test_the_edges_of_the_years() -> None:
    for zone in ("UTC", "Asia/Tokyo", NEW_YORK):
        assert at(to_seconds("1900-01-01", zone), zone).year == 1900
        assert at(to_seconds("2101-01-01", zone) - 1, zone).year == 2100


@pytest.mark.parametrize("cron", ["@weekly", "0 0 29 2 *", "0 0 * 2 1#5"])
def test_what_begins_before_or_ends_after_the_years_can_be_given_back(cron: str) -> None:
    """A person writes 1900 to 2100; what is computed from that reaches beyond."""
    schedule = Schedule(cron, NEW_YORK)
    early = schedule.floor(parse_instant("1900-01-01", NEW_YORK))
    late = schedule.next(parse_instant("2101-01-01", NEW_YORK) - 1)
    for instant in (early, late):
        for naive in (True, False):
            assert to_seconds(to_datetime(instant, NEW_YORK, naive=naive), NEW_YORK) == instant
        text = to_datetime(instant, NEW_YORK).isoformat()
        assert parse_instant(text, NEW_YORK, computed=True) == instant
        with pytest.raises(TimeError, match="outside the years 1900 to 2100"):
            parse_instant(text, NEW_YORK)


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2025-03-09T02:30", NEW_YORK, utc(2025, 3, 9, 7)),
        ("2025-03-09T02:00", NEW_YORK, utc(2025, 3, 9, 7)),
        ("2025-03-09T03:00", NEW_YORK, utc(2025, 3, 9, 7)),
        ("2025-10-05T02:15", "Australia/Lord_Howe", utc(2025, 10, 4, 15, 30)),
        ("2018-11-04", "America/Sao_Paulo", utc(2018, 11, 4, 3)),
        ("2011-12-30", "Pacific/Apia", utc(2011, 12, 30, 10)),
        ("2011-12-30T17:00", "Pacific/Apia", utc(2011, 12, 30, 10)),
    ],
)
def test_a_time_that_does_not_exist_is_the_first_after_the_gap(
    text: str, zone: str, expected: int
) -> None:
    assert parse_instant(text, zone) == expected
    for fold in (0, 1):
        value = datetime.fromisoformat(text).replace(fold=fold)
        assert to_seconds(value, zone) == expected
        assert to_seconds(value.replace(tzinfo=ZoneInfo(zone)), "UTC") == expected


def test_a_time_that_exists_twice_is_the_first_unless_it_says_otherwise() -> None:
    first, second = utc(2025, 11, 2, 5, 30), utc(2025, 11, 2, 6, 30)
    value = datetime(2025, 11, 2, 1, 30)
    assert to_seconds(value, NEW_YORK) == parse_instant("2025-11-02T01:30", NEW_YORK) == first
    assert to_seconds(value.replace(fold=1), NEW_YORK) == second
    aware = value.replace(tzinfo=ZoneInfo(NEW_YORK))
    assert (to_seconds(aware, "UTC"), to_seconds(aware.replace(fold=1), "UTC")) == (first, second)
    assert parse_instant("2025-11-02T01:30-05:00", NEW_YORK) == second
    assert parse_instant("2025-11-02", "America/Havana") == utc(2025, 11, 2, 4)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("2024-01-01", True),
        (" 2024-01-01", True),
        ("2024-01-01T00:00", False),
        ("2024-01", False),
        ("20240101", False),
        ("", False),
    ],
)
def test_bare_dates(text: str, bare: bool) -> None:
    assert is_bare_date(text) is bare


def test_which_values_name_their_instant_by_themselves() -> None:
    for value in (datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00Z", "2024-01-01T00+02"):
        assert has_offset(value)
    for plain in (datetime(2024, 1, 1), date(2024, 1, 1), "2024-01-01", "2024-01-01T05:00", "x"):
        assert not has_offset(plain)


@pytest.mark.parametrize(
    ("start", "end", "zone", "expected"),
    [
        ((2024, 1, 1), (2024, 1, 2), "UTC", "2024-01-01 to 2024-01-02"),
        ((2024, 1, 1, 5), (2024, 1, 2, 5), NEW_YORK, "2024-01-01 to 2024-01-02"),
        ((2024, 1, 1, 5), (2024, 1, 1, 6), "UTC", "2024-01-01T05:00 to 2024-01-01T06:00"),
        ((2024, 1, 1), (2024, 1, 1, 6), "UTC", "2024-01-01T00:00 to 2024-01-01T06:00"),
        (
            (2024, 1, 1, 5),
            (2024, 1, 1, 5, 0, 30),
            "UTC",
            "2024-01-01T05:00:00 to 2024-01-01T05:00:30",
        ),
        (
            (2025, 11, 2, 5),
            (2025, 11, 2, 6),
            NEW_YORK,
            "2025-11-02T01:00-04:00 to 2025-11-02T01:00-05:00",
        ),
        (
            (2025, 11, 2, 6),
            (2025, 11, 2, 7),
            NEW_YORK,
            "2025-11-02T01:00-05:00 to 2025-11-02T02:00",
        ),
        ((2018, 11, 4, 3), (2018, 11, 5, 2), "America/Sao_Paulo", "2018-11-04 to 2018-11-05"),
        ((2025, 11, 2, 4), (2025, 11, 3, 5), "America/Havana", "2025-11-02 to 2025-11-03"),
        ((2011, 12, 29, 10), (2011, 12, 30, 10), "Pacific/Apia", "2011-12-29 to 2011-12-31"),
    ],
)
def test_how_an_interval_is_shown(
    start: tuple[int, ...], end: tuple[int, ...], zone: str, expected: str
) -> None:
    assert format_interval(utc(*start), utc(*end), zone) == expected
    first, last = expected.split(" to ")
    assert parse_instant(first, zone) == utc(*start)
    assert parse_instant(last, zone) == utc(*end)


@settings(max_examples=800, deadline=None, derandomize=True)
@given(st.sampled_from(ZONES), st.integers(utc(1900, 1, 2), utc(2100, 12, 31)))
@example("America/Havana", utc(2025, 11, 2, 5))
@example("America/Havana", utc(2025, 11, 2, 4))
@example("America/Sao_Paulo", utc(2018, 11, 4, 3))
@example("Canada/Mountain", utc(1906, 9, 1, 7, 33, 52))
def test_what_is_shown_is_read_back(zone: str, instant: int) -> None:
    assert parse_instant(format_instant(instant, zone), zone) == instant
    end = instant + 3600
    first, last = format_interval(instant, end, zone).split(" to ")
    assert (parse_instant(first, zone), parse_instant(last, zone)) == (instant, end)
    assert to_seconds(to_datetime(instant, zone), "UTC") == instant
    assert to_seconds(to_datetime(instant, zone, naive=True), zone) == instant


@pytest.mark.parametrize("zone", [NEW_YORK, "America/Havana", "Australia/Lord_Howe", "Asia/Gaza"])
def test_all_hours_of_a_year_read_differently(zone: str) -> None:
    schedule = Schedule("*/30 * * * *", zone)
    shown = [
        format_interval(*unit, zone)
        for unit in schedule.intervals(utc(2025, 1, 1), utc(2025, 12, 31))
    ]
    assert len(set(shown)) == len(shown)


def test_datetimes_are_of_the_zone() -> None:
    value = to_datetime(utc(2024, 1, 1, 5), NEW_YORK)
    assert value.tzinfo == ZoneInfo(NEW_YORK)
    assert to_datetime(utc(2024, 1, 1, 5), NEW_YORK, naive=True) == datetime(2024, 1, 1)
    assert to_datetime(utc(2025, 11, 2, 6, 30), NEW_YORK, naive=True).fold == 1
