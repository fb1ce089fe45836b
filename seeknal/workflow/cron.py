"""Cron expressions, parsed into what matches on a wall clock.

The syntax is croniter's: five fields (minute, hour, day of month, month, day of week), or six with
the seconds last, or a name such as ``@daily``. croniter validates and expands the fields; which
days they mean together is decided here.
"""

import functools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from croniter import croniter

from seeknal.errors import ScheduleError
from seeknal.workflow.zones import quoted

#: The names, and the five fields each stands for.
NAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 1,4,7,10 *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}

_LISTS = "with lists, ranges or steps"
_FIELDS = (
    ("minute", f"0-59, {_LISTS}"),
    ("hour", f"0-23, {_LISTS}"),
    ("day of month", f"1-31 or L, {_LISTS}, or 15W alone"),
    ("month", f"1-12 or jan-dec, {_LISTS}"),
    ("day of week", f"0-7 or sun-sat, {_LISTS}, or 5#2 or L5 alone; L takes a number"),
    ("second", f"0-59, {_LISTS}"),
)
_DAY, _MONTH, _WEEKDAY = 2, 3, 4
_WORD = re.compile(r"\S+", re.ASCII)
_HASHED = re.compile(r"[hr](\(.*\))?(/.*)?", re.ASCII)
_NEAREST = re.compile(r"(\d+)w|w(\d+)", re.ASCII)
# What croniter raises on a field it cannot read; all its own errors are ValueErrors.
_UNREADABLE = (ValueError, KeyError, TypeError, IndexError, OverflowError)


@dataclass(frozen=True, slots=True)
class Cron:
    """What a cron expression matches, in local time.

    ``times`` are the matching seconds of a day, ascending. ``days`` and ``weekdays`` (0 is Sunday)
    are None when the field is a wildcard. ``nth`` holds (weekday, n) with n from 1 to 5, or 0 for
    the month's last. ``follows_clock``: every real match fires, as opposed to fixed times.
    """

    times: Sequence[int]
    months: frozenset[int]
    days: frozenset[int] | None
    last_day: bool
    nearest: int | None
    weekdays: frozenset[int] | None
    nth: frozenset[tuple[int, int]]
    follows_clock: bool

    def month_days(self, month: int, first_weekday: int, length: int) -> list[int]:
        """Return the matching days of a month that begins on ``first_weekday`` (0 is Sunday).

        Ascending, from 1. With both day fields restricted a day matches when either does.
        """
        if month not in self.months:
            return []
        every = range(1, length + 1)
        if self.days is None and self.weekdays is None:
            return list(every)
        chosen: set[int] = set()
        if self.days is not None:
            chosen.update(self._by_date(first_weekday, length))
        if self.weekdays is not None:
            chosen.update(day for day in every if self._weekday_matches(day, first_weekday, length))
        return sorted(chosen)

    def _by_date(self, first_weekday: int, length: int) -> Iterable[int]:
        if self.nearest is not None:
            return [_nearest_workday(self.nearest, first_weekday, length)]
        days = {day for day in self.days or () if day <= length}
        return days | {length} if self.last_day else days

    def _weekday_matches(self, day: int, first_weekday: int, length: int) -> bool:
        weekday = (first_weekday + day - 1) % 7
        if not self.nth:
            return weekday in (self.weekdays or ())
        if day + 7 > length and (weekday, 0) in self.nth:
            return True
        return (weekday, (day + 6) // 7) in self.nth


def _nearest_workday(day: int, first_weekday: int, length: int) -> int:
    """Return the Monday to Friday nearest to ``day`` without leaving the month."""
    day = min(day, length)
    weekday = (first_weekday + day - 1) % 7
    if weekday == 6:
        return day - 1 if day > 1 else day + 2
    if weekday == 0:
        return day + 1 if day < length else day - 2
    return day


@functools.lru_cache(maxsize=1024)
def parse_cron(text: str) -> Cron:
    """Parse a cron expression or ``@`` name; ScheduleError says which field is wrong."""
    fields = _split(text)
    try:
        expanded, nth = croniter.expand(" ".join(fields))
    except _UNREADABLE as error:
        raise ScheduleError(_blame(text, fields)) from error
    days, weekdays = _values(expanded[_DAY]), _values(expanded[_WEEKDAY])
    nearest = _NEAREST.fullmatch(fields[_DAY])
    seconds = expanded[5] if len(expanded) == 6 else [0]
    return Cron(
        times=_times(expanded[1], expanded[0], seconds),
        months=_values(expanded[_MONTH]) or frozenset(range(1, 13)),
        days=days,
        last_day="l" in expanded[_DAY],
        nearest=int(nearest[1] or nearest[2]) if nearest else None,
        weekdays=weekdays,
        nth=frozenset(
            (int(weekday), 0 if str(n) == "l" else int(n)) for weekday in nth for n in nth[weekday]
        ),
        follows_clock=len(fields) == 6 or fields[0][0] == "*" or fields[1][0] == "*",
    )


def _split(text: str) -> list[str]:
    """Return the five or six lower-case fields of ``text``, names replaced."""
    plain = text.strip().lower()
    if plain.startswith("@"):
        if plain not in NAMES:
            known = ", ".join(NAMES)
            raise ScheduleError(f"The schedule {quoted(text)} has no times; use one of {known}.")
        plain = NAMES[plain]
    fields = _WORD.findall(plain)
    if len(fields) not in (5, 6):
        raise ScheduleError(
            f"The cron expression {quoted(text)} has {len(fields)} fields; write five (minute, "
            "hour, day of month, month, day of week), or six with the seconds last."
        )
    for field in fields:
        if any(_HASHED.fullmatch(item) for item in field.split(",")):
            raise ScheduleError(
                f"The cron expression {quoted(text)} uses {quoted(field)}, a random (R) or hashed "
                "(H) value, which has no fixed intervals; write the value itself."
            )
    return fields


def _blame(text: str, fields: list[str]) -> str:
    """Return the message for an expression croniter refused: the first field it refuses alone."""
    for index, field in enumerate(fields):
        alone = ["*"] * max(5, index + 1)
        alone[index] = field
        try:
            croniter.expand(" ".join(alone))
        except _UNREADABLE:
            name, values = _FIELDS[index]
            return (
                f"The cron expression {quoted(text)} is not valid: {quoted(field)} is no {name}; "
                f"use {values}."
            )
    return f"The cron expression {quoted(text)} is not valid; correct its fields."


def _values(items: Sequence[int | str]) -> frozenset[int] | None:
    """Return the numbers of an expanded field, or None for a wildcard."""
    if "*" in items:
        return None
    return frozenset(item for item in items if isinstance(item, int))


def _times(
    hours: Sequence[int | str], minutes: Sequence[int | str], seconds: Sequence[int | str]
) -> Sequence[int]:
    """Return the matching seconds of a day, ascending; a range where they are evenly spaced."""
    hour_values, minute_values, second_values = (
        sorted(full if (chosen := _values(items)) is None else chosen)
        for items, full in ((hours, range(24)), (minutes, range(60)), (seconds, range(60)))
    )
    times = [
        hour * 3600 + minute * 60 + second
        for hour in hour_values
        for minute in minute_values
        for second in second_values
    ]
    step = times[1] - times[0] if len(times) > 1 else 86_400
    even = range(times[0], times[-1] + 1, step)
    return even if len(even) == len(times) and list(even) == times else tuple(times)
