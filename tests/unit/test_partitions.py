"""Partition formats: what a name stands for, and which names a stretch of time covers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seeknal.errors import ScheduleError, SeeknalError, TimeError, UsageError
from seeknal.workflow.durations import format_duration, parse_duration
from seeknal.workflow.interval_set import IntervalSet
from seeknal.workflow.partitions import (
    partition_of,
    partition_range,
    partition_runs,
    partitions_of,
    validate_format,
)

NEW_YORK = "America/New_York"
HOUR = 3600
DAY = 24 * HOUR
FORMATS = (
    "%Y", "%Y-%m", "%Y-%m-%d", "%Y%m%d", "%Y%j", "%G-W%V", "%G-W%V-%u", "%Y-%m-%dT%H",
    "%d.%m.%Y %H:%M", "%%%Y%%",
)  # fmt: skip


def at(*fields: int) -> int:
    return int(datetime(*fields, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("text", "form", "start", "end"),
    [
        ("2024", "%Y", (2024, 1, 1), (2025, 1, 1)),
        ("2024-02", "%Y-%m", (2024, 2, 1), (2024, 3, 1)),
        ("2023-12", "%Y-%m", (2023, 12, 1), (2024, 1, 1)),
        ("2024-02-29", "%Y-%m-%d", (2024, 2, 29), (2024, 3, 1)),
        ("20240101", "%Y%m%d", (2024, 1, 1), (2024, 1, 2)),
        ("2024/366", "%Y/%j", (2024, 12, 31), (2025, 1, 1)),
        ("2025-W01", "%G-W%V", (2024, 12, 30), (2025, 1, 6)),
        ("2020-W53-7", "%G-W%V-%u", (2021, 1, 3), (2021, 1, 4)),
        ("2024-01-01T23", "%Y-%m-%dT%H", (2024, 1, 1, 23), (2024, 1, 2)),
        ("01.02.2024 03:04", "%d.%m.%Y %H:%M", (2024, 2, 1, 3, 4), (2024, 2, 1, 3, 5)),
        ("2024%", "%Y%%", (2024, 1, 1), (2025, 1, 1)),
        ("a.c2024", "a.c%Y", (2024, 1, 1), (2025, 1, 1)),
    ],
)
def test_a_name_stands_for_a_range(
    text: str, form: str, start: tuple[int, ...], end: tuple[int, ...]
) -> None:
    assert partition_range(text, form) == (at(*start), at(*end))


@pytest.mark.parametrize(
    ("text", "form", "hours"),
    [("2024-03-10", "%Y-%m-%d", 23), ("2024-11-03", "%Y-%m-%d", 25),
     ("2024-11-03T01", "%Y-%m-%dT%H", 2), ("2024-03-10T01", "%Y-%m-%dT%H", 1),
     ("2024-W10", "%G-W%V", 167)],
)  # fmt: skip
def test_a_range_is_what_the_wall_clock_of_the_zone_shows(text: str, form: str, hours: int) -> None:
    start, end = partition_range(text, form, NEW_YORK)
    assert end - start == hours * HOUR


@pytest.mark.parametrize(
    ("text", "form", "zone", "part"),
    [
        ("2024-1-1", "%Y-%m-%d", "UTC", "not a partition of the format '%Y-%m-%d'; write it like"),
        ("2023-02-29", "%Y-%m-%d", "UTC", "write it like '2024-01-31'."),
        ("2024-01-01 ", "%Y-%m-%d", "UTC", "'2024-01-01 ' is not a partition"),
        ("2024-01-01\n", "%Y-%m-%d", "UTC", "is not a partition"),
        ("EU", "%Y", "UTC", "'EU' is not a partition of the format '%Y'; write it like '2024'."),
        ("", "%Y", "UTC", "'' is not a partition"),
        ("٢٠٢٤", "%Y", "UTC", "is not a partition"),
        ("abc2024", "a.c%Y", "UTC", "is not a partition"),
        ("2023366", "%Y%j", "UTC", "is not a partition"),
        ("2023000", "%Y%j", "UTC", "is not a partition"),
        ("2023-W53", "%G-W%V", "UTC", "is not a partition"),
        ("2024-01-01T24", "%Y-%m-%dT%H", "UTC", "is not a partition"),
        ("0000", "%Y", "UTC", "is not a partition"),
        ("9999", "%Y", "UTC", "years 1900 to 2100"),
        ("1850", "%Y", "UTC", "years 1900 to 2100"),
        ("2024-03-10T02", "%Y-%m-%dT%H", NEW_YORK, "does not exist in America/New_York: a clock"),
        ("2011-12-30", "%Y-%m-%d", "Pacific/Apia", "The day '2011-12-30' does not exist in Pac"),
    ],
)
def test_a_name_that_is_no_date_is_refused(text: str, form: str, zone: str, part: str) -> None:
    with pytest.raises(TimeError) as caught:
        partition_range(text, form, zone)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("form", "part"),
    [
        ("", "The partition format is empty"),
        ("day", "does not name a range of time; write a year (%Y), month (%Y-%m)"),
        ("%d", "does not name a range of time"),
        ("%Y-%d", "does not name a range of time"),
        ("%H:%M", "does not name a range of time"),
        ("%Y-%m-%d %M", "does not name a range of time"),
        ("%Y-W%V", "does not name a range of time"),
        ("%Y-%m-%d %S", "'%S' is not supported; use each of %Y, %m,"),
        ("%y", "'%y' is not supported"),
        ("%B %Y", "'%B' is not supported"),
        ("%Y%", "'%' is not supported"),
        ("%Y%Y", "'%Y' is there twice"),
    ],
)
def test_a_format_that_names_no_time_is_refused(form: str, part: str) -> None:
    with pytest.raises(UsageError) as caught:
        validate_format(form)
    assert part in str(caught.value)


@pytest.mark.parametrize("given", [None, 2024, []])
def test_names_and_formats_are_texts(given: Any) -> None:
    with pytest.raises(TimeError, match="is not a partition"):
        partition_range(given, "%Y")
    with pytest.raises(UsageError, match="empty"):
        validate_format(given)


def test_what_is_too_long_for_a_line_is_cut() -> None:
    for call in (lambda: partition_range("x" * 999, "%Y"), lambda: validate_format("%q" * 999)):
        with pytest.raises(UsageError) as caught:
            call()
        assert len(str(caught.value)) < 300


def test_an_unknown_zone_is_refused() -> None:
    with pytest.raises(ScheduleError, match="no time zone 'Mars'"):
        partition_range("2024", "%Y", "Mars")


@pytest.mark.parametrize("form", FORMATS)
def test_a_format_that_names_time_is_given_back(form: str) -> None:
    assert validate_format(form) == form


def test_only_what_is_wholly_covered_is_named() -> None:
    days = IntervalSet([(at(2024, 1, 1, 12), at(2024, 1, 4)), (at(2024, 1, 6), at(2024, 1, 6, 23))])
    assert partitions_of(days, "%Y-%m-%d") == ["2024-01-02", "2024-01-03"]
    assert partitions_of(days, "%Y-%m") == []
    assert partitions_of(IntervalSet(), "%Y") == []
    year = IntervalSet([(at(2023, 12, 31), at(2025, 1, 1))])
    assert partitions_of(year, "%Y") == ["2024"]
    assert partition_runs(year, "%Y-%m") == [("2024-01", "2024-12")]


def test_a_repeated_hour_is_covered_when_both_times_are() -> None:
    first = at(2024, 11, 3, 5)
    form = "%Y-%m-%dT%H"
    assert partitions_of([(first, first + HOUR)], form, NEW_YORK) == []
    assert partitions_of([(first + HOUR, first + 3 * HOUR)], form, NEW_YORK) == ["2024-11-03T02"]
    covered = [(first - HOUR, first + 3 * HOUR)]
    names = ["2024-11-03T00", "2024-11-03T01", "2024-11-03T02"]
    assert partitions_of(covered, form, NEW_YORK) == names
    assert partition_runs(covered, form, NEW_YORK) == [(names[0], names[-1])]


def test_what_is_skipped_is_not_named() -> None:
    gap = [(at(2024, 3, 10, 6), at(2024, 3, 10, 8))]
    names = ["2024-03-10T01", "2024-03-10T03"]
    assert partitions_of(gap, "%Y-%m-%dT%H", NEW_YORK) == names
    start, _ = partition_range("2011-12-29", "%Y-%m-%d", "Pacific/Apia")
    _, end = partition_range("2011-12-31", "%Y-%m-%d", "Pacific/Apia")
    names = ["2011-12-29", "2011-12-31"]
    assert partitions_of([(start, end)], "%Y-%m-%d", "Pacific/Apia") == names
    assert partition_runs([(start, end)], "%Y-%m-%d", "Pacific/Apia") == [(names[0], names[1])]


ZONES = ["UTC", NEW_YORK, "Europe/London", "Australia/Lord_Howe", "Asia/Kolkata"]
# Zones whose clock went back over a midnight or the turn of an hour or month, the time of the
# change, and the partition that was reached before it.
REPEATS = [
    ("Antarctica/Troll", at(2024, 10, 27, 1), "%Y-%m-%dT%H", "2024-10-27T02"),
    ("Pacific/Chatham", at(2024, 4, 6, 14), "%Y-%m-%dT%H", "2024-04-07T03"),
    ("America/St_Johns", at(2010, 11, 7, 2, 31), "%Y-%m-%d", "2010-11-07"),
    ("Pacific/Guam", at(1969, 1, 25, 14, 1), "%Y-%m-%d", "1969-01-26"),
    ("America/Phoenix", at(1944, 1, 1, 6, 1), "%Y-%m", "1944-01"),
    (NEW_YORK, at(2024, 11, 3, 6), "%Y-%m-%dT%H:%M", "2024-11-03T01:59"),
]
MOMENTS = st.integers(at(1990, 1, 1), at(2040, 1, 1))


@pytest.mark.parametrize(("zone", "change", "form", "name"), REPEATS)
def test_what_is_repeated_belongs_to_the_partition_reached_before(
    zone: str, change: int, form: str, name: str
) -> None:
    start, end = partition_range(name, form, zone)
    assert start < change < end
    assert partition_of(change - 1, form, zone) == name
    assert partition_of(change, form, zone) == name
    assert partition_of(start, form, zone) == name == partition_of(end - 1, form, zone)
    assert partition_of(end, form, zone) > name > partition_of(start - 1, form, zone)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(sorted({zone for zone, *_ in REPEATS} | set(ZONES))),
    MOMENTS | st.sampled_from([change for _, change, *_ in REPEATS]),
    st.integers(-90_000, 90_000),
    st.sampled_from(FORMATS),
)
def test_an_instant_is_in_the_partition_that_is_named_after_it(
    zone: str, moment: int, shift: int, form: str
) -> None:
    instant = moment + shift
    name = partition_of(instant, form, zone)
    start, end = partition_range(name, form, zone)
    assert start <= instant < end
    assert partition_of(start, form, zone) == partition_of(end - 1, form, zone) == name
    assert partitions_of([(start, end)], form, zone) == [name]
    assert partitions_of([(start + 1, end)], form, zone) == []


@pytest.mark.parametrize(
    ("zone", "start", "end", "form"),
    [
        (NEW_YORK, at(2024, 11, 3, 5, 20), at(2024, 11, 3, 6, 30), "%Y-%m-%dT%H%M"),
        ("Antarctica/Casey", at(2010, 3, 4, 10), at(2010, 3, 4, 16), "%Y-%m-%dT%H%M"),
        ("Antarctica/Casey", at(2010, 3, 4, 10), at(2010, 3, 4, 16), "%Y-%m-%dT%H"),
        ("Antarctica/Troll", at(2024, 10, 26, 22), at(2024, 10, 27, 1, 30), "%Y-%m-%dT%H"),
    ],
)
def test_a_range_that_ends_while_the_clock_repeats_itself(
    zone: str, start: int, end: int, form: str
) -> None:
    names = partitions_of([(start, end)], form, zone)
    assert partition_runs([(start, end)], form, zone) == [(names[0], names[-1])]
    assert partition_range(names[-1], form, zone)[1] <= end


def test_every_partition_of_the_years_has_a_range() -> None:
    """Also the week that the last year shares with the next, and one of a schedule's margin."""
    assert partition_of(at(2100, 12, 31), "%G-W%V") == "2100-W52"
    assert partition_range("2100-W52", "%G-W%V") == (at(2100, 12, 27), at(2101, 1, 3))
    assert partition_range("2100", "%Y") == (at(2100, 1, 1), at(2101, 1, 1))
    assert partition_of(at(1899, 12, 31), "%Y-%m-%d") == "1899-12-31"
    week = [(at(1899, 12, 31), at(1900, 1, 7))]
    assert partition_runs(week, "%Y-%m-%d") == [("1899-12-31", "1900-01-06")]
    for name in ("1899-W52", "2101-W01"):
        with pytest.raises(TimeError, match="outside the years 1900 to 2100"):
            partition_range(name, "%G-W%V")


