"""What ``seeknal run`` runs, what it leaves, and what it says: its rules, by the command line."""

from __future__ import annotations

import random
import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from tests.projects import EVENTS_SQL, Sandbox

READABLE = 45


def processed(sandbox: Sandbox, *words: str, code: int = 0) -> str:
    """The first line of a run."""
    return sandbox.seeknal("run", *words, code=code).lines[0]


def pending(sandbox: Sandbox, *words: str) -> list[str]:
    return [line.strip() for line in sandbox.call("intervals", "pending", *words).lines[1:]]


def days(*numbers: int) -> list[str]:
    return [f"2024-01-{n:02} to 2024-01-{n + 1:02}" for n in numbers]


@pytest.fixture
def week(sandbox: Sandbox) -> Sandbox:
    """A daily flow over the first seven days of 2024, whose days can be broken."""
    sandbox.declare().events("2024-01-01", 7 * 4, "6 hours", table="stored")
    sandbox.breakable()
    return sandbox


# -- windows -----------------------------------------------------------------------------------


def test_window_runs_from_the_interval_of_its_start_to_the_last_that_ends(week: Sandbox) -> None:
    for start, end, expected in [
        ("2024-01-03", "2024-01-04", [3]),
        ("2024-01-03T13:00", "2024-01-05", [3, 4]),
        ("2024-01-03", "2024-01-05T23:59:59", [3, 4]),
        ("2024-01-03T01:00", "2024-01-03T02:00", []),
        ("2024-01-03T00:00:00+02:00", "2024-01-04T00:00:00Z", [2, 3]),
        ("2023-12-30", "2024-01-02", [1]),
    ]:
        window = ("--start-date", start, "--end-date", end)
        empty = ["--include-empty"] if start < "2024" else []
        plan = week.call("run", "--backfill", "--dry-run", *window, "--json", *empty).json
        units = sum(part["units"] for part in plan["flows"][0]["parts"])
        assert units == len(expected) + (2 if empty else 0), (start, end)
        if not empty:
            listed = week.call("intervals", "pending", *window).lines[1:]
            assert [line.strip() for line in listed] == days(*expected), (start, end)


def test_without_a_start_the_range_begins_at_the_start_date_else_at_the_data(week: Sandbox) -> None:
    assert pending(week) == days(*range(1, 8))
    week.declare(start_date="2024-01-04")
    assert pending(week) == days(4, 5, 6, 7)
    assert processed(week) == "Processing 4 new intervals (2024-01-04 to 2024-01-08)"


def test_an_explicit_window_never_runs_what_is_done(week: Sandbox) -> None:
    week.seeknal("run", "--end-date", "2024-01-04")
    before = week.runs_of_files()
    window = ("--start-date", "2024-01-02", "--end-date", "2024-01-06")
    for backfill in ([], ["--backfill"]):
        plan = week.seeknal("run", *window, *backfill, "--dry-run", "--json").json["flows"][0]
        assert plan["units"] == 2
    week.seeknal("run", "--backfill", *window)
    after = week.runs_of_files()
    assert {key: after[key] for key in before} == before
    assert len(after) == 5


# -- how far the data reaches --------------------------------------------------------------------


def test_what_lies_past_the_data_is_not_run_and_not_marked_done(week: Sandbox) -> None:
    window = ("--backfill", "--start-date", "2024-01-06", "--end-date", "2024-01-11")
    result = week.seeknal("run", *window)
    assert result.lines[0] == "Processing 2 missing intervals (2024-01-06 to 2024-01-08)"
    assert (
        "Not run: 3 intervals (2024-01-08 to 2024-01-11), because the data ends at "
        "2024-01-07T18:00; --include-empty runs them." in result.err.splitlines()
    )
    assert "Note: the data ends at 2024-01-07T18:00, within the last interval" in result.err
    assert len(week.files()) == 2
    everything = processed(week, *window, "--include-empty")
    assert everything == "Processing 3 missing intervals (2024-01-08 to 2024-01-11)"
    assert len(week.files()) == 5
    week.assert_output_is("SELECT * FROM events WHERE event_time >= '2024-01-06'")


