"""What is chosen of a window: by kind, by force, with look-back, up to a limit, beside others."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from seeknal.errors import UsageError
from seeknal.plan import (
    KINDS,
    Data,
    Exclusion,
    Held,
    Plan,
    Reason,
    Taken,
    Window,
    again_of,
    count_planned,
    make_plan,
)
from seeknal.plan.shapes import back, cut
from seeknal.stores.base import Again, Change
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import (
    CompletedValue,
    Completion,
    FlowState,
    Origin,
    Restatement,
    Run,
)
from seeknal.workflow.units import Planned, PlannedRange, PlannedValue

DAILY = Schedule("@daily")
HOURLY = Schedule("0 * * * *")
BERLIN = Schedule("30 2 * * *", "Europe/Berlin")
CHANGE = Change("ada", "force", "days", "bug")
NOBODY = Taken()


def at(day: int, hour: int = 0) -> int:
    """An hour of January 2024, in UTC seconds."""
    return int(datetime(2024, 1, day, hour, tzinfo=UTC).timestamp())


def done(*days: tuple[int, int], schedule: Schedule = DAILY) -> tuple[Completion, ...]:
    return tuple(Completion(at(a), at(b), Origin.RUN, str(schedule), "f") for a, b in days)


def time(*days: tuple[int, int]) -> IntervalSet:
    return IntervalSet((at(a), at(b)) for a, b in days)


def plan(
    state: FlowState,
    window: Window,
    taken: Taken = NOBODY,
    *,
    start: int | None = None,
    schedule: Schedule = DAILY,
) -> Plan:
    data = Data((float(at(1)), float(at(20))))
    return make_plan(
        "events", schedule, state, data, window, now=at(11, 6), start=start, taken=taken
    )


def days(planned: tuple[Planned, ...]) -> list[int]:
    """The days of January that units begin at."""
    return [
        datetime.fromtimestamp(start, UTC).day
        for one in planned
        if isinstance(one, PlannedRange)
        for start, _ in Schedule.parse(one.schedule).intervals(one.start, one.end)
    ]


def chosen(a_plan: Plan, reason: Reason) -> list[int]:
    return days(tuple(p.planned for p in a_plan.parts if p.reason is reason))


# Done but for days 3 and 4, of which the 4th failed, and from day 9; days 6 and 7 are restated,
# and the 7th has failed at that.
MIXED = FlowState(
    completions=done((1, 3), (5, 9)),
    restatements=(Restatement(at(6), at(8), str(DAILY), "late data"),),
    unfinished=time((3, 5), (7, 8)),
    failed=time((4, 5), (7, 8)),
)


@pytest.mark.parametrize(
    ("kinds", "reason", "expected"),
    [
        (["failed"], Reason.FAILED, [4, 7]),
        (["missing"], Reason.MISSING, [3, 9, 10]),
        (["restated"], Reason.RESTATED, [6]),
    ],
)
def test_only_takes_one_kind_of_the_whole_window(
    kinds: list[str], reason: Reason, expected: list[int]
) -> None:
    found = plan(MIXED, Window(only=frozenset().union(*(KINDS[k] for k in kinds))))
    assert chosen(found, reason) == expected == days(found.planned)
    rest = sorted(day for day in (3, 4, 6, 7, 9, 10) if day not in expected)
    assert days(found.left_out(Exclusion.KIND)) == rest
    assert days(found.left_out(Exclusion.DONE)) == [1, 2, 5, 8]


def test_a_plain_run_and_a_backfill_tell_what_failed_from_the_rest() -> None:
    plain = plan(MIXED, Window())
    assert chosen(plain, Reason.FAILED) == [4, 7]
    assert chosen(plain, Reason.UNFINISHED) == [3]
    assert chosen(plain, Reason.NEW) == [9, 10]
    assert days(plain.left_out(Exclusion.RESTATED)) == [6]
    assert days(plain.left_out(Exclusion.NOT_DUE)) == [11]
    every = plan(MIXED, Window(backfill=True))
    assert (every.count(Reason.FAILED), every.count(Reason.MISSING)) == (2, 3)


def test_force_does_what_is_done_as_well_and_restates_it_with_its_reason() -> None:
    found = plan(MIXED, Window(start=at(4), end=at(9), force="bug"))
    assert chosen(found, Reason.FORCED) == [5, 8]
    assert (chosen(found, Reason.FAILED), chosen(found, Reason.RESTATED)) == ([4, 7], [6])
    assert {p.planned.origin for p in found.parts} == {"backfill", "restate"}
    assert again_of(found, "bug", CHANGE) == Again(
        (
            Restatement(at(5), at(6), str(DAILY), "bug"),
            Restatement(at(8), at(9), str(DAILY), "bug"),
        ),
        {},
        CHANGE,
    )


def test_force_widens_to_the_shape_that_published_and_is_not_asked_for_twice() -> None:
    state = FlowState(completions=done((1, 6)))
    window = Window(start=at(3, 5), end=at(3, 7), force="bug")
    found = plan(state, window, schedule=HOURLY)
    assert found.planned == (PlannedRange(at(3), at(4), str(DAILY), "restate"),)
    taken = Taken(again=Held(time((3, 4))))
    assert plan(state, window, taken, schedule=HOURLY).planned == ()


def test_each_stretch_has_its_own_lookback_interior_gaps_as_well() -> None:
    state = FlowState(completions=done((1, 5), (6, 9)))
    found = plan(state, Window(backfill=True, lookback=2))
    assert chosen(found, Reason.MISSING) == [5, 9, 10]
    assert chosen(found, Reason.LOOKBACK) == [3, 4, 7, 8]
    assert [p.planned.origin for p in found.parts if p.reason is Reason.LOOKBACK] == ["restate"] * 2
    again = again_of(found, "", CHANGE)
    assert again is not None
    assert again.change is None, "nobody asked for it by hand"
    assert [(r.start, r.end) for r in again.restatements] == [(at(3), at(5)), (at(7), at(9))]


def test_lookback_counts_across_a_gap_that_is_not_run() -> None:
    state = FlowState(completions=done((1, 5), (6, 9)))
    found = plan(state, Window(lookback=5))
    assert chosen(found, Reason.NEW) == [9, 10]
    assert chosen(found, Reason.LOOKBACK) == [4, 6, 7, 8]
    assert days(found.left_out(Exclusion.OLDER)) == [5]


def test_lookback_ends_at_the_flows_start_and_at_what_others_hold() -> None:
    state = FlowState(
        completions=done((1, 9)), restatements=(Restatement(at(8), at(9), str(DAILY), "bug"),)
    )
    assert chosen(plan(state, Window(lookback=9), start=at(6)), Reason.LOOKBACK) == [6, 7]
    other = Run("r", "events", {}, "f", (PlannedRange(at(7), at(9), str(DAILY), "restate"),), 2)
    found = plan(state, Window(backfill=True, lookback=3), Taken((other,)))
    assert chosen(found, Reason.LOOKBACK) == [6]
    assert [(hold.run, days(tuple(p.planned for p in hold.parts))) for hold in found.held] == [
        ("r", [8])
    ]


def test_lookback_is_redone_in_the_shape_that_published_it() -> None:
    hours = done((7, 9), schedule=HOURLY)
    found = plan(FlowState(completions=(*done((1, 7)), *hours)), Window(lookback=3))
    shapes = {p.planned.schedule for p in found.parts if isinstance(p.planned, PlannedRange)}
    assert shapes == {str(DAILY), str(HOURLY)}
    assert found.count(Reason.LOOKBACK) == 1 + 48


def test_limit_comes_last_and_cuts_in_the_order_of_the_run() -> None:
    state = FlowState(completions=done((1, 3)))
    other = Run("r", "events", {}, "f", (PlannedRange(at(3), at(5), str(DAILY), "run"),), 2)
    oldest = plan(state, Window(limit=3), Taken((other,)))
    assert days(oldest.planned) == [5, 6, 7]
    assert days(oldest.left_out(Exclusion.LIMIT)) == [8, 9, 10]
    newest = plan(state, Window(limit=3, newest_first=True), Taken((other,)))
    assert days(newest.planned) == [8, 9, 10]
    assert days(plan(state, Window(limit=3, lookback=2)).planned) == [1, 2, 3]


def test_ten_million_units_are_cut_without_listing_them() -> None:
    minutes = Schedule("* * * * *")
    first = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
    for newest_first in (False, True):
        window = Window(limit=5_000_001, newest_first=newest_first)
        found = plan(FlowState(), window, schedule=minutes, start=first)
        assert found.count() == 5_000_001
        assert count_planned(found.left_out(Exclusion.LIMIT)) > 5_000_000
        (part,) = found.parts
        assert isinstance(part.planned, PlannedRange)
        assert (part.planned.start == first) is not newest_first


@pytest.mark.parametrize("count", [1, 2, 86, 87, 88, 89, 90, 299])
def test_stretches_are_cut_at_ticks_across_clock_changes(count: int) -> None:
    ticks = BERLIN.ticks(at(1), at(1) + 302 * 86400)
    whole = PlannedRange(ticks[0], ticks[300], str(BERLIN), "run")
    first, rest = cut(whole, count)
    assert (first.start, first.end, rest.start, rest.end) == (
        *(ticks[0], ticks[count]),
        *(ticks[count], ticks[300]),
    )
    assert back(BERLIN, ticks[300], count, ticks[0]) == ticks[300 - count]
    assert back(BERLIN, ticks[count], 300, ticks[0]) == ticks[0]


def values(state: FlowState, window: Window, taken: Taken = NOBODY) -> Plan:
    data = Data(values=("AP", "EU", "UK", "US"))
    return make_plan("events", None, state, data, window, now=at(11), taken=taken)


VALUES = FlowState(
    values=tuple(CompletedValue(v, Origin.RUN, "f") for v in ("AP", "EU", "UK")),
    restated_values={"EU": "late data", "UK": "late data"},
    unfinished_values=frozenset({"UK", "US"}),
    failed_values=frozenset({"UK"}),
)


def reasons(a_plan: Plan) -> dict[str, str]:
    return {p.planned.value: p.reason for p in a_plan.parts if isinstance(p.planned, PlannedValue)}


def test_values_are_chosen_like_intervals() -> None:
    assert reasons(values(VALUES, Window())) == {"UK": "failed", "US": "unfinished"}
    every = {"EU": "restated", "UK": "failed", "US": "missing"}
    assert reasons(values(VALUES, Window(backfill=True))) == every
    forced = values(VALUES, Window(force="bug", values=("AP", "US", "XX")))
    assert reasons(forced) == {"AP": "forced", "US": "missing"}
    assert again_of(forced, "bug", CHANGE) == Again((), {"AP": "bug"}, CHANGE)
    assert forced.left_out(Exclusion.NO_DATA) == (PlannedValue("XX", "backfill"),)
    only = values(VALUES, Window(only=KINDS["failed"]))
    assert reasons(only) == {"UK": "failed"}
    assert [p.value for p in only.left_out(Exclusion.KIND) if isinstance(p, PlannedValue)] == [
        *("EU", "US")
    ]
    newest = values(VALUES, Window(backfill=True, limit=1, newest_first=True))
    assert reasons(newest) == {"US": "missing"}
    other = Run("r", "events", {}, "f", (PlannedValue("EU", "restate"),), 1)
    held = values(VALUES, Window(backfill=True), Taken((other,)))
    assert reasons(held) == {"UK": "failed", "US": "missing"}
    assert [hold.run for hold in held.held] == ["r"]


def test_values_lie_in_no_order_to_look_back_in() -> None:
    with pytest.raises(UsageError, match="look back"):
        values(VALUES, Window(lookback=1))
