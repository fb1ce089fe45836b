"""The feed: whatever happens, each planned unit is fed once, in the order of the moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, SupportsIndex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seeknal.feed import is_fed, next_units, planned_units
from seeknal.workflow.cursor import next_turn
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import Run
from seeknal.workflow.units import Planned, PlannedRange, PlannedUnit, PlannedValue

FLOW = "events"
HOUR = 3600
SCHEDULES = [
    Schedule("@hourly"),
    Schedule("*/15 * * * *"),
    Schedule("@daily", "Europe/London"),
    Schedule("30 9-17 * * 1-5", "America/New_York"),
]
ORDERS: list[dict[str, Any]] = [{}, {"newest_first": True}]


@st.composite
def ranges(draw: st.DrawFn) -> tuple[Planned, ...]:
    """Stretches of time, each of a schedule of its own, before and after the epoch."""
    parts, reached = [], draw(st.sampled_from([-40, 0, 19_800])) * 24 * HOUR
    for _ in range(draw(st.integers(0, 5))):
        schedule = draw(st.sampled_from(SCHEDULES))
        start = schedule.ceil(reached + draw(st.integers(0, 30)) * HOUR)
        end = start
        for _ in range(draw(st.integers(1, 8))):
            end = schedule.next(end)
        parts.append(PlannedRange(start, end, str(schedule), "run"))
        reached = end
    return tuple(parts)


values = st.lists(st.sampled_from("MZKBAQXCLEDWVJ"), unique=True).map(
    lambda names: tuple(PlannedValue(name, "run") for name in names)
)


def new_run(planned: tuple[Planned, ...], **options: Any) -> Run:
    return Run("r", FLOW, {}, "f", planned, 0, options)


def fed_whole(run: Run, step: int) -> list[PlannedUnit]:
    """Feed a run to its end, so many units at a time."""
    fed = []
    while not is_fed(run):
        units, cursor = next_units(run, step)
        fed += units
        run = replace(run, cursor=cursor)
    return fed


@settings(max_examples=300, deadline=None)
@given(ranges() | values, st.data())
def test_each_unit_is_fed_once_in_the_order_of_the_moment(
    planned: tuple[Planned, ...], data: st.DataObject
) -> None:
    """Against the list of all units, of which the feed must return the first that are not fed."""
    every = list(planned_units(FLOW, planned))
    run, fed, cursors = new_run(planned), set[PlannedUnit](), {""}
    while not is_fed(run):
        newest_first = bool(run.options.get("newest_first"))
        if data.draw(st.sampled_from(["feed", "feed", "feed", "steer"])) == "steer":
            # Any of them may have been claimed by now, or have completed or failed.
            taken = data.draw(st.sets(st.sampled_from(sorted(fed, key=str)))) if fed else set()
            fed -= taken
            cursor, options = next_turn(run.cursor), {"newest_first": not newest_first}
            back = (*run.returned, *data.draw(st.permutations(sorted(taken, key=str))))
            run = replace(run, options=options, cursor=cursor, returned=back)
        else:
            step = data.draw(st.integers(1, 12))
            units, cursor = next_units(run, step)
            rest = [unit for unit in every if unit not in fed]
            assert units == (rest[::-1] if newest_first else rest)[:step]
            fed.update(units)
            left = tuple(unit for unit in run.returned if unit not in units)
            run = replace(run, cursor=cursor, returned=left)
        assert cursor not in cursors
        cursors.add(cursor)
    assert fed == set(every)


@pytest.mark.parametrize("options", ORDERS)
def test_a_feed_goes_on_where_it_stopped_whatever_the_steps(options: dict[str, Any]) -> None:
    day = 24 * HOUR
    planned = (
        PlannedRange(day, 3 * day, str(SCHEDULES[0]), "run"),
        PlannedRange(5 * day, 7 * day, "@daily UTC", "restate"),
        PlannedValue("EU", "run"),
        PlannedValue("US", "run"),
    )
    expected = list(planned_units(FLOW, planned))
    assert len(expected) == 52
    assert list(planned_units(FLOW, planned, newest_first=True)) == expected[::-1]
    for step in (1, 7, 48, 49, 51, 52, 100):
        fed = fed_whole(new_run(planned, **options), step)
        assert fed == (expected[::-1] if options else expected), step


class Counted(tuple[Planned, ...]):
    """A plan that counts how often one looks at a part, and cannot be walked through."""

    looks = 0

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        assert not isinstance(key, slice)
        self.looks += 1
        return super().__getitem__(key)

    def __iter__(self) -> Iterator[Planned]:
        raise AssertionError("the whole plan was looked at")


@pytest.mark.parametrize("options", ORDERS)
def test_a_feed_looks_at_the_parts_that_it_feeds_alone(options: dict[str, Any]) -> None:
    """Of ten thousand, and also where a new order took units back."""
    parts = [
        PlannedRange(n * 4 * HOUR, (n * 4 + 2) * HOUR, "@hourly UTC", "run") for n in range(10_000)
    ]
    planned = Counted(parts)
    run = new_run(planned, **options)
    for _ in range(5):
        planned.looks = 0
        units, cursor = next_units(run, 100)
        assert len(units) == 100
        assert planned.looks < 100
        back = tuple(units[::3])
        run = replace(run, cursor=cursor, returned=back)
