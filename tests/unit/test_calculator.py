"""Intervals for people who have datetimes."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from seeknal.errors import ScheduleError, TimeError
from seeknal.workflow.intervals import IntervalCalculator
from seeknal.workflow.schedule import Schedule

NEW_YORK = "America/New_York"


def day(number: int, hour: int = 0) -> datetime:
    return datetime(2024, 1, number, hour)


def test_the_tutorials_gap() -> None:
    missing = IntervalCalculator().get_missing_intervals(
        completed_intervals=[(day(1), day(3)), (day(5), day(7))],
        start_date=day(1),
        end_date=day(7),
        schedule="@daily",
    )
    assert missing == [(day(3), day(4)), (day(4), day(5))]


def test_every_interval_of_a_window() -> None:
    calculator = IntervalCalculator()
    found = calculator.calculate_intervals(day(1), day(3), "0 */12 * * *")
    assert found == [
        (day(1), day(1, 12)),
        (day(1, 12), day(2)),
        (day(2), day(2, 12)),
        (day(2, 12), day(3)),
    ]
    assert calculator.calculate_intervals(day(1, 5), day(3, 23), "@daily") == [
        (day(1), day(2)),
        (day(2), day(3)),
    ]
    assert calculator.calculate_intervals(day(1), day(1), "@daily") == []
    assert calculator.calculate_intervals(date(2024, 1, 1), "2024-01-02", Schedule("@daily")) == [
        (day(1), day(2))
    ]


def test_an_interval_that_is_partly_done_is_missing_whole() -> None:
    found = IntervalCalculator().get_missing_intervals(
        [(day(2), day(3, 12)), (day(1), day(2, 1))], day(1), day(5), "@daily"
    )
    assert found == [(day(3), day(4)), (day(4), day(5))]


def test_what_is_pending_includes_what_is_restated() -> None:
    calculator, done = IntervalCalculator(), [(day(1), day(4))]
    assert calculator.get_pending_intervals(done, day(1), day(5), "@daily") == [(day(4), day(5))]
    assert calculator.get_pending_intervals(
        done, day(1), day(5), "@daily", restatement_intervals=[(day(2, 3), day(2, 4))]
    ) == [(day(2), day(3)), (day(4), day(5))]


def test_the_next_interval_starts_at_or_after() -> None:
    calculator = IntervalCalculator()
    assert calculator.get_next_interval(day(3), "@daily") == (day(3), day(4))
    assert calculator.get_next_interval(day(3, 1), "@daily") == (day(4), day(5))
    assert calculator.get_next_interval("2024-01-03", "@monthly") == (
        datetime(2024, 2, 1),
        datetime(2024, 3, 1),
    )


def test_merging() -> None:
    merged = IntervalCalculator().merge_intervals(
        [(day(5), day(6)), (day(1), day(2)), (day(2), day(3)), (day(8), day(8))]
    )
    assert merged == [(day(1), day(3)), (day(5), day(6))]
    assert IntervalCalculator().merge_intervals([]) == []


def test_naive_in_naive_out_in_the_calculators_zone() -> None:
    calculator = IntervalCalculator(NEW_YORK)
    hours = calculator.calculate_intervals("2024-11-03", "2024-11-04", "@hourly")
    assert len(hours) == 25
    assert [start.fold for start, _ in hours[:4]] == [0, 0, 1, 0]
    assert all(start.tzinfo is None and end.tzinfo is None for start, end in hours)
    assert calculator.get_missing_intervals(hours, "2024-11-03", "2024-11-04", "@hourly") == []
    (one,) = calculator.calculate_intervals(
        datetime(2024, 3, 10), datetime(2024, 3, 11), Schedule("@daily", NEW_YORK)
    )
    assert one == (datetime(2024, 3, 10), datetime(2024, 3, 11))


def test_aware_in_aware_out() -> None:
    zone = ZoneInfo(NEW_YORK)
    start, end = datetime(2024, 3, 9, 5, tzinfo=UTC), datetime(2024, 3, 11, 4, tzinfo=UTC)
    found = IntervalCalculator(NEW_YORK).calculate_intervals(start, end, "@daily")
    assert found == [
        (datetime(2024, 3, 9, tzinfo=zone), datetime(2024, 3, 10, tzinfo=zone)),
        (datetime(2024, 3, 10, tzinfo=zone), datetime(2024, 3, 11, tzinfo=zone)),
    ]
    assert found[1][0].tzinfo is not None
    assert found[1][1].astimezone(UTC) - found[1][0].astimezone(UTC) == timedelta(hours=23)
    iso = IntervalCalculator().get_next_interval("2024-01-01T00:00+01:00", "@hourly")
    assert iso[0] == datetime(2023, 12, 31, 23, tzinfo=UTC)


def test_intervals_over_a_repeated_hour() -> None:
    """New York, 2024-11-03: aware ones differ and ascend; naive ones say which by their fold."""
    zone = ZoneInfo(NEW_YORK)
    window = datetime(2024, 11, 3, tzinfo=zone), datetime(2024, 11, 4, tzinfo=zone)
    found = IntervalCalculator(NEW_YORK).calculate_intervals(*window, "*/30 * * * *")
    assert len(found) == len(set(found)) == 50
    assert found == sorted(found)
    assert {end - start for start, end in found} == {timedelta(minutes=30)}
    assert all(one[1] == other[0] for one, other in pairwise(found))
    assert found[2][0].isoformat() == "2024-11-03T01:00:00-04:00"
    assert found[4][0].isoformat() == "2024-11-03T01:00:00-05:00"
    again = IntervalCalculator(NEW_YORK).get_missing_intervals(found[:-1], *window, "*/30 * * * *")
    assert again == found[-1:]

    naive = IntervalCalculator(NEW_YORK).calculate_intervals(
        "2024-11-03", "2024-11-04", "*/30 * * * *"
    )
    assert len({(*unit, unit[0].fold, unit[1].fold) for unit in naive}) == 50
    assert len(set(naive)) == 49


@pytest.mark.parametrize("schedule", ["@weekly", "@yearly", "0 0 29 2 *"])
def test_intervals_at_the_first_year_can_be_given_back(schedule: str) -> None:
    calculator = IntervalCalculator()
    found = calculator.calculate_intervals("1900-01-01", "1913-01-15", schedule)
    assert found[0][0] <= datetime(1900, 1, 1)
    window = found[0][0], found[-1][1]
    assert calculator.get_missing_intervals(found, *window, schedule) == []
    assert calculator.calculate_intervals(*window, schedule) == found
    assert calculator.merge_intervals(found) == [window]
    last = calculator.get_next_interval("2100-12-31", "@weekly")
    assert last == (datetime(2101, 1, 2), datetime(2101, 1, 9))
    assert calculator.merge_intervals([last]) == [last]


@pytest.mark.parametrize("given", [[(day(1), day(2), day(3))], [day(1)], [None], None, [(day(1),)]])
def test_what_is_no_pair(given: Any) -> None:
    calculator = IntervalCalculator()
    with pytest.raises(TimeError, match=r"are pairs \(start, end\)"):
        calculator.merge_intervals(given)
    with pytest.raises(TimeError, match=r"are pairs \(start, end\)"):
        calculator.get_pending_intervals(given, day(1), day(2), "@daily")
    with pytest.raises(TimeError, match=r"are pairs \(start, end\)"):
        calculator.get_pending_intervals([], day(1), day(2), "@daily", given)


def aware(number: int) -> datetime:
    return day(number).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("calculate_intervals", (day(1), aware(2), "@daily")),
        ("calculate_intervals", ("2024-01-01", "2024-01-02T00:00Z", "@daily")),
        (
            "get_missing_intervals",
            ([(day(1), aware(2))], day(1), day(2), "@daily"),
        ),
        (
            "merge_intervals",
            ([(day(1), day(2)), (aware(3), aware(4))],),
        ),
    ],
)
def test_naive_and_aware_do_not_mix(call: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TimeError, match="some do not"):
        getattr(IntervalCalculator(), call)(*arguments)


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("calculate_intervals", (day(2), day(1), "@daily")),
        ("get_missing_intervals", ([(day(2), day(1))], day(1), day(5), "@daily")),
        ("get_pending_intervals", ([], day(1), day(5), "@daily", [(day(2), day(1))])),
        ("merge_intervals", ([(day(2), day(1))],)),
    ],
)
def test_an_end_before_its_start(call: str, arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TimeError, match="The end 2024-01-01 00:00:00 is before the start"):
        getattr(IntervalCalculator(), call)(*arguments)


def test_what_is_no_schedule_no_zone_or_no_time() -> None:
    with pytest.raises(ScheduleError, match="no time zone"):
        IntervalCalculator("Mars/Base")
    with pytest.raises(ScheduleError, match="1 fields"):
        IntervalCalculator().calculate_intervals(day(1), day(2), "daily")
    with pytest.raises(TimeError, match="is not a time"):
        IntervalCalculator().calculate_intervals("soon", day(2), "@daily")
