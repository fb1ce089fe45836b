"""Partition formats: names for ranges of time, such as ``2024-01-31`` for ``%Y-%m-%d``.

The smallest unit in a format is the span of its partitions, on the wall clock of the flow's zone:
a day is from local midnight to local midnight, 23 to 25 hours. Instants are integer UTC seconds.
An hour that a clock change repeats is one partition of two hours, and the last minute before such
a change holds the hour that follows; a span that is skipped is no partition.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from seeknal.errors import TimeError, UsageError
from seeknal.workflow.instants import to_datetime, to_seconds

_WIDTHS = {"Y": 4, "m": 2, "d": 2, "j": 3, "H": 2, "M": 2, "G": 4, "V": 2, "u": 1}
_DAYS = (frozenset("Ymd"), frozenset("Yj"), frozenset("GVu"))
_SPANS: dict[frozenset[str], str] = {
    frozenset("Y"): "year",
    frozenset("Ym"): "month",
    frozenset("GV"): "week",
    **dict.fromkeys(_DAYS, "day"),
    **{day | {"H"}: "hour" for day in _DAYS},
    **{day | {"H", "M"}: "minute" for day in _DAYS},
}
_STEPS = {
    "week": timedelta(weeks=1),
    "day": timedelta(days=1),
    "hour": timedelta(hours=1),
    "minute": timedelta(minutes=1),
}
_DIRECTIVE = re.compile(r"%(.?)", re.DOTALL)
# A clock change skips at most a day; its minutes are the most partitions in a row without a range.
_SKIPPED = 24 * 60 + 1


@dataclass(frozen=True, slots=True)
class _Format:
    """A format, taken apart: a pattern that reads names, and the span they stand for."""

    text: str
    pattern: re.Pattern[str]
    span: str

    def write(self, wall: datetime) -> str:
        """Return the name of the partition that begins at a wall-clock time."""
        iso = wall.isocalendar()
        values = {
            "Y": wall.year, "m": wall.month, "d": wall.day, "j": wall.timetuple().tm_yday,
            "H": wall.hour, "M": wall.minute, "G": iso.year, "V": iso.week, "u": iso.weekday,
        }  # fmt: skip
        return _DIRECTIVE.sub(
            lambda match: "%" if match[1] == "%" else f"{values[match[1]]:0{_WIDTHS[match[1]]}d}",
            self.text,
        )

    def read(self, text: str) -> datetime:
        """Return the wall-clock time at which the partition of a name begins."""
        match = self.pattern.fullmatch(text)
        if match is None:
            raise ValueError
        value = {name: int(digits) for name, digits in match.groupdict().items()}
        if "G" in value:
            day = date.fromisocalendar(value["G"], value["V"], value.get("u", 1))
        elif "j" in value:
            day = date(value["Y"], 1, 1) + timedelta(days=value["j"] - 1)
        else:
            day = date(value["Y"], value.get("m", 1), value.get("d", 1))
        if "Y" in value and day.year != value["Y"]:
            raise ValueError
        return datetime(day.year, day.month, day.day, value.get("H", 0), value.get("M", 0))  # noqa: DTZ001

    def floor(self, wall: datetime) -> datetime:
        """Return the wall-clock time at which the partition that contains ``wall`` begins."""
        wall = wall.replace(second=0, microsecond=0, fold=0)
        if self.span == "minute":
            return wall
        wall = wall.replace(minute=0)
        if self.span == "hour":
            return wall
        wall = wall.replace(hour=0)
        if self.span == "week":
            return wall - timedelta(days=wall.weekday())
        if self.span == "day":
            return wall
        return wall.replace(day=1) if self.span == "month" else wall.replace(month=1, day=1)

    def step(self, wall: datetime, count: int = 1) -> datetime:
        """Return the beginning of the partition ``count`` (1 or -1) after the one at ``wall``."""
        if self.span in _STEPS:
            return wall + count * _STEPS[self.span]
        if self.span == "year":
            return wall.replace(year=wall.year + count)
        year, month = divmod(wall.year * 12 + wall.month - 1 + count, 12)
        return wall.replace(year=year, month=month + 1)

    def range(self, wall: datetime, timezone: str) -> tuple[int, int]:
        """Return the instants of the partition that begins at ``wall``; empty if it is skipped."""
        return to_seconds(wall, timezone), to_seconds(self.step(wall), timezone)


def validate_format(text: str) -> str:
    """Return a partition format if its names stand for ranges of time.

    Raises:
        UsageError: it has an unknown directive, or its directives make no whole date.
    """
    return _parse(text).text


def format_span(text: str) -> str:
    """Return what one partition of a format is: year, month, week, day, hour or minute.

    Raises:
        UsageError: the format is not valid.
    """
    return _parse(text).span


def partition_range(text: str, format: str, timezone: str = "UTC") -> tuple[int, int]:  # noqa: A002
    """Return the range ``(start, end)`` in UTC seconds that a partition's name stands for.

    Raises:
        TimeError: the name is not of that format, is no date, or a clock change skips it.
        UsageError: the format is not valid.
    """
    parsed = _parse(format)
    example = parsed.write(datetime(2024, 1, 31, 5, tzinfo=UTC))
    try:
        wall = parsed.read(text)
    except (ValueError, OverflowError):
        raise TimeError(
            f"{text!r} is not a partition of the format {format!r}; write it like {example!r}."
        ) from None
    start, end = parsed.range(wall, timezone)
    if start >= end:
        raise TimeError(
            f"The {parsed.span} {text!r} does not exist in {timezone}: a clock change skips it."
        )
    return start, end


def partition_of(instant: int, format: str, timezone: str = "UTC") -> str:  # noqa: A002
    """Return the name of the partition that contains an instant (UTC seconds)."""
    parsed = _parse(format)
    return parsed.write(parsed.floor(to_datetime(instant, timezone, naive=True)))


def partitions_of(
    ranges: Iterable[tuple[int, int]],
    format: str,  # noqa: A002
    timezone: str = "UTC",
) -> list[str]:
    """Return the names of the partitions that merged ranges cover wholly, in order of time."""
    parsed = _parse(format)
    return [
        parsed.write(wall) for low, high in ranges for wall in _covered(parsed, low, high, timezone)
    ]


def partition_runs(
    ranges: Iterable[tuple[int, int]],
    format: str,  # noqa: A002
    timezone: str = "UTC",
) -> list[tuple[str, str]]:
    """Return the first and last of the partitions that each of the merged ranges covers wholly.

    The cost does not depend on how many partitions lie between the two.
    """
    parsed = _parse(format)
    found = []
    for low, high in ranges:
        first = next(_covered(parsed, low, high, timezone), None)
        if first is not None:
            last = _last_covered(parsed, low, high, timezone) or first
            found.append((parsed.write(first), parsed.write(last)))
    return found


def _covered(parsed: _Format, low: int, high: int, timezone: str) -> Iterator[datetime]:
    wall = parsed.floor(to_datetime(low, timezone, naive=True))
    start = to_seconds(wall, timezone)
    while start < high:
        following = parsed.step(wall)
        end = to_seconds(following, timezone)
        if low <= start < end <= high:
            yield wall
        wall, start = following, end


def _last_covered(parsed: _Format, low: int, high: int, timezone: str) -> datetime | None:
    wall = parsed.floor(to_datetime(high - 1, timezone, naive=True))
    for _ in range(_SKIPPED):
        start, end = parsed.range(wall, timezone)
        if low <= start < end <= high:
            return wall
        if end <= low:
            return None
        wall = parsed.step(wall, -1)
    return None


@functools.lru_cache(maxsize=256)
def _parse(text: str) -> _Format:
    if not isinstance(text, str) or not text:
        raise UsageError("The partition format is empty; write one such as '%Y-%m-%d'.")
    used: list[str] = []
    pattern, position = "", 0
    for match in _DIRECTIVE.finditer(text):
        letter = match[1]
        pattern += re.escape(text[position : match.start()])
        position = match.end()
        if letter == "%":
            pattern += "%"
        elif letter in _WIDTHS and letter not in used:
            used.append(letter)
            pattern += f"(?P<{letter}>[0-9]{{{_WIDTHS[letter]}}})"
        else:
            why = "is there twice" if letter in used else "is not supported"
            known = ", ".join(f"%{each}" for each in _WIDTHS)
            raise UsageError(
                f"In the partition format {text!r}, '%{letter}' {why}; use each of {known} "
                "at most once."
            )
    pattern += re.escape(text[position:])
    span = _SPANS.get(frozenset(used))
    if span is None:
        raise UsageError(
            f"The partition format {text!r} does not name a range of time; write a year (%Y), "
            "month (%Y-%m), week (%G-W%V), day (%Y-%m-%d), hour (%Y-%m-%dT%H) or minute."
        )
    return _Format(text, re.compile(pattern), span)