def test_no_rows_at_all_is_nothing_to_do(week: Sandbox) -> None:
    with week.data() as connection:
        connection.execute("DELETE FROM stored")
    result = week.seeknal("run", "--backfill", "--start-date", "2024-01-01")
    assert result.out == "Nothing to do for events_flow.\n"
    assert "because the input has no rows" in result.err


def test_data_lag_makes_an_interval_due_that_long_after_its_end(sandbox: Sandbox) -> None:
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    first = hour - timedelta(hours=9)
    sandbox.events(f"{first:%Y-%m-%d %H:%M:%S}", 12 * 6, "10 minutes")
    counts = []
    for lag in ("0s", "5h"):
        sandbox.declare(schedule="0 * * * *", data_lag=lag)
        counts.append(len(pending(sandbox)))
    # The hour may strike in between.
    assert counts[0] in (9, 10)
    assert counts[0] - counts[1] in (4, 5)


# -- what plain runs take ------------------------------------------------------------------------


def test_older_gaps_are_named_with_the_command_that_fills_them(week: Sandbox) -> None:
    week.seeknal("run", "--start-date", "2024-01-04", "--end-date", "2024-01-06", "--backfill")
    result = week.seeknal("run")
    assert result.lines[0] == "Processing 2 new intervals (2024-01-06 to 2024-01-08)"
    (named,) = re.findall(
        r"3 older missing intervals \(2024-01-01 to 2024-01-04\); fill with: (.*)", result.err
    )
    assert week.bash(named).lines[0] == (
        "Processing 3 missing intervals (2024-01-01 to 2024-01-04)"
    )
    week.assert_output_is("SELECT * FROM events")
    assert "older" not in week.seeknal("run").err


def test_completion_by_hand_does_not_move_the_mark(week: Sandbox) -> None:
    week.seeknal("run", "--end-date", "2024-01-03")
    marked = week.seeknal(
        *("intervals", "complete", "--interval", "2024-01-05", "--reason", "Came by mail")
    )
    assert marked.out == "Marked 1 interval of events_flow complete (2024-01-05 to 2024-01-06).\n"
    assert processed(week) == "Processing 4 new intervals (2024-01-03 to 2024-01-08)"
    assert "20240105T000000Z_20240106T000000Z" not in week.files()
    assert "  2024-01-05 to 2024-01-06 ✓ (marked by hand)" in (
        week.seeknal("intervals", "show").lines
    )
    with week.store() as store:
        (entry,) = store.audit("events_flow")
    assert (entry.action, entry.what, entry.reason) == ("complete", "2024-01-05", "Came by mail")


def test_complete_reads_a_date_a_start_and_a_range_and_ignores_the_horizon(week: Sandbox) -> None:
    def complete(*intervals: str) -> str:
        words = [word for each in intervals for word in ("--interval", each)]
        return week.seeknal("intervals", "complete", *words).out

    assert complete("2024-03-01 to 2024-03-05").startswith("Marked 4 intervals")
    assert complete("2024-01-02", "2024-01-04").startswith("Marked 2 intervals")
    week.declare(schedule="0 * * * *")
    assert complete("2024-01-06").startswith("Marked 24 intervals")
    assert complete("2024-01-07T05:00").startswith("Marked 1 interval")
    assert complete("2024-01-07T05:00").startswith("Already complete")


