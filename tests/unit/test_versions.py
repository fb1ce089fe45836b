"""Which versions made what is done, and what to restate so that one version has made it all."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from seeknal.engine.changes import UNCHANGED, Kind
from seeknal.errors import PermanentQueryError
from seeknal.flow import Flow
from seeknal.resolve import fingerprint_of
from seeknal.versions import Specs, other, ranges, versions
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import CompletedValue, Completion, FlowState, Origin, Restatement

DAILY, HOURLY = str(Schedule("@daily")), str(Schedule("@hourly"))
SQL = "SELECT id FROM events WHERE ts >= '__START__' AND ts < '__END__'"
NOW = SQL.replace("id", "id, amount")


def flow(sql: str = NOW, **more: Any) -> Flow:
    """A flow of no project."""
    fields = {"schedule": "@daily", **more}
    given = {"kind": "database", "value": "raw"}
    return Flow.from_spec({"name": "f", "input": given, "tasks": [{"sql": sql}], **fields})


def at(day: int, hour: int = 0) -> int:
    """An hour of January 2024, in UTC seconds."""
    return int(datetime(2024, 1, day, hour, tzinfo=UTC).timestamp())


def done(
    start: int, end: int, print_: str, origin: Origin = Origin.RUN, schedule: str = DAILY
) -> Completion:
    return Completion(at(start), at(end), origin, schedule, print_)


OLD, PRESENT = fingerprint_of(flow(SQL)), fingerprint_of(flow())
KEPT: Specs = {OLD: flow(SQL).to_spec(), PRESENT: flow().to_spec()}


def days(state: FlowState, specs: Specs = KEPT, now: Flow | None = None) -> list[tuple[int, int]]:
    """What to restate for all versions that count, as days of January."""
    found = [v for v in versions(now or flow(), state, specs) if v.is_due]
    return [
        (datetime.fromtimestamp(s, UTC).day, datetime.fromtimestamp(e, UTC).day)
        for s, e in ranges(found, state)
    ]


def test_what_the_present_version_made_is_left_alone() -> None:
    state = FlowState((done(1, 5, PRESENT),))
    (found,) = versions(flow(), state, KEPT)
    assert (found.difference, found.units, found.is_due) == (UNCHANGED, 4, False)
    assert other(flow(), state, KEPT) == frozenset()


def test_what_did_not_change_is_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    state = FlowState((done(1, 5, PRESENT),))
    monkeypatch.delattr("seeknal.engine.changes.logic")
    monkeypatch.delattr("seeknal.versions.fingerprint_of")
    assert other(flow(), state, KEPT) == frozenset()
    with pytest.raises(NameError):
        other(flow(SQL), state, KEPT)


def test_a_flow_that_has_no_units_has_no_versions() -> None:
    assert versions(flow(schedule=None), FlowState((done(1, 5, OLD),)), KEPT) == ()


def test_versions_come_in_the_order_of_their_first_units() -> None:
    state = FlowState((done(1, 3, OLD), done(3, 4, PRESENT), done(4, 5, OLD), done(6, 7, "lost")))
    found = versions(flow(), state, KEPT)
    assert [(v.fingerprint, v.units, v.difference.kind) for v in found] == [
        (OLD, 3, Kind.ADDED),
        (PRESENT, 1, Kind.SAME),
        ("lost", 1, Kind.UNKNOWN),
    ]
    assert other(flow(), state, KEPT) == {OLD, "lost"}


def test_without_kept_specs_the_fingerprint_decides() -> None:
    state = FlowState((done(1, 3, OLD), done(3, 4, PRESENT)))
    assert [v.difference.kind for v in versions(flow(), state, {})] == [Kind.UNKNOWN, Kind.SAME]


def test_a_kept_spec_decides_above_its_fingerprint() -> None:
    """Another DuckDB may make another tree of the same text."""
    state = FlowState((done(1, 3, "by an older DuckDB"),))
    assert not other(flow(), state, {"by an older DuckDB": flow().to_spec()})
    assert other(flow(), state, {"by an older DuckDB": flow(SQL).to_spec()})


def test_ranges_go_over_gaps_and_over_nothing_that_is_right() -> None:
    assert days(FlowState((done(1, 3, OLD), done(5, 7, OLD)))) == [(1, 7)]
    assert days(FlowState((done(1, 3, OLD), done(4, 5, PRESENT), done(6, 7, OLD)))) == [
        (1, 3),
        (6, 7),
    ]
    assert days(FlowState((done(1, 3, OLD), done(3, 4, PRESENT), done(4, 5, OLD)))) == [
        (1, 3),
        (4, 5),
    ]


def test_ranges_are_those_of_all_versions_together() -> None:
    state = FlowState(
        (
            done(1, 3, OLD),
            done(3, 4, "lost"),
            done(4, 6, OLD, Origin.BACKFILL),
            done(6, 7, OLD, Origin.RUN, HOURLY),
            done(9, 10, "lost"),
            done(11, 12, PRESENT),
        )
    )
    assert days(state) == [(1, 10)]
    assert sum(v.units for v in versions(flow(), state, KEPT) if v.is_due) == 2 + 1 + 2 + 24 + 1


def test_what_was_marked_by_hand_was_made_by_no_version() -> None:
    state = FlowState(
        (done(1, 3, OLD), done(3, 4, OLD, Origin.MANUAL), done(4, 5, OLD)),
        (CompletedValue("EU", Origin.MANUAL, OLD),),
    )
    (found,) = versions(flow(), state, KEPT)
    assert found.units == 3
    assert days(state) == [(1, 3), (4, 5)]
    assert other(flow(), FlowState((done(1, 3, OLD, Origin.MANUAL),)), KEPT) == frozenset()


def test_what_is_restated_is_decided_already() -> None:
    wish = Restatement(at(2), at(3), DAILY, "why")
    state = FlowState((done(1, 5, OLD),), restatements=(wish,))
    (found,) = versions(flow(), state, KEPT)
    assert (found.units, found.restated, found.is_due) == (3, 1, True)
    assert days(state) == [(1, 2), (3, 5)]
    every = FlowState((done(1, 5, OLD),), restatements=(Restatement(at(1), at(5), DAILY, "why"),))
    (found,) = versions(flow(), every, KEPT)
    assert (found.units, found.restated, found.is_due) == (0, 4, False)


def test_values_are_told_by_name() -> None:
    sql = "SELECT * FROM events WHERE region = '__PARTITION__'"
    partition = {"column": "region"}
    before = flow(sql, schedule=None, partition=partition)
    now = flow(sql + " AND amount > 0", schedule=None, partition=partition)
    first, second = fingerprint_of(before), fingerprint_of(now)
    state = FlowState(
        (done(1, 3, OLD),),
        (
            CompletedValue("US", Origin.RUN, first),
            CompletedValue("EU", Origin.RUN, first),
            CompletedValue("DE", Origin.RUN, second),
            CompletedValue("FR", Origin.RUN, first),
        ),
        restated_values={"FR": "why"},
    )
    kept = {first: before.to_spec(), second: now.to_spec()}
    found = {v.fingerprint: v for v in versions(now, state, kept)}
    assert set(found) == {first, second}
    assert found[first].values == ("EU", "US")
    assert (found[first].units, found[first].restated) == (2, 1)
    assert found[first].difference.details == ("filter added: amount > 0",)
    assert not found[second].is_due


def test_a_present_flow_that_is_no_sql_is_told() -> None:
    with pytest.raises(PermanentQueryError):
        versions(flow("SELEC 1"), FlowState((done(1, 3, OLD),)), KEPT)
