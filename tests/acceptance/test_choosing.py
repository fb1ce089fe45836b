"""What a run is told to do, and how: each option by a real command."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from seeknal.workflow.state import Event, RunStatus
from tests.acceptance.conftest import WINDOW
from tests.projects import Result, Sandbox
from tests.waiting import wait_until

# How many rows a day of six burns, in millions: a second or less of work for each hundred.
BURN = f"SELECT *, (SELECT max(hash(i)) FROM range(50000000) t(i)) > 0 AS b FROM events {WINDOW}"


@pytest.fixture
def days(sandbox: Sandbox) -> Sandbox:
    """A daily flow over the first twelve days of 2024, whose days can be broken."""
    sandbox.declare().events("2024-01-01", 12 * 4, "6 hours", table="stored")
    sandbox.breakable()
    return sandbox


def key(day: int) -> str:
    return f"202401{day:02}T000000Z_202401{day + 1:02}T000000Z"


def between(first: int, last: int) -> tuple[str, ...]:
    """A window: from the first day to the last, both in it."""
    return ("--start-date", f"2024-01-{first:02}", "--end-date", f"2024-01-{last + 1:02}")


def done_by(sandbox: Sandbox, *words: str, code: int = 0) -> tuple[Result, list[int]]:
    """Run, and say which days' files are other ones afterwards."""
    before = sandbox.runs_of_files()
    result = sandbox.seeknal("run", *words, code=code)
    after = sandbox.runs_of_files()
    changed = [unit for unit, run in after.items() if before.get(unit) != run]
    return result, sorted(int(unit[6:8]) for unit in changed)


def events(sandbox: Sandbox, kind: str) -> list[Event]:
    """What happened to units of the latest run, of one kind."""
    with sandbox.store() as store:
        return [e for e in store.events(store.runs()[0].id) if e.kind == kind and e.unit]


# -- which units -----------------------------------------------------------------------------------


def test_only_what_failed_is_retried_and_only_what_is_missing_is_filled(days: Sandbox) -> None:
    days.seeknal("run", "--backfill", *between(3, 4))
    days.breakable("event_time IN ('2024-01-06 06:00:00', '2024-01-08 00:00:00')")
    days.seeknal("run", "--max-attempts", "1", *between(5, 9), code=1)
    days.breakable()
    result, done = done_by(days, "--only", "failed")
    assert result.lines[0] == "Processing 2 failed intervals (2024-01-06 to 2024-01-09)"
    assert done == [6, 8]
    assert done_by(days, "--only", "missing", "--end-date", "2024-01-11")[1] == [1, 2, 10]
    restate = ("intervals", "restate", "--start", "2024-01-03", "--end", "2024-01-05")
    days.seeknal(*restate, "--reason", "Late data")
    result, done = done_by(days, "--only", "restated", "--only", "failed")
    assert result.lines[0] == "Processing 2 restated intervals (2024-01-03 to 2024-01-05)"
    assert done == [3, 4]
    days.assert_output_is("SELECT * FROM events WHERE event_time < '2024-01-11'")


def test_what_fails_of_the_missing_is_left_and_the_advice_takes_it_up(days: Sandbox) -> None:
    days.breakable("event_time = '2024-01-06 06:00:00'")
    result = days.seeknal("run", "--only", "missing", "--max-attempts", "1", code=1)
    (go_on,) = re.findall(r"Left to do: 1 failed interval .* Go on with: (.*)", result.err)
    assert "--only missing --only failed" in go_on
    days.breakable()
    assert days.bash(go_on).lines[0].startswith("Processing 1 failed interval")


def test_what_is_forced_is_audited_and_replaces_its_output(days: Sandbox) -> None:
    days.seeknal("run", "--end-date", "2024-01-10")
    with days.data() as connection:
        connection.execute("UPDATE stored SET amount = amount + 1000")
    forced = ("--force", "--reason", "Rates were corrected", *between(8, 11))
    dry = days.seeknal("run", *forced, "--dry-run").lines
    assert dry[0] == "Would process 4 intervals of events_flow: 2 missing, 2 forced:"
    with days.store() as store:
        assert (store.audit(), store.state("events_flow").restatements) == ([], ())
    result, done = done_by(days, *forced)
    assert result.lines[0] == (
        "Processing 4 intervals: 2 missing, 2 forced (2024-01-08 to 2024-01-12)"
    )
    assert done == [8, 9, 10, 11]
    (entry,) = days.seeknal("audit", "--json").json["audit"]
    assert (entry["action"], entry["what"], entry["reason"]) == (
        *("force", "2024-01-08 to 2024-01-10"),
        "Rates were corrected",
    )
    days.assert_output_is(
        "SELECT id, event_time, amount - CASE WHEN event_time < '2024-01-08' THEN 1000 ELSE 0 END "
        "FROM events WHERE event_time < '2024-01-12'"
    )
    assert days.seeknal("run", "--backfill", *between(8, 11)).out == (
        "Nothing to do for events_flow.\n"
    )