def test_a_failing_unit_leaves_the_others_and_a_plain_run_tries_it_again(week: Sandbox) -> None:
    week.breakable("event_time = '2024-01-03 06:00:00'")
    result = week.seeknal("run", code=1)
    assert re.search(r"Run \S+: 6 done, 1 failed, 24 rows, .*, 2 retries\.", result.out)
    assert "Failed: 2024-01-03 to 2024-01-04 after 3 attempts: The query failed" in result.err
    (again,) = re.findall(r"Left to do: 1 .*\. Go on with: (.*)", result.err)
    (failed,) = week.seeknal("intervals", "failed", "--json").json["flows"][0]["failed"]
    assert failed["attempts"] == 3
    assert "sensor 7 is broken" in failed["error"]
    shown = week.seeknal("intervals", "failed").lines
    assert shown[0] == "Failed for events_flow (1):"
    assert "sensor 7 is broken" in shown[1]

    week.seeknal("run", code=1)
    week.breakable()
    assert week.bash(again).lines[0] == ("Processing 1 failed interval (2024-01-03 to 2024-01-04)")
    assert week.seeknal("intervals", "failed").out == "Failed for events_flow (0):\n"
    week.assert_output_is("SELECT * FROM events")


def test_restated_units_run_in_a_backfill_and_what_was_never_done_is_no_restatement(
    week: Sandbox,
) -> None:
    week.seeknal("run", "--end-date", "2024-01-04")
    restate = ("intervals", "restate", "--start", "2024-01-02", "--end", "2024-01-07")
    dry = week.seeknal(*restate, "--reason", "bug", "--dry-run")
    assert dry.out == "Would restate 2 intervals of events_flow (2024-01-02 to 2024-01-04).\n"
    assert pending(week) == days(4, 5, 6, 7)
    week.seeknal(*restate, "--reason", "bug")
    assert pending(week) == [
        *(f"{line} (restated)" for line in days(2, 3)), *days(4, 5, 6, 7)
    ]  # fmt: skip
    assert processed(week) == "Processing 4 new intervals (2024-01-04 to 2024-01-08)"
    assert processed(week, "--backfill") == (
        "Processing 2 restated intervals (2024-01-02 to 2024-01-04)"
    )


# -- codes, flows, dry runs, JSON ----------------------------------------------------------------


def test_exit_codes(week: Sandbox) -> None:
    week.seeknal("run", "--end-date", "2024-01-03", code=0)
    week.seeknal("run", "--end-date", "2024-01-03", code=0)
    week.breakable("event_time = '2024-01-05 06:00:00'")
    week.seeknal("run", "--end-date", "2024-01-05", code=0)
    week.seeknal("run", code=1)
    week.seeknal("run", "--start-date", "soon", code=2)
    week.seeknal("run", "--flow", "nobody", code=2)
    week.seeknal("run", "--no-such-option", code=2)
    week.seeknal("run", "--end-date", "2024-01-05", code=0)


def test_a_dry_run_changes_nothing(week: Sandbox) -> None:
    week.seeknal("run", "--end-date", "2024-01-03")
    week.seeknal(
        *("intervals", "restate", "--start", "2024-01-01", "--end", "2024-01-02"),
        *("--reason", "bug"),
    )
    before = snapshot(week)
    window = ("--end-date", "2024-01-10")
    plain = week.seeknal("run", "--dry-run", *window)
    assert plain.lines == [
        "Would process 5 new intervals of events_flow:",
        "  2024-01-03 to 2024-01-08: 5 new intervals",
        "Total: 5 new.",
        "Excluded: 1 done, 2 no data yet, 1 restated, left for a backfill.",
        "  2024-01-02 to 2024-01-03: 1 interval done",
        "  2024-01-08 to 2024-01-10: 2 intervals no data yet",
        "  2024-01-01 to 2024-01-02: 1 interval restated, left for a backfill",
    ]
    backfill = week.seeknal("run", "--backfill", "--dry-run", *window)
    assert backfill.lines == [
        "Would process 6 intervals of events_flow: 5 missing, 1 restated:",
        "  2024-01-01 to 2024-01-02: 1 restated interval",
        "  2024-01-03 to 2024-01-08: 5 missing intervals",
        "Total: 5 missing, 1 restated.",
        "Excluded: 1 done, 2 no data yet.",
        "  2024-01-02 to 2024-01-03: 1 interval done",
        "  2024-01-08 to 2024-01-10: 2 intervals no data yet",
    ]
    assert snapshot(week) == before


