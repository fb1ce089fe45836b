"""Partition formats: names for ranges of time, such as ``2024-01-31`` for ``%Y-%m-%d``.

The smallest unit in a format is the span of its partitions, on the wall clock of the flow's zone:
a day is from local midnight to local midnight, 23 to 25 hours. Instants are integer UTC seconds.
Partitions tile time: each is from the first instant at which the clock shows its beginning, or
skips it, to that of the next. So what a clock change repeats belongs to the partition that was
reached before it: a repeated hour is one partition of two hours, or, in minutes, part of the last
minute before the change. A span that is skipped is no partition.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from seeknal.errors import TimeError, UsageError
from seeknal.workflow.instants import local_seconds
from seeknal.workflow.zones import latest_local, load_zone, local_to_instant, quoted

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
_LOCAL_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001


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

    def step(self, wall: datetime) -> datetime:
        """Return the beginning of the partition after the one that begins at ``wall``."""
        if self.span in _STEPS:
            return wall + _STEPS[self.span]
        if self.span == "year":
            return wall.replace(year=wall.year + 1)
        year, month = divmod(wall.year * 12 + wall.month, 12)
        return wall.replace(year=year, month=month + 1)

    def containing(self, instant: int, zone: ZoneInfo) -> datetime:
        """Return the wall-clock time at which the partition whose range contains it begins."""
        return self.floor(_LOCAL_EPOCH + timedelta(seconds=latest_local(zone, instant)))


def _begins(wall: datetime, zone: ZoneInfo) -> int:
    """Return the instant at which the partition that begins at ``wall`` does; the end of the last.

    Of a partition that is skipped, the first instant after the gap: it begins and ends there.
    """
    return local_to_instant(zone, local_seconds(wall))


def validate_format(text: str) -> str:
    """Return a partition format if its names stand for ranges of time.

    Raises:
        UsageError: it has an unknown directive, or its directives make no whole date.
    """
    return _parse(text).text


def partition_range(text: str, format: str, timezone: str = "UTC") -> tuple[int, int]:  # noqa: A002
    """Return the range ``(start, end)`` in UTC seconds that a partition's name stands for.

    Raises:
        TimeError: the name is not of that format, is no date, or a clock change skips it.
        UsageError: the format is not valid.
    """
    parsed, zone = _parse(format), load_zone(timezone)
    example = parsed.write(datetime(2024, 1, 31, 5, tzinfo=UTC))
    try:
        wall = parsed.read(text)
    except (ValueError, OverflowError, TypeError):
        raise TimeError(
            f"{quoted(text)} is not a partition of the format {quoted(format)}; "
            f"write it like {quoted(example)}."
        ) from None
    if not 1900 <= wall.year <= 2100:
        raise TimeError(
            f"The {parsed.span} {quoted(text)} is outside the years 1900 to 2100; "
            "choose one within them."
        )
    start, end = _begins(wall, zone), _begins(parsed.step(wall), zone)
    if start >= end:
        raise TimeError(
            f"The {parsed.span} {quoted(text)} does not exist in {timezone}: "
            "a clock change skips it."
        )
    return start, end


def partition_of(instant: int, format: str, timezone: str = "UTC") -> str:  # noqa: A002
    """Return the name of the partition whose range contains an instant (UTC seconds)."""
    parsed = _parse(format)
    return parsed.write(parsed.containing(instant, load_zone(timezone)))


def partitions_of(
    ranges: Iterable[tuple[int, int]],
    format: str,  # noqa: A002
    timezone: str = "UTC",
) -> list[str]:
    """Return the names of the partitions that merged ranges cover wholly, in order of time."""
    parsed, zone = _parse(format), load_zone(timezone)
    return [
        parsed.write(wall) for low, high in ranges for wall in _covered(parsed, low, high, zone)
    ]


def partition_runs(
    ranges: Iterable[tuple[int, int]],
    format: str,  # noqa: A002
    timezone: str = "UTC",
) -> list[tuple[str, str]]:
    """Return the first and last of the partitions that each of the merged ranges covers wholly.

    The cost does not depend on how many partitions lie between the two.
    """
    parsed, zone = _parse(format), load_zone(timezone)
    found = []
    for low, high in ranges:
        first = next(_covered(parsed, low, high, zone), None)
        if first is not None:
            # The last to end by ``high`` holds what comes before the partition that contains it.
            last = parsed.containing(_begins(parsed.containing(high, zone), zone) - 1, zone)
            found.append((parsed.write(first), parsed.write(last)))
    return found


def _covered(parsed: _Format, low: int, high: int, zone: ZoneInfo) -> Iterator[datetime]:
    """Yield where the partitions begin, on the wall clock, that lie within ``[low, high)``."""
    wall = parsed.containing(low, zone)
    start = _begins(wall, zone)
    while start < high:
        following = parsed.step(wall)
        end = _begins(following, zone)
        if low <= start < end <= high:
            yield wall
        wall, start = following, end


def _parse(text: str) -> _Format:
    if not isinstance(text, str) or not text:
        raise UsageError("The partition format is empty; write one such as '%Y-%m-%d'.")
    return _parse_text(text)


@functools.lru_cache(maxsize=256)
def _parse_text(text: str) -> _Format:
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
                f"In the partition format {quoted(text)}, '%{letter}' {why}; use each of {known} "
                "at most once."
            )
    pattern += re.escape(text[position:])
    span = _SPANS.get(frozenset(used))
    if span is None:
        raise UsageError(
            f"The partition format {quoted(text)} does not name a range of time; write a year "
            "(%Y), month (%Y-%m), week (%G-W%V), day (%Y-%m-%d), hour (%Y-%m-%dT%H) or minute."
        )
    return _Format(text, re.compile(pattern), span)
