"""The feed: turns a run's planned ranges into queued units, a window at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from seeknal.stores.base import Store
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import Run, RunStatus
from seeknal.workflow.units import Planned, PlannedRange, PlannedUnit, PlannedValue, Unit

WINDOW = 1000
_END = "end"


def top_up(store: Store, run_id: str, window: int = WINDOW) -> int:
    """Queue what a run lacks to have ``window`` units queued or running; return how many.

    Waits until half of the window is used up, so that feeding is rare. A run that is not
    active, is fed to its end, or was fed by somebody else just now, gets nothing.
    """
    lack = window - store.window(run_id)
    if lack * 2 < window:
        return 0
    run = store.run(run_id)
    if run is None or run.status is not RunStatus.ACTIVE or run.cursor == _END:
        return 0
    units, cursor = next_units(run, lack)
    return len(units) if store.feed(run_id, units, run.cursor, cursor) else 0


def planned_units(flow: str, planned: Iterable[Planned]) -> Iterator[PlannedUnit]:
    """Yield the units of what is planned, lazily and in order."""
    for one in planned:
        if isinstance(one, PlannedValue):
            yield PlannedUnit(Unit(flow, value=one.value), one.origin)
            continue
        for start, end in Schedule.parse(one.schedule).intervals(one.start, one.end):
            yield PlannedUnit(Unit(flow, start, end), one.origin, one.schedule)


def next_units(run: Run, limit: int) -> tuple[list[PlannedUnit], str]:
    """Return the next units to feed of a run, at most ``limit``, and the cursor after them.

    The cursor names the planned range and the time within it from which the feed goes on
    (``3@1704067200``); it is ``end`` once there is nothing left.
    """
    if run.cursor == _END:
        return [], _END
    position, _, time = run.cursor.partition("@")
    index = int(position or 0)
    rest = list(run.planned[index:])
    if rest and time and isinstance(rest[0], PlannedRange):
        rest[0] = replace(rest[0], start=int(time))
    units = list(islice(planned_units(run.flow, rest), limit))
    if len(units) < limit:
        return units, _END
    return units, _cursor_after(run.planned, index, units[-1].unit)


def _cursor_after(planned: Sequence[Planned], index: int, last: Unit) -> str:
    for position in range(index, len(planned)):
        one = planned[position]
        if isinstance(one, PlannedValue):
            if one.value == last.value:
                return f"{position + 1}"
        elif one.start <= last.start < one.end:
            return f"{position}@{last.end}" if last.end < one.end else f"{position + 1}"
    return _END