def test_what_is_forced_and_fails_stays_to_be_done_and_its_output_readable(days: Sandbox) -> None:
    days.seeknal("run", "--end-date", "2024-01-06")
    before = days.runs_of_files()
    days.breakable("event_time = '2024-01-04 06:00:00'")
    words = ("--force", "--reason", "bug", "--max-attempts", "1", *between(3, 5))
    result, done = done_by(days, *words, code=1)
    assert done == [3, 5]
    assert days.runs_of_files()[key(4)] == before[key(4)]
    days.breakable()
    (go_on,) = re.findall(r"Left to do: 1 failed interval .* Go on with: (.*)", result.err)
    assert "--force" not in go_on, "what is done again is not forced once more"
    assert days.bash(go_on).lines[0] == "Processing 1 failed interval (2024-01-04 to 2024-01-05)"


def test_lookback_redoes_what_lies_before_new_stretches_and_interior_gaps(days: Sandbox) -> None:
    for window in (between(1, 3), between(5, 8)):
        days.seeknal("run", "--backfill", *window)
    result, done = done_by(days, "--backfill", "--lookback", "2", "--end-date", "2024-01-11")
    assert result.lines[0] == (
        "Processing 7 intervals: 3 missing, 4 lookback (2024-01-02 to 2024-01-11)"
    )
    assert done == [2, 3, 4, 7, 8, 9, 10]
    assert days.seeknal("audit").out == ""
    result, done = done_by(days, "--lookback", "1")
    assert done == [10, 11, 12]
    assert days.seeknal("run", "--lookback", "3").out == "Nothing to do for events_flow.\n"


def test_limit_takes_the_first_in_the_runs_order_and_the_advice_the_next(days: Sandbox) -> None:
    result, done = done_by(days, "--limit", "3", "--end-date", "2024-01-11")
    assert done == [1, 2, 3]
    (go_on,) = re.findall(r"Past the limit: 7 new intervals .* Go on with: (.*)", result.err)
    assert days.bash(go_on).lines[0] == "Processing 3 new intervals (2024-01-04 to 2024-01-07)"
    newest = ("--backfill", "--limit", "2", "--newest-first", "--end-date", "2024-01-11")
    assert done_by(days, *newest)[1] == [9, 10]
    assert done_by(days, *newest)[1] == [7, 8]


def test_newest_first_begins_with_the_latest(days: Sandbox) -> None:
    days.seeknal("run", "--newest-first", "--workers", "1")
    assert days.claimed() == [key(day) for day in range(12, 0, -1)]


# -- how -------------------------------------------------------------------------------------------


def test_no_more_units_run_at_once_than_may(sandbox: Sandbox) -> None:
    sandbox.declare(sql=BURN).events("2024-01-01", 12 * 4, "6 hours")
    for most in (1, 2):
        window = between(6 * most - 5, 6 * most)
        sandbox.seeknal("run", "--backfill", "--workers", "4", "--max-active", str(most), *window)
        spans = [(e.at - e.seconds, e.at) for e in events(sandbox, "completed")]
        assert len(spans) == 6
        assert at_once(spans) == most


def at_once(spans: list[tuple[float, float]]) -> int:
    """The most spans of time that overlap at any moment."""
    return max(sum(start <= moment < end for start, end in spans) for moment, _ in spans)


def test_attempts_and_the_wait_between_them(days: Sandbox) -> None:
    days.breakable("event_time = '2024-01-03 06:00:00'")
    words = ("--max-attempts", "2", "--backoff", "3s", "--workers", "1", "--end-date", "2024-01-04")
    result = days.seeknal("run", *words, code=1)
    assert "Failed: 2024-01-03 to 2024-01-04 after 2 attempts" in result.err
    (first,), (last,) = events(days, "retry"), events(days, "failed")
    assert 1.5 <= last.at - first.at < 6
    assert result.err.splitlines()[-1].endswith("--max-attempts 2 --backoff 3s")


def test_timeout_ends_the_slow_unit_and_no_other(slow: Sandbox) -> None:
    words = ("--timeout", "2s", "--max-attempts", "2", "--backoff", "0s", "--workers", "2")
    result = slow.seeknal("run", *words, code=1)
    assert (
        "Failed: 2024-01-04 to 2024-01-05 after 2 attempts: The attempt took longer than its "
        "timeout of 2s; give it more time with --timeout, or make its SQL faster."
    ) in result.err
    assert sorted(int(unit[6:8]) for unit in slow.files()) == [1, 2, 3, 5, 6]
    ends = [*events(slow, "retry"), *events(slow, "failed")]
    assert [2 <= end.seconds < 4 for end in ends] == [True, True], ends
    assert slow.leftovers() == []