def snapshot(sandbox: Sandbox) -> object:
    with sandbox.store() as store:
        known = {name: store.state(name) for name in store.flows()}
        runs = [(run, store.counts(run.id)) for run in store.runs()]
        audit = store.audit()
    target = sandbox.root / "target"
    files = {
        path.relative_to(target): path.stat().st_mtime_ns
        for path in target.rglob("*")
        if path.is_file() and not path.name.startswith("state.db")
    }
    return known, runs, audit, files


def test_flows_are_chosen_by_name_and_several_are_nobodys_guess(week: Sandbox) -> None:
    for name in ("second", "third"):
        week.declare(name)
    result = week.seeknal("run", "--flow", "third", "--flow", "second", "--end-date", "2024-01-03")
    assert re.findall(r"Processing 2 new intervals of (\S+)", result.out) == ["third", "second"]
    assert (len(week.files("second")), len(week.files("third")), week.files()) == (2, 2, {})
    shown = week.seeknal("intervals", "show", "--flow", "second", "--flow", "events_flow").out
    assert re.findall(r"Intervals for (.*):", shown) == ["second", "events_flow"]
    everything = week.seeknal("intervals", "show").out
    assert re.findall(r"Intervals for (.*):", everything) == ["events_flow", "second", "third"]

    before = snapshot(week)
    for command in (
        ("complete", "--interval", "2024-01-01"),
        ("restate", "--start", "2024-01-01", "--end", "2024-01-02", "--reason", "bug"),
    ):
        refused = week.seeknal("intervals", *command, code=2)
        assert "with --flow; there are events_flow, second, third." in refused.err
        assert refused.out == ""
    assert snapshot(week) == before
    week.seeknal("intervals", "complete", "--interval", "2024-01-06", "--flow", "second")


def test_sql_that_does_not_bind_is_found_before_anything_starts(week: Sandbox) -> None:
    week.declare("second", sql=EVENTS_SQL.replace("*", "no_such_column"))
    result = week.seeknal("run", code=2)
    assert result.out == ""
    assert "no_such_column" in result.err
    assert len(result.err.splitlines()) == 1
    assert week.files() == {}
    with week.store() as store:
        assert (store.flows(), store.runs()) == ([], [])
    assert len(week.seeknal("flows", "validate", code=2).lines) == 2
    week.seeknal("run", "--flow", "events_flow")


def test_json_agrees_with_what_is_said(week: Sandbox) -> None:
    week.breakable("event_time = '2024-01-03 06:00:00'")
    (dry,) = week.seeknal("run", "--dry-run", "--json").json["flows"]
    result = week.seeknal("run", "--json", code=1)
    assert result.err == ""
    (ran,) = result.json["flows"]
    assert (dry["units"], dry["parts"]) == (ran["units"], ran["parts"])
    assert (ran["done"], ran["left"], ran["complete"], ran["rows"]) == (6, 1, False, 24)
    assert [failed["start"] for failed in ran["failed"]] == ["2024-01-03T00:00:00+00:00"]
    (shown,) = week.seeknal("intervals", "show", "--json").json["flows"]
    assert sum(each["units"] for each in shown["completed"]) == 6
    (waiting,) = week.seeknal("intervals", "pending", "--json").json["flows"]
    assert waiting["units"] == 1
    (failed,) = week.seeknal("intervals", "failed", "--json").json["flows"]
    assert failed["failed"][0]["run"] in ran["runs"]
    (flow,) = week.seeknal("flows", "list", "--json").json["flows"]
    assert flow["schedule"] == "@daily"
    assert week.seeknal("flows", "show", "events_flow", "--json").json["flow"] == "events_flow"
    (checked,) = week.seeknal("flows", "validate", "--json").json["flows"]
    assert checked["errors"] == []


