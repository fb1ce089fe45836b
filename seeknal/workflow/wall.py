"""A cron expression on one wall clock: which local seconds match.

Everything here counts local seconds: seconds since 1970-01-01T00:00 on a clock that never changes.
Days are numbered from 1970-01-01, ranges are half-open. Years come in fourteen shapes (weekday of
January 1, leap or not), so a pattern enumerates at most fourteen years, once.
"""

import calendar
import functools
from bisect import bisect_left
from collections.abc import Sequence
from datetime import date

from seeknal.errors import ScheduleError
from seeknal.workflow.cron import Cron, parse_cron
from seeknal.workflow.zones import DAY, EPOCH_ORDINAL, quoted


@functools.lru_cache(maxsize=1024)
def wall_pattern(cron: str) -> "WallPattern":
    """Return the pattern of ``cron``; ScheduleError when it is not valid or never fires."""
    return WallPattern(cron, parse_cron(cron))


@functools.lru_cache(maxsize=1024)
def _year(year: int) -> tuple[int, tuple[int, bool]]:
    """Return the day number of January 1, and the shape of the year (0 is Sunday)."""
    first = date(year, 1, 1)
    return first.toordinal() - EPOCH_ORDINAL, (first.isoweekday() % 7, calendar.isleap(year))


def _year_of(day: int) -> int:
    return date.fromordinal(day + EPOCH_ORDINAL).year


class WallPattern:
    """The matching local seconds of one cron expression. Immutable, safe to share.

    ``step`` is the distance of matches in seconds if it is the same everywhere, else 0, and
    ``phase`` then the first match at or after local second 0.
    """

    __slots__ = ("_cron", "_shapes", "every_day", "follows_clock", "phase", "step", "times")

    def __init__(self, text: str, cron: Cron) -> None:
        self._cron = cron
        self._shapes: dict[tuple[int, bool], tuple[int, ...]] = {}
        self.times: Sequence[int] = cron.times
        self.follows_clock = cron.follows_clock
        self.every_day = cron.days is None and cron.weekdays is None and len(cron.months) == 12
        self.phase = cron.times[0]
        self.step = 0
        if self.every_day and isinstance(cron.times, range) and DAY % cron.times.step == 0:
            step = cron.times.step
            self.step = step if len(cron.times) * step == DAY else 0
        if not any(self._days_of((first, leap)) for first in range(7) for leap in (True, False)):
            raise ScheduleError(
                f"The cron expression {quoted(text)} never fires: no month it names has such "
                "a day; correct its day or month."
            )

    def ticks(self, low: int, high: int, offset: int = 0) -> Sequence[int]:
        """Return every match in ``[low, high)``, less ``offset``, ascending."""
        if self.step:
            return range(self._align(low) - offset, high - offset, self.step)
        if low >= high:
            return ()
        times = self.times
        found = [
            start + second
            for start in [day * DAY - offset for day in self._days(low // DAY, -(-high // DAY))]
            for second in times
        ]
        del found[bisect_left(found, high - offset) :]
        del found[: bisect_left(found, low - offset)]
        return found

    def count(self, low: int, high: int) -> int:
        """Return how many matches lie in ``[low, high)``, without making them."""
        if low >= high:
            return 0
        if self.step:
            return len(range(self._align(low), high, self.step))
        first, last = low // DAY, high // DAY
        total = self._count_days(first, last) * len(self.times)
        if self.matches_day(first):
            total -= bisect_left(self.times, low % DAY)
        if high % DAY and self.matches_day(last):
            total += bisect_left(self.times, high % DAY)
        return total

    def first(self, low: int, high: int) -> int | None:
        """Return the first match in ``[low, high)``, if there is one."""
        if self.step:
            found = self._align(low)
            return found if found < high else None
        day = low // DAY
        if self.matches_day(day):
            index = bisect_left(self.times, low % DAY)
            if index < len(self.times):
                found = day * DAY + self.times[index]
                return found if found < high else None
        next_day = self._next_day(day + 1, high)
        if next_day is None:
            return None
        found = next_day * DAY + self.times[0]
        return found if found < high else None

    def last(self, low: int, high: int) -> int | None:
        """Return the last match in ``[low, high)``, if there is one."""
        if self.step:
            found = high - 1 - (high - 1 - self.phase) % self.step
            return found if found >= low else None
        day = (high - 1) // DAY
        if self.matches_day(day):
            index = bisect_left(self.times, high - day * DAY)
            if index:
                found = day * DAY + self.times[index - 1]
                return found if found >= low else None
        earlier = self._previous_day(day - 1, low)
        if earlier is None:
            return None
        found = earlier * DAY + self.times[-1]
        return found if found >= low else None

    def matches_day(self, day: int) -> bool:
        """Return whether the local day numbered ``day`` has matches."""
        if self.every_day:
            return True
        start, shape = _year(_year_of(day))
        days = self._days_of(shape)
        index = bisect_left(days, day - start)
        return index < len(days) and days[index] == day - start

    def _align(self, low: int) -> int:
        """Return the first match at or after ``low`` of an evenly spaced pattern."""
        return low + (self.phase - low) % self.step

    def _days_of(self, shape: tuple[int, bool]) -> tuple[int, ...]:
        """Return the matching days of a year of that shape; 0 is January 1."""
        known = self._shapes.get(shape)
        if known is None:
            weekday, leap = shape
            found: list[int] = []
            start = 0
            for month in range(1, 13):
                length = calendar.monthrange(2000 if leap else 2001, month)[1]
                days = self._cron.month_days(month, (weekday + start) % 7, length)
                found.extend(start + day - 1 for day in days)
                start += length
            known = self._shapes[shape] = tuple(found)
        return known

    def _days(self, first: int, end: int) -> Sequence[int]:
        """Return the matching days in ``[first, end)``."""
        if self.every_day:
            return range(first, end)
        found: list[int] = []
        for year in range(_year_of(first), _year_of(end - 1) + 1):
            start, shape = _year(year)
            days = self._days_of(shape)
            if start < first or end < start + 366:
                days = days[bisect_left(days, first - start) : bisect_left(days, end - start)]
            found.extend([start + day for day in days])
        return found

    def _count_days(self, first: int, end: int) -> int:
        if self.every_day or first >= end:
            return max(0, end - first)
        total = 0
        for year in range(_year_of(first), _year_of(end - 1) + 1):
            start, shape = _year(year)
            days = self._days_of(shape)
            total += bisect_left(days, end - start) - bisect_left(days, first - start)
        return total

    def _next_day(self, day: int, high: int) -> int | None:
        """Return the first matching day from ``day`` on that begins before local ``high``."""
        if self.every_day:
            return day
        year = _year_of(day)
        start, shape = _year(year)
        while start * DAY < high:
            days = self._days_of(shape)
            index = bisect_left(days, day - start)
            if index < len(days):
                return start + days[index]
            year += 1
            start, shape = _year(year)
        return None

    def _previous_day(self, day: int, low: int) -> int | None:
        """Return the last matching day up to ``day`` that ends after local ``low``."""
        if self.every_day:
            return day
        year = _year_of(day)
        while True:
            start, shape = _year(year)
            days = self._days_of(shape)
            index = bisect_left(days, day - start + 1)
            if index:
                return start + days[index - 1]
            if start * DAY <= low:
                return None
            year -= 1