def test_a_query_that_is_deaf_ends_no_other_and_keeps_nobody(deaf: Sandbox) -> None:
    words = ("--timeout", "1s", "--max-attempts", "2", "--backoff", "0s", "--workers", "1")
    result = deaf.seeknal("run", *words, code=1)
    assert "and its query ignores that it was interrupted" in result.err
    assert "Traceback" not in result.err
    assert len(deaf.files()) == 5
    assert (len(events(deaf, "retry")), len(events(deaf, "failed"))) == (1, 1)
    with deaf.store() as store:
        assert store.runs()[0].status is RunStatus.FAILED
        assert store.holds("events_flow").runs == ()


def test_a_run_stops_after_so_many_failures(days: Sandbox) -> None:
    days.breakable("event_time::TIME = '06:00:00' AND day(event_time) IN (2, 3, 5, 7, 8, 9)")
    words = ("--stop-after", "3", "--max-attempts", "1", "--workers", "1")
    result = days.seeknal("run", *words, code=1)
    run = re.findall(r"Run (\S+): 2 done, 3 failed", result.out)[0]
    because = "because 3 of its units failed, and it was to stop after 3."
    assert f"Run {run} paused itself, {because}" in result.err
    assert "Left to do: 10 intervals: 7 new, 3 failed" in result.err
    (go_on,) = re.findall(r"Go on with: (.*)", result.err)
    assert go_on == ("seeknal run --flow events_flow --max-attempts 1 --stop-after 3"), (
        "how many work at once is said each time"
    )
    assert f"It paused itself, {because}" in days.seeknal("runs", "show", run).out
    refused = days.seeknal("runs", "resume", run, code=2)
    assert "run what is left: seeknal run --flow events_flow" in refused.err
    days.breakable()
    days.bash(go_on)
    days.assert_output_is("SELECT * FROM events")


def test_a_run_here_whose_first_units_fail_alike_pauses_itself_too(days: Sandbox) -> None:
    days.breakable("true")
    result = days.seeknal("run", "--workers", "1", "--backoff", "60s", code=1)
    assert "because all of its first units failed the same way: The query failed" in result.err
    assert len(events(days, "retry")) == 5
    days.breakable()
    days.bash(re.findall(r"Go on with: (.*)", result.err)[0])
    days.assert_output_is("SELECT * FROM events")


def test_new_intervals_are_run_however_many_old_ones_go_on_failing(days: Sandbox) -> None:
    days.breakable("event_time::TIME = '06:00:00' AND day(event_time) BETWEEN 2 AND 7")
    words = ("run", "--workers", "1", "--backoff", "0s", "--end-date")
    days.seeknal(*words, "2024-01-08", code=1)
    for end in ("2024-01-09", "2024-01-10"):  # each is one more day
        result = days.seeknal(*words, end, code=1)
        assert "paused" not in result.err
        assert "1 done, 6 failed" in result.out
    assert days.seeknal("intervals", "failed").lines[0] == "Failed for events_flow (6):"


def test_a_run_that_paused_itself_is_not_stopped_by_the_same_units_again(days: Sandbox) -> None:
    days.breakable("event_time::TIME = '06:00:00' AND day(event_time) <= 5")
    words = ("run", "--workers", "1", "--backoff", "0s")
    first = days.seeknal(*words, code=1)
    assert "all of its first units failed the same way" in first.err
    assert days.seeknal("intervals", "failed").lines[0] == "Failed for events_flow (5):"
    second = days.seeknal(*words, code=1)
    assert "paused" not in second.err
    assert "7 done, 5 failed" in second.out


# -- before it ------------------------------------------------------------------------------------


def test_a_dry_run_says_what_others_hold(slow: Sandbox) -> None:
    with slow.running("run", "--end-date", "2024-01-06", "--workers", "1") as process:
        wait_until("all before the slow day are done", lambda: len(slow.files()) == 3, 60)
        plan = slow.seeknal("run", "--backfill", "--dry-run", "--json").json["flows"][0]
        said = slow.seeknal("run", "--backfill", "--dry-run")
        with slow.store() as store:
            (run,) = store.runs()
        process.kill()
        process.communicate()
    assert [(part["start"][:10], part["reason"]) for part in plan["parts"]] == [
        ("2024-01-06", "missing")
    ]
    held = [one for one in plan["excluded"] if one["why"] == "held"]
    assert [(one["run"], one["start"][:10], one["units"]) for one in held] == [
        (run.id, "2024-01-04", 2)
    ]
    assert f"  2024-01-04 to 2024-01-06: 2 intervals held by run {run.id}" in said.lines


def test_a_dry_run_says_what_is_not_due(sandbox: Sandbox) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=4)
    sandbox.declare(data_lag="25h").events(f"{first:%Y-%m-%d}", 10 * 4, "6 hours")
    flow = sandbox.seeknal("run", "--dry-run", "--json").json["flows"][0]
    assert (flow["reasons"], flow["left_out"]) in (
        ({"new": 3}, {"not_due": 2}),
        ({"new": 2}, {"not_due": 3}),  # in the first hour of the day
    )
