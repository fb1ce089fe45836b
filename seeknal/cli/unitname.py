"""Units as people name them: what is printed of a unit can be typed to mean it."""

from __future__ import annotations

from seeknal.cli.changing import read_interval
from seeknal.errors import TimeError, UsageError
from seeknal.flow import Flow
from seeknal.workflow.instants import format_interval
from seeknal.workflow.intervals import count_units, nth
from seeknal.workflow.units import Unit


def read_unit(flow: Flow, typed: str) -> Unit:
    """Read one unit: a date, the datetime an interval starts at, ``A to B``, a value, or its key.

    Raises:
        TimeError: it is no time, or not exactly one interval of the flow.
    """
    schedule = flow.interval_schedule
    if schedule is None:
        return Unit(flow.name, value=typed)
    try:
        found = Unit.from_key(flow.name, typed)
        if found.value is None:
            return found
    except UsageError:
        pass  # not a key
    asked = read_interval(flow, schedule, typed)
    inside = count_units(schedule, asked)
    low, high = asked.span or (0, 0)
    if inside != 1:
        first = format_interval(*nth(schedule, low, high, 0), flow.timezone)
        raise TimeError(
            f"{typed!r} holds {inside:,} intervals of flow {flow.name!r}; name one of them, for "
            f"example '{first}'."
        )
    return Unit(flow.name, low, high)
