"""What a request comes to: the window rule, the horizon, restated shapes, what others hold."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import pytest

from seeknal.errors import UsageError
from seeknal.plan import (
    Data,
    Exclusion,
    Held,
    Plan,
    Reason,
    Window,
    make_plan,
    restatements,
)
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import (
    CompletedValue,
    Completion,
    FlowState,
    Origin,
    Restatement,
)
from seeknal.workflow.units import Planned, PlannedRange, PlannedValue

DAILY = Schedule("@daily")
HOURLY = Schedule("0 * * * *")


def at(day: int, hour: int = 0) -> int:
    """An hour of January 2024, in UTC seconds."""
    return int(datetime(2024, 1, day, hour, tzinfo=UTC).timestamp())


def done(*days: tuple[int, int], origin: Origin = Origin.RUN) -> FlowState:
    return FlowState(
        completions=tuple(Completion(at(a), at(b), origin, str(DAILY), "f") for a, b in days)
    )


def plan(
    state: FlowState = FlowState(),
    window: Window = Window(),
    *,
    data: tuple[int, int] | None = (at(1), at(20, 12)),
    now: int = at(11, 6),
    schedule: Schedule = DAILY,
    start: int | None = None,
    lag: int = 0,
) -> Plan:
    extent = None if data is None else (float(data[0]), float(data[1]))
    return make_plan("events", schedule, state, Data(extent), window, now=now, start=start, lag=lag)


def in_days(planned: Iterable[Planned]) -> list[tuple[int, int]]:
    """Stretches as days of January."""
    return [
        (datetime.fromtimestamp(one.start, UTC).day, datetime.fromtimestamp(one.end, UTC).day)
        for one in planned
        if isinstance(one, PlannedRange)
    ]


def days(a_plan: Plan, reason: Reason | None = None) -> list[tuple[int, int]]:
    return in_days(p.planned for p in a_plan.parts if reason in (None, p.reason))


def left_out(a_plan: Plan, why: Exclusion) -> list[tuple[int, int]]:
    return in_days(a_plan.left_out(why))


BACKFILL = Window(backfill=True)


def test_first_run_begins_at_the_data_and_ends_with_the_last_interval_that_is_over() -> None:
    assert days(plan(data=(at(3, 5), at(20)))) == [(3, 11)]


def test_first_run_begins_at_the_start_date_where_there_is_one() -> None:
    assert days(plan(start=at(6))) == [(6, 11)]


def test_run_takes_what_is_new_and_says_what_is_older() -> None:
    found = plan(done((1, 3), (5, 8)))
    assert days(found, Reason.NEW) == [(8, 11)]
    assert days(found) == [(8, 11)]
    assert left_out(found, Exclusion.OLDER) == [(3, 5)]


def test_completion_by_hand_does_not_move_the_mark() -> None:
    state = FlowState(
        completions=(*done((1, 3)).completions, *done((6, 7), origin=Origin.MANUAL).completions)
    )
    found = plan(state)
    assert days(found, Reason.NEW) == [(3, 6), (7, 11)]
    assert not found.left_out(Exclusion.OLDER)


def test_run_goes_on_with_what_an_earlier_run_left() -> None:
    state = FlowState(
        completions=done((1, 3), (5, 8)).completions, unfinished=IntervalSet([(at(3), at(4))])
    )
    found = plan(state)
    assert days(found, Reason.UNFINISHED) == [(3, 4)]
    assert left_out(found, Exclusion.OLDER) == [(4, 5)]


def test_backfill_takes_every_gap_and_every_restated_unit() -> None:
    state = FlowState(
        completions=done((1, 3), (5, 8)).completions,
        restatements=(Restatement(at(6), at(7), str(DAILY), "bug"),),
    )
    found = plan(state, BACKFILL)
    assert days(found, Reason.MISSING) == [(3, 5), (8, 11)]
    assert days(found, Reason.RESTATED) == [(6, 7)]
    assert [p.planned.origin for p in found.parts] == ["backfill", "restate", "backfill"]


def test_plain_run_leaves_restated_units_alone_unless_a_run_failed_at_them() -> None:
    restated = Restatement(at(6), at(7), str(DAILY), "bug")
    state = FlowState(completions=done((1, 11)).completions, restatements=(restated,))
    assert days(plan(state)) == []
    failed = FlowState(
        completions=state.completions,
        restatements=(restated,),
        unfinished=IntervalSet([(at(6), at(7))]),
    )
    assert days(plan(failed), Reason.RESTATED) == [(6, 7)]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (at(3), at(4), [(3, 4)]),
        (at(3, 5), at(5), [(3, 5)]),
        (at(3), at(5, 23), [(3, 5)]),
        (at(3, 1), at(3, 2), []),
        (at(9), at(30), [(9, 11)]),
        (at(15), at(30), []),
    ],
)
def test_window_runs_from_the_interval_that_contains_its_start(
    start: int, end: int, expected: list[tuple[int, int]]
) -> None:
    assert days(plan(window=Window(start, end, backfill=True))) == expected


def test_explicit_window_never_runs_what_is_done() -> None:
    assert days(plan(done((1, 5)), Window(at(3), at(7), backfill=True))) == [(5, 7)]


def test_horizon_keeps_back_what_lies_past_the_data() -> None:
    found = plan(window=BACKFILL, data=(at(1), at(4, 7)))
    assert days(found) == [(1, 5)]
    assert left_out(found, Exclusion.NO_DATA) == [(5, 11)]
    assert found.cut == (at(4), at(5))
    whole = plan(window=Window(backfill=True, include_empty=True), data=(at(1), at(4, 7)))
    assert days(whole) == [(1, 11)]


def test_horizon_binds_an_explicit_window_and_a_first_instant_counts_as_data() -> None:
    window = Window(at(4), at(8), backfill=True)
    assert days(plan(window=window, data=(at(1), at(5)))) == [(4, 6)]
    assert days(plan(window=window, data=(at(1), at(5) - 1))) == [(4, 5)]


def test_no_rows_at_all_is_nothing_to_run() -> None:
    assert days(plan(data=None)) == []
    found = plan(window=Window(at(3), at(5), backfill=True), data=None)
    assert days(found) == []
    assert left_out(found, Exclusion.NO_DATA) == [(3, 5)]


def test_data_lag_makes_an_interval_due_later() -> None:
    assert days(plan(now=at(11, 6), lag=7 * 3600)) == [(1, 10)]
    assert days(plan(now=at(11, 7), lag=7 * 3600)) == [(1, 11)]


def test_partly_covered_unit_is_missing_whole() -> None:
    hours = FlowState(completions=(Completion(at(3), at(3, 5), Origin.RUN, str(HOURLY), "f"),))
    assert (3, 4) in days(plan(hours, Window(at(3), at(4), backfill=True)))


def test_changed_schedule_keeps_coverage() -> None:
    assert days(plan(done((1, 11)), BACKFILL, schedule=HOURLY)) == [(11, 11)]


def test_restated_hour_of_a_daily_flow_is_redone_as_the_day_that_published_it() -> None:
    state = done((1, 11))
    found = restatements(state, IntervalSet([(at(5, 3), at(5, 4))]), "bug")
    assert found == (Restatement(at(5), at(6), str(DAILY), "bug"),)
    state = FlowState(completions=state.completions, restatements=found)
    redo = plan(state, Window(at(5), at(6), backfill=True), schedule=HOURLY)
    assert [p.planned for p in redo.parts] == [PlannedRange(at(5), at(6), str(DAILY), "restate")]


def test_restated_shape_gives_way_to_a_missing_unit_that_covers_it() -> None:
    hour = Completion(at(5, 3), at(5, 4), Origin.RUN, str(HOURLY), "f")
    state = FlowState(
        completions=(hour,), restatements=(Restatement(hour.start, hour.end, str(HOURLY), "bug"),)
    )
    found = plan(state, Window(at(5), at(6), backfill=True))
    assert [(p.planned, p.reason) for p in found.parts] == [
        (PlannedRange(at(5), at(6), str(DAILY), "backfill"), Reason.MISSING)
    ]


def test_restating_what_was_never_done_finds_nothing() -> None:
    assert restatements(done((1, 3)), IntervalSet([(at(5), at(9))]), "bug") == ()


def test_what_others_hold_is_split_off_by_whole_units() -> None:
    found = plan(window=BACKFILL)
    mine, theirs = found.without(Held(IntervalSet([(at(3), at(5)), (at(8), at(9))])))
    assert days(mine) == [(1, 3), (5, 8), (9, 11)]
    assert [(p.planned.start, p.planned.end) for p in theirs] == [  # type: ignore[union-attr]
        (at(3), at(5)),
        (at(8), at(9)),
    ]


def test_ten_million_intervals_are_planned_as_one_range() -> None:
    every_minute = Schedule("* * * * *")
    first = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
    found = plan(
        window=BACKFILL, schedule=every_minute, data=(first, at(11)), now=at(11), start=first
    )
    assert len(found.parts) == 1
    assert found.count() == (at(11) - first) // 60 > 10_000_000


def values(window: Window, state: FlowState = FlowState()) -> Plan:
    return make_plan("events", None, state, Data(values=("EU", "US", "AP")), window, now=at(11))


def test_value_partitions_are_the_data_s_own_values() -> None:
    state = FlowState(values=(CompletedValue("EU", Origin.RUN, "f"),))
    assert [p.planned for p in values(Window(), state).parts] == [
        PlannedValue("AP", "run"),
        PlannedValue("US", "run"),
    ]


def test_value_asked_for_but_not_in_the_data_is_not_run() -> None:
    found = values(Window(values=("EU", "XX"), backfill=True))
    assert [p.planned for p in found.parts] == [PlannedValue("EU", "backfill")]
    assert found.left_out(Exclusion.NO_DATA) == (PlannedValue("XX", "backfill"),)
    asked = values(Window(values=("XX",), backfill=True, include_empty=True))
    assert [p.planned for p in asked.parts] == [PlannedValue("XX", "backfill")]


def test_restated_value_runs_in_a_backfill_only() -> None:
    state = FlowState(
        values=(CompletedValue("EU", Origin.RUN, "f"),), restated_values={"EU": "bug"}
    )
    assert values(Window(values=("EU",)), state).parts == ()
    again = values(Window(values=("EU",), backfill=True), state)
    assert [p.planned for p in again.parts] == [PlannedValue("EU", "restate")]


def test_dates_do_not_fit_a_flow_of_values() -> None:
    with pytest.raises(UsageError, match="by value partition"):
        values(Window(start=at(1)))
    with pytest.raises(UsageError, match="no value partitions"):
        plan(window=Window(values=("EU",)))