@settings(max_examples=100, deadline=None)
@given(MOMENTS, st.integers(1, 40 * DAY), st.sampled_from(FORMATS[1:8]), st.sampled_from(ZONES))
def test_runs_are_the_ends_of_what_is_covered(
    start: int, length: int, form: str, zone: str
) -> None:
    names = partitions_of([(start, start + length)], form, zone)
    runs = partition_runs([(start, start + length)], form, zone)
    assert runs == ([(names[0], names[-1])] if names else [])
    stops = [partition_range(name, form, zone) for name in names]
    assert all(one[1] == two[0] for one, two in pairwise(stops))


def test_runs_cost_the_same_however_long() -> None:
    begun = time.process_time()
    runs = partition_runs([(at(1950, 1, 1), at(2050, 1, 1))], "%Y-%m-%dT%H:%M", NEW_YORK)
    assert runs == [("1949-12-31T19:00", "2049-12-31T18:59")]
    assert time.process_time() - begun < 1


class TestDurations:
    @given(st.integers(0, 10**9))
    def test_what_is_written_is_read_back(self, seconds: int) -> None:
        assert parse_duration(format_duration(seconds)) == seconds

    @pytest.mark.parametrize(
        "given", ["", "h", "-1h", "1.5h", "1y", "2 hours", "1h 1h", None, True, -1, 1.5, [],
                  10**12, "9" * 50, timedelta(days=-1), float("nan"), float("inf")],
    )  # fmt: skip
    def test_what_is_no_duration_is_refused(self, given: object) -> None:
        with pytest.raises(TimeError, match="is not a duration; write seconds, or a text such as"):
            parse_duration(given)

    def test_forms(self) -> None:
        texts: Sequence[object] = ("1d12h", " 1d 12h ", "36h", 129_600, timedelta(hours=36), 1296e2)
        assert {parse_duration(each) for each in texts} == {129_600}


def test_errors_are_seeknals() -> None:
    assert issubclass(TimeError, SeeknalError)
