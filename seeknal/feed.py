"""The feed: turns a run's planned ranges into queued units, a window at a time.

It eats a run's plan from both ends: from the lower one when the oldest units are to come first,
from the upper one when the newest are. Units that it fed and that a change of the order took
back lie outside of what is left between the ends, and are merged in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import islice
from typing import Final, NamedTuple

from seeknal.stores.base import Store
from seeknal.workflow.cursor import ends_of, next_turn
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import Run, RunStatus
from seeknal.workflow.units import Planned, PlannedRange, PlannedUnit, PlannedValue, Unit

WINDOW: Final = 1000
_END: Final = "end"


class _Point(NamedTuple):
    """A place in a plan: before the unit of a part that begins at ``time``, or before a value."""

    part: int
    time: int


# A unit to feed, and the number of its part; None if it was fed before.
_Next = tuple[int | None, PlannedUnit]


def top_up(store: Store, run_id: str, window: int = WINDOW) -> int:
    """Queue what a run lacks to have ``window`` units queued or running; return how many.

    Waits until half of the window is used up, so that feeding is rare. A run that is not
    active, is fed to its end, or was fed by somebody else just now, gets nothing.
    """
    lack = window - store.window(run_id)
    if lack * 2 < window:
        return 0
    run = store.run(run_id)
    if run is None or run.status is not RunStatus.ACTIVE or is_fed(run):
        return 0
    units, cursor = next_units(run, lack)
    return len(units) if store.feed(run_id, units, run.cursor, cursor) else 0


def is_fed(run: Run) -> bool:
    """Say whether nothing of a run is left to be fed."""
    return ends_of(run.cursor) == _END and not run.returned


def planned_units(
    flow: str, planned: Iterable[Planned], *, newest_first: bool = False
) -> Iterator[PlannedUnit]:
    """Yield the units of what is planned, lazily and in order."""
    parts = tuple(planned)
    low, high = _begin(parts, 0), _begin(parts, len(parts))
    return (unit for _, unit in _between(flow, parts, low, high, newest_first))


def next_units(run: Run, limit: int) -> tuple[list[PlannedUnit], str]:
    """Return the next units to feed of a run, at most ``limit``, and the cursor after them.

    A cursor's ends are ``LOW/HIGH``, the points between which nothing was fed yet: a planned
    part's number, and where it is fed in part the time within (``3@1704067200/7``); or ``end``
    once nothing is left there.
    """
    newest_first = bool(run.options.get("newest_first"))
    ends = ends_of(run.cursor)
    low, high = _read(run.planned, ends)
    units = _between(run.flow, run.planned, low, high, newest_first)
    if run.returned:
        units = _with_returned(run, units, newest_first)
    found = list(islice(units, limit))
    last = next(((number, p.unit) for number, p in reversed(found) if number is not None), None)
    if len(found) < limit:
        ends = _END
    elif last is not None:
        ends = _after(run.planned, low, high, last, newest_first)
    return [planned for _, planned in found], next_turn(run.cursor, ends)


def _between(
    flow: str, parts: Sequence[Planned], low: _Point, high: _Point, newest_first: bool
) -> Iterator[_Next]:
    """Yield the units between two points of a plan."""
    within = high > _begin(parts, high.part)
    numbers = range(low.part, high.part + within)
    for number in reversed(numbers) if newest_first else numbers:
        part = parts[number]
        if isinstance(part, PlannedValue):
            yield number, PlannedUnit(Unit(flow, value=part.value), part.origin)
            continue
        start = low.time if number == low.part else part.start
        end = high.time if number == high.part else part.end
        schedule = Schedule.parse(part.schedule)
        for first, last in schedule.intervals(start, end, newest_first=newest_first):
            yield number, PlannedUnit(Unit(flow, first, last), part.origin, part.schedule)


def _with_returned(run: Run, fresh: Iterator[_Next], newest_first: bool) -> Iterator[_Next]:
    """Merge the units of a run that were taken back into those that were never fed."""
    by_value = any(planned.unit.value is not None for planned in run.returned)
    places = _places(run.planned) if by_value else {}

    def place(one: _Next) -> int:
        unit = one[1].unit
        return unit.start if unit.value is None else places[unit.value]

    again: list[_Next] = [(None, planned) for planned in run.returned]
    again.sort(key=place, reverse=newest_first)
    return merge(again, fresh, key=place, reverse=newest_first)


def _places(parts: Sequence[Planned]) -> dict[str, int]:
    return {part.value: n for n, part in enumerate(parts) if isinstance(part, PlannedValue)}


def _begin(parts: Sequence[Planned], number: int) -> _Point:
    part = parts[number] if number < len(parts) else None
    return _Point(number, part.start if isinstance(part, PlannedRange) else 0)


def _after(
    parts: Sequence[Planned], low: _Point, high: _Point, last: tuple[int, Unit], newest_first: bool
) -> str:
    """Return a cursor's ends once the feed has come to a unit, of the part of that number."""
    number, unit = last
    part = parts[number]
    if newest_first:
        high = _Point(number, unit.start)
    elif isinstance(part, PlannedRange) and unit.end < part.end:
        low = _Point(number, unit.end)
    else:
        low = _begin(parts, number + 1)
    return f"{_write(parts, low)}/{_write(parts, high)}" if low < high else _END


def _read(parts: Sequence[Planned], ends: str) -> tuple[_Point, _Point]:
    if ends == _END:
        return _begin(parts, len(parts)), _begin(parts, len(parts))
    low, _, high = ends.partition("/")
    return _read_point(parts, low or "0"), _read_point(parts, high or str(len(parts)))


def _read_point(parts: Sequence[Planned], text: str) -> _Point:
    number, _, time = text.partition("@")
    return _Point(int(number), int(time)) if time else _begin(parts, int(number))


def _write(parts: Sequence[Planned], point: _Point) -> str:
    whole = point == _begin(parts, point.part)
    return f"{point.part}" if whole else f"{point.part}@{point.time}"
