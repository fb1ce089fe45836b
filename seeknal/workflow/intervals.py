"""Which intervals of a schedule are due and missing; the same for people who have datetimes.

Instants are integer UTC epoch seconds, ranges half-open ``[start, end)``; only
:class:`IntervalCalculator` takes and returns datetimes.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import chain, islice, pairwise

from seeknal.errors import TimeError
from seeknal.workflow.instants import Moment, has_offset, to_datetime, to_seconds
from seeknal.workflow.interval_set import EMPTY, IntervalSet, Range
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.zones import EPOCH, describe, load_zone, offset_at

__all__ = ["IntervalCalculator", "IntervalSet", "count_units", "due", "missing", "nth", "units"]

Pair = tuple[Moment, Moment]
Interval = tuple[datetime, datetime]

_BATCH = 1024


def due(schedule: Schedule, start: int, end: int) -> IntervalSet:
    """Return the window of whole intervals that ``start`` and ``end`` ask for.

    From the interval that contains the start to the last interval that ends by the end. TimeError
    when the end is before the start.
    """
    if end < start:
        raise TimeError(
            f"The end {describe(end)} is before the start {describe(start)}; swap the two."
        )
    return IntervalSet(((schedule.floor(start), schedule.floor(end)),))


def missing(
    schedule: Schedule,
    window: IntervalSet,
    completed: IntervalSet,
    restated: IntervalSet = EMPTY,
) -> IntervalSet:
    """Return the intervals of the window that are not wholly completed, or are restated.

    Whole intervals of ``schedule``, as ranges: one that is only partly completed, or partly
    restated, is missing whole. A window that does not lie on ticks is read by the rule of
    :func:`due`, range by range. Linear in the ranges given and returned; no interval is enumerated.
    """
    asked = _aligned(schedule, window, outwards=False)
    return _aligned(schedule, (asked - completed) | (restated & asked), outwards=True)


def _aligned(schedule: Schedule, ranges: IntervalSet, *, outwards: bool) -> IntervalSet:
    """Return the ranges on ticks: starts rounded down, ends up (``outwards``) or down."""
    starts = schedule.floors([start for start, _ in ranges])
    ends = [end for _, end in ranges]
    ends = schedule.ceils(ends) if outwards else schedule.floors(ends)
    return IntervalSet.of_ordered(zip(starts, ends, strict=True))


def units(schedule: Schedule, ranges: IntervalSet) -> Iterator[Range]:
    """Yield (start, end) of each interval that starts within ``ranges``, ascending and lazily."""
    pending = iter(ranges)
    while batch := list(islice(pending, _BATCH)):
        ends = schedule.ceils([end for _, end in batch])
        for (start, stop), end in zip(batch, ends, strict=True):
            yield from pairwise(chain(schedule.iter_ticks(start, stop), (end,)))


def count_units(schedule: Schedule, ranges: IntervalSet) -> int:
    """Return how many intervals start within ``ranges``, without making them."""
    ranks = schedule.ranks([instant for pair in ranges for instant in pair])
    return sum(ranks[1::2]) - sum(ranks[::2])


def nth(schedule: Schedule, start: int, end: int, number: int) -> Range:
    """Return the interval that has ``number`` others before it of those that start in a range.

    By halving, so that neither the range nor ``number`` costs much. TimeError when the range has
    no more than ``number``.
    """
    low, high = start, end
    if number < 0 or schedule.count(start, end) <= number:
        raise TimeError(f"There is no interval {number} from {describe(start)} on.")
    while high - low > 1:  # the tick lies in [low, high)
        middle = (low + high) // 2
        if schedule.count(start, middle) > number:
            high = middle
        else:
            low = middle
    return low, schedule.next(low)


class IntervalCalculator:
    """Computes intervals ``(start, end)``, half-open, of a schedule.

    ``timezone`` is the zone of naive values and of schedules given as text; a :class:`Schedule`
    brings its own for its ticks. Values are datetimes, dates or ISO texts; those with and those
    without a UTC offset in one call are a TimeError, and so is an end before its start.
    ScheduleError for an invalid cron or zone.

    Naive values in, naive datetimes out: local times, of which ``fold=1`` marks the second of two
    that read alike. Python compares them without it, so over a repeated hour they may be equal, or
    not ascend. Aware values in, aware datetimes out: local times as well, each with the UTC offset
    of its moment as a fixed :class:`datetime.timezone`, so that all of them differ, ascend, and
    subtract to the time that really passes.

    A window from ``start_date`` to ``end_date`` runs from the interval that contains the start to
    the last interval that ends by the end.
    """

    def __init__(self, timezone: str = "UTC") -> None:
        load_zone(timezone)
        self.timezone = timezone

    def calculate_intervals(
        self, start_date: Moment, end_date: Moment, schedule: str | Schedule
    ) -> list[Interval]:
        """Return every interval of the window, ascending, done or not."""
        return self.get_missing_intervals((), start_date, end_date, schedule)

    def get_missing_intervals(
        self,
        completed_intervals: Iterable[Pair],
        start_date: Moment,
        end_date: Moment,
        schedule: str | Schedule,
    ) -> list[Interval]:
        """Return the intervals of the window that ``completed_intervals`` do not wholly cover.

        The completed ones may be in any order, overlap and span several intervals; an interval that
        is only partly covered is missing whole.
        """
        return self.get_pending_intervals(completed_intervals, start_date, end_date, schedule)

    def get_pending_intervals(
        self,
        completed_intervals: Iterable[Pair],
        start_date: Moment,
        end_date: Moment,
        schedule: str | Schedule,
        restatement_intervals: Iterable[Pair] = (),
    ) -> list[Interval]:
        """Return what a backfill of the window would run: the missing and the restated intervals.

        An interval is restated when ``restatement_intervals`` share any instant with it, and is
        then pending although it is completed.
        """
        completed, restated = _pairs(completed_intervals), _pairs(restatement_intervals)
        values = [start_date, end_date, *_flat(completed), *_flat(restated)]
        aware = self._agreed(values)
        chosen = self._schedule(schedule)
        window = due(chosen, *self._range(start_date, end_date))
        pending = missing(chosen, window, self._set(completed), self._set(restated))
        return [self._interval(unit, aware=aware) for unit in units(chosen, pending)]

    def get_next_interval(self, after: Moment, schedule: str | Schedule) -> Interval:
        """Return the first interval that starts at or after ``after``.

        Given the end of the last completed interval, that is the one to do next.
        """
        aware = self._agreed([after])
        chosen = self._schedule(schedule)
        start = chosen.ceil(to_seconds(after, self.timezone))
        return self._interval((start, chosen.next(start)), aware=aware)

    def merge_intervals(self, intervals: Iterable[Pair]) -> list[Interval]:
        """Return the same time as the fewest intervals: overlapping and adjacent ones are one.

        Ascending; empty ones are dropped.
        """
        given = _pairs(intervals)
        aware = self._agreed(_flat(given))
        return [self._interval(merged, aware=aware) for merged in self._set(given)]

    def _schedule(self, schedule: str | Schedule) -> Schedule:
        return schedule if isinstance(schedule, Schedule) else Schedule(schedule, self.timezone)

    def _set(self, pairs: Iterable[Pair]) -> IntervalSet:
        return IntervalSet([self._range(start, end) for start, end in pairs])

    def _range(self, start: Moment, end: Moment) -> tuple[int, int]:
        first, last = to_seconds(start, self.timezone), to_seconds(end, self.timezone)
        if last < first:
            raise TimeError(f"The end {end} is before the start {start}; swap the two.")
        return first, last

    def _interval(self, unit: tuple[int, int], *, aware: bool) -> Interval:
        start, end = unit
        return self._datetime(start, aware=aware), self._datetime(end, aware=aware)

    def _datetime(self, instant: int, *, aware: bool) -> datetime:
        if not aware:
            return to_datetime(instant, self.timezone, naive=True)
        # Not in the zone: Python compares and subtracts datetimes of one zone by their wall clock.
        offset = timedelta(seconds=offset_at(load_zone(self.timezone), instant))
        return (EPOCH + timedelta(seconds=instant)).astimezone(timezone(offset))

    def _agreed(self, values: Sequence[Moment]) -> bool:
        """Return whether the values are aware; TimeError when some are and some are not."""
        kinds = {has_offset(value) for value in values}
        if len(kinds) > 1:
            raise TimeError(
                "Some of these times carry a UTC offset and some do not; give all of them with "
                f"an offset, or none of them, as local times of {self.timezone}."
            )
        return True in kinds


def _pairs(given: Iterable[Pair]) -> list[Pair]:
    """Return the intervals that somebody gave; TimeError when they are no pairs."""
    try:
        return [(start, end) for start, end in given]
    except (TypeError, ValueError) as error:
        raise TimeError("Intervals are pairs (start, end); give a list of those.") from error


def _flat(pairs: Iterable[Pair]) -> list[Moment]:
    return [value for pair in pairs for value in pair]
