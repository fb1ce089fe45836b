"""Schedules changed on a flow that has output: coverage is kept, and no row is there twice."""

from __future__ import annotations

import random
import re
from datetime import date, timedelta

import pytest

from seeknal.engine import provenance
from seeknal.workflow.instants import parse_instant
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.units import Unit
from tests.projects import Sandbox

DAILY, HOURLY, WEEKLY, MONTHLY = "@daily", "0 * * * *", "0 0 * * 1", "@monthly"


def test_daily_to_hourly_and_back(sandbox: Sandbox) -> None:
    sandbox.declare().events("2024-01-01", 6 * 24, "1 hour")
    sandbox.seeknal("run", "--end-date", "2024-01-05")
    daily = sandbox.runs_of_files()
    assert len(daily) == 4

    sandbox.declare(schedule=HOURLY)
    first = sandbox.seeknal("run")
    assert first.lines[0] == ("Processing 48 new intervals (2024-01-05 to 2024-01-07)"), (
        "what was done by the day is done by the hour"
    )
    assert {key: sandbox.runs_of_files()[key] for key in daily} == daily
    assert_whole(sandbox, 4 + 48)

    # An hour of a day that was published as a day: the day is done again, as a day.
    restate(sandbox, "2024-01-02T05:00", "2024-01-02T06:00")
    assert pending(sandbox) == ["  2024-01-02 to 2024-01-03 (restated)"]
    sandbox.seeknal("run", "--backfill")
    assert_whole(sandbox, 4 + 48)
    # An hour that was published as an hour.
    restate(sandbox, "2024-01-06T05:00", "2024-01-06T06:00")
    sandbox.seeknal("run", "--backfill")
    after = sandbox.runs_of_files()
    again = {key for key in after if list(after.values()).count(after[key]) == 1}
    assert again == {"20240102T000000Z_20240103T000000Z", "20240106T050000Z_20240106T060000Z"}
    assert_whole(sandbox, 4 + 48)

    sandbox.declare(schedule=DAILY)
    assert pending(sandbox) == []
    assert sandbox.seeknal("run").out == "Nothing to do for events_flow.\n"
    assert_whole(sandbox, 4 + 48)
    # A day that was published as hours is restated as those hours.
    restate(sandbox, "2024-01-05", "2024-01-06")
    assert len(pending(sandbox)) == 24
    sandbox.seeknal("run", "--backfill")
    assert_whole(sandbox, 4 + 48)


def test_day_of_which_some_hours_are_done_replaces_them(sandbox: Sandbox) -> None:
    sandbox.declare(schedule=HOURLY).events("2024-01-01", 3 * 24, "1 hour")
    sandbox.seeknal("run", "--end-date", "2024-01-02T05:00")
    assert_whole(sandbox, 29, "event_time < '2024-01-02 05:00:00'")
    sandbox.declare(schedule=DAILY)
    assert pending(sandbox) == ["  2024-01-02 to 2024-01-03", "  2024-01-03 to 2024-01-04"]
    sandbox.seeknal("run")
    assert_whole(sandbox, 24 + 2)


def test_what_is_taken_back_beside_the_window_is_said(sandbox: Sandbox) -> None:
    sandbox.declare(schedule=MONTHLY).events("2024-01-01", 121 * 2, "12 hours")
    sandbox.seeknal("run", "--end-date", "2024-03-01")
    assert_whole(sandbox, 2, "event_time < '2024-03-01'")
    sandbox.declare(schedule=WEEKLY)
    result = sandbox.seeknal("run", "--start-date", "2024-03-01", "--end-date", "2024-03-04")
    assert_whole(
        sandbox,
        2,
        "event_time < '2024-02-01' OR event_time >= '2024-02-26' AND event_time < '2024-03-04'",
    )
    (named,) = re.findall(r"Taken back: 2024-02-01 to 2024-02-26, .* fill with: (.*)", result.err)
    sandbox.bash(named + " --end-date 2024-03-04")
    # The week that straddles January and February takes January back, and that is filled too.
    assert pending(sandbox, "--end-date", "2024-03-04") == []
    assert_whole(sandbox, 9, "event_time < '2024-03-04'")