def test_a_hundred_thousand_intervals_do_not_scroll_by(sandbox: Sandbox) -> None:
    sandbox.declare(schedule="0 * * * *").events("2010-01-01", 100_000, "1 hour")
    assert len(pending(sandbox)) == 1
    assert len(sandbox.call("run", "--dry-run").lines) <= READABLE
    sandbox.call("intervals", "complete", "--interval", "2010-01-01 to 2021-05-29")
    shown = sandbox.call("intervals", "show")
    assert shown.lines == [
        "Completed Intervals for events_flow:",
        "  2010-01-01 to 2021-05-29 ✓ (marked by hand) (99,984 intervals)",
    ]
    # Every other hour of a year is done: that is as many stretches as units.
    hours = [datetime(2022, 1, 1) + timedelta(hours=2 * n) for n in range(4380)]
    words = [word for each in hours for word in ("--interval", f"{each:%Y-%m-%dT%H:%M}")]
    sandbox.call("intervals", "complete", *words)
    shown = sandbox.call("intervals", "show")
    assert len(shown.lines) <= READABLE
    assert any("more lines (--all shows every one)" in line for line in shown.lines)
    assert shown.lines[1].endswith("(99,984 intervals)")
    every = sandbox.call("intervals", "show", "--all").lines
    assert len(every) == 1 + 99_984 + 4380
    window = ("--start-date", "2022-01-01", "--end-date", "2023-01-01", "--include-empty")
    backfill = sandbox.call("run", "--backfill", "--dry-run", *window)
    assert len(backfill.lines) <= READABLE


# -- pending is what a backfill runs -------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_pending_is_what_a_backfill_then_runs(
    sandbox: Sandbox, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr("seeknal.ending.BACKOFF", 0.01)
    sandbox.declare(data_lag=chance.choice(("0s", "2d")))
    sandbox.events("2024-01-01", 40 * 4, "6 hours", table="stored")
    for _ in range(5):
        mangle(sandbox, chance)
        (seen,) = sandbox.call("intervals", "pending", "--json").json["flows"]
        lines = sandbox.call("intervals", "pending", "--all").lines[1:]
        sandbox.breakable()
        began = len(executed(sandbox))
        (ran,) = sandbox.call("run", "--backfill", "--json").json["flows"]
        assert ran["parts"] == seen["parts"]
        done = executed(sandbox)[began:]
        assert max(Counter(done).values(), default=1) == 1
        assert {unit[:8] for unit in done} == {line.split()[0].replace("-", "") for line in lines}
        assert len(done) == seen["units"] == ran["done"]
        assert sandbox.call("intervals", "pending").out == "Pending intervals (0):\n"


def mangle(sandbox: Sandbox, chance: random.Random) -> None:
    """Bring the state to where operators bring it: gaps, failures, marks, restatements."""
    for _ in range(chance.randrange(1, 4)):
        first = chance.randrange(38)
        numbers = (first, first + chance.randrange(1, 12))
        start, end = (f"{datetime(2024, 1, 1) + timedelta(days=n):%Y-%m-%d}" for n in numbers)
        sandbox.breakable(f"event_time = '{start} 12:00:00'" if chance.random() < 0.5 else "false")
        window = ("--start-date", start, "--end-date", end)
        restate = ("intervals", "restate", "--start", start, "--end", end, "--reason", "a bug")
        mark = ("intervals", "complete", "--interval", start)
        commands = (("run", *window), ("run", "--backfill", *window), mark, restate, restate)
        sandbox.call(*chance.choice(commands), code=None)


def executed(sandbox: Sandbox) -> list[str]:
    """The keys of all units that were completed by runs, oldest run first."""
    with sandbox.store() as store:
        runs = reversed(store.runs("events_flow"))
        events = [event for run in runs for event in store.events(run.id)]
    return [event.unit for event in events if event.kind == "completed"]