@pytest.fixture
def quick(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    """A sandbox whose commands are called in this process."""
    monkeypatch.setattr(sandbox, "seeknal", sandbox.call)
    monkeypatch.setattr("seeknal.ending.BACKOFF", 0.01)
    return sandbox


def test_weeks_and_days_that_straddle_months_with_a_failure_between(quick: Sandbox) -> None:
    quick.declare().events("2024-01-01", 70 * 4, "6 hours", table="stored")
    quick.breakable()
    quick.seeknal("run", "--end-date", "2024-02-02")
    assert_whole(quick, 32, "event_time < '2024-02-02'")

    # The week from 29 January to 5 February holds four days that are done, and it fails.
    quick.declare(schedule=WEEKLY)
    quick.breakable("event_time = '2024-02-03 06:00:00'")
    failed = quick.seeknal("run", "--end-date", "2024-02-19", code=1)
    assert "Failed: 2024-01-29 to 2024-02-05" in failed.err
    assert_whole(
        quick,
        32 + 2,
        "event_time < '2024-02-02' OR event_time BETWEEN '2024-02-05' AND '2024-02-18 23:00:00'",
    )
    quick.breakable()
    quick.seeknal("run", "--end-date", "2024-02-19")
    assert_whole(quick, 28 + 3, "event_time < '2024-02-19'")

    quick.declare(schedule=DAILY)
    quick.seeknal("run")
    assert_whole(quick, 28 + 3 + 21)
    restate(quick, "2024-01-31", "2024-02-01")
    assert pending(quick) == ["  2024-01-29 to 2024-02-05 (restated)"]
    quick.seeknal("run", "--backfill")
    assert_whole(quick, 28 + 3 + 21)

    # Months share a week with their neighbours: what is cut off of it is run again.
    quick.declare(schedule=WEEKLY)
    restate(quick, "2024-01-29", "2024-02-05")
    quick.breakable("event_time = '2024-02-03 06:00:00'")
    quick.seeknal("run", "--backfill", code=1)
    quick.declare(schedule=DAILY)
    quick.breakable()
    quick.seeknal("run", "--backfill")
    assert pending(quick) == []
    assert_whole(quick, 28 + 3 + 21)


@pytest.mark.parametrize("seed", range(4))
def test_any_history_of_schedules_windows_and_failures(quick: Sandbox, seed: int) -> None:
    chance = random.Random(seed)
    quick.declare().events("2024-01-01", 66 * 8, "3 hours", table="stored")
    told: list[str] = []
    for _ in range(9):
        told.append(step(quick, chance))
        assert_consistent(quick, told)
    quick.breakable()
    quick.declare(schedule=chance.choice((DAILY, WEEKLY, HOURLY)))
    quick.seeknal("run", "--backfill", "--end-date", "2024-03-04")
    assert_consistent(quick, told)
    lacking = quick.query(
        "SELECT count(*) FROM events WHERE event_time < '2024-03-04' "
        "AND id NOT IN (SELECT id FROM $output)"
    )
    assert lacking == [(0,)], told
    assert pending_ranges(quick) & IntervalSet([(0, seconds("2024-03-04"))]) == IntervalSet(), told


def step(sandbox: Sandbox, chance: random.Random) -> str:
    """Do something that an operator may do; return what it was."""
    first = chance.randrange(60)
    start, end = day(first), day(first + chance.randrange(1, 20))
    kind = chance.choice(("run", "run", "backfill", "backfill", "restate"))
    schedule = chance.choice((DAILY, WEEKLY, HOURLY, MONTHLY) if kind != "restate" else (DAILY,))
    broken = [f"event_time = '{day(chance.randrange(60))} 06:00:00'" for _ in range(2)]
    sandbox.breakable(*broken[: chance.choice((0, 0, 1, 2))])
    if kind == "restate":
        restate(sandbox, f"{start}T07:00", end)
        return f"restate {start} {end}"
    if schedule == HOURLY:
        end = day(first + 2)
    sandbox.declare(schedule=schedule)
    words = ["run", "--start-date", start, "--end-date", end]
    if kind == "backfill":
        words.append("--backfill")
    return f"{schedule} {' '.join(words)} -> {sandbox.seeknal(*words, code=None).code}"


def day(number: int) -> str:
    return str(date(2024, 1, 1) + timedelta(days=number))


def seconds(text: str) -> int:
    return parse_instant(text, "UTC")


def restate(sandbox: Sandbox, start: str, end: str) -> None:
    sandbox.seeknal("intervals", "restate", "--start", start, "--end", end, "--reason", "a bug")


def pending(sandbox: Sandbox, *words: str) -> list[str]:
    return sandbox.seeknal("intervals", "pending", "--all", *words).lines[1:]


def pending_ranges(sandbox: Sandbox) -> IntervalSet:
    with sandbox.store() as store:
        state = store.state("events_flow")
    whole = IntervalSet([(seconds("2024-01-01"), seconds("2024-03-04"))])
    return (whole - state.completed) | state.restated


def assert_whole(sandbox: Sandbox, files: int, where: str = "true") -> None:
    """Check that the output holds the events of ``where``, each once, in that many files."""
    assert len(sandbox.files()) == files
    sandbox.assert_output_is(f"SELECT * FROM events WHERE {where}")
    assert_consistent(sandbox, [])


def assert_consistent(sandbox: Sandbox, told: list[str]) -> None:
    """Check that every file is a completed unit, in the shape of its completion, and whole."""
    with sandbox.store() as store:
        state = store.state("events_flow")
    shapes: dict[str, str] = {}
    for completion in state.completions:
        schedule = Schedule.parse(completion.schedule)
        for start, end in schedule.intervals(completion.start, completion.end):
            shapes[Unit("events_flow", start, end).key] = completion.schedule
    files = sandbox.files()
    published = {k: provenance.read(p)["seeknal_schedule"] for k, p in files.items()}
    assert published == shapes, told
    if not files:
        return
    completed = " OR ".join(
        f"(epoch(event_time) >= {s} AND epoch(event_time) < {e})" for s, e in state.completed
    )
    rows, distinct = sandbox.query("SELECT count(*), count(DISTINCT id) FROM $output")[0]
    expected = sandbox.query(
        f"SELECT count(*) FROM (SELECT id, event_time FROM events) WHERE {completed or 'false'}"
    )
    assert (rows, distinct) == (expected[0][0],) * 2, told
