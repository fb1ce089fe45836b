"""What those who run backfills ask for and do not get elsewhere: one short test of each wish.

Here those that one machine answers; what needs workers is in ``test_wanted_of_workers``.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from seeknal.stores.sqlite import SQLiteStore
from tests.projects import Sandbox

DAYS = 10
SCREEN = 45
LOS_ANGELES = "America/Los_Angeles"


@pytest.fixture
def days(sandbox: Sandbox) -> Sandbox:
    """A daily flow over ten days, that can be broken; none of them is done."""
    sandbox.declare().events("2024-01-01", DAYS * 4, "6 hours", table="stored")
    sandbox.breakable()
    return sandbox


def break_days(box: Sandbox, *numbers: int) -> None:
    """Let the units of these days of January fail, and no other."""
    box.breakable(*(f"event_time = '2024-01-{number:02} 06:00:00'" for number in numbers))


def done_days(box: Sandbox) -> list[int]:
    """The days of January that have output."""
    return sorted(int(key[6:8]) for key in box.files())


def bounds(box: Sandbox, flow: str = "events_flow") -> list[tuple[datetime, datetime]]:
    """The intervals that have output, in order."""
    keys = (key.split("_") for key in sorted(box.files(flow)))
    return [(_instant(start), _instant(end)) for start, end in keys]


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def planned(box: Sandbox, *words: str) -> Any:
    """What a run would do, as JSON."""
    (flow,) = box.call("run", *words, "--dry-run", "--json").json["flows"]
    return flow


def completed(box: Sandbox) -> list[str]:
    """The keys of what was completed, in the order in which it was."""
    with box.store() as store:
        runs = reversed(store.runs("events_flow"))
        events = [event for run in runs for event in store.events(run.id)]
    return [event.unit for event in events if event.kind == "completed"]


# -- what is run ---------------------------------------------------------------------------------


def test_a_gap_that_nobody_asked_about_is_named(days: Sandbox) -> None:
    days.call("run", "--backfill", "--start-date", "2024-01-04", "--end-date", "2024-01-06")
    told = days.call("run")
    assert done_days(days) == [4, 5, 6, 7, 8, 9, 10]
    (fill,) = re.findall(
        r"3 older missing intervals \(2024-01-01 to 2024-01-04\); fill with: (.*)", told.err
    )
    days.call(*fill.split()[1:])
    assert done_days(days) == list(range(1, DAYS + 1))
    assert "older" not in days.call("run").err


def test_the_interval_that_is_not_over_is_not_run(sandbox: Sandbox) -> None:
    first = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
    sandbox.declare(schedule="@hourly").events(f"{first:%Y-%m-%d %H:%M:%S}", 8 * 4, "15 minutes")
    tomorrow = ("--backfill", "--end-date", f"{first + timedelta(days=1):%Y-%m-%dT%H:%MZ}")
    sandbox.call("run", *tomorrow)
    now = datetime.now(UTC)
    ran = bounds(sandbox)
    assert ran[:3] == [
        (first + timedelta(hours=n), first + timedelta(hours=n + 1)) for n in (0, 1, 2)
    ]
    assert all(end <= now for _, end in ran)
    assert planned(sandbox, *tomorrow)["left_out"].keys() == {"done", "not_due"}


def test_an_end_is_exclusive_however_it_is_written(days: Sandbox) -> None:
    ends = ("2024-01-04", "2024-01-04T00:00", "2024-01-04 00:00:00", "2024-01-04T02:00+02:00")
    for end in ends:
        assert planned(days, "--backfill", "--end-date", end)["units"] == 3, end


def test_no_hour_is_lost_or_made_up_around_clock_changes(sandbox: Sandbox) -> None:
    # A local day in whose night clocks go forward, and one in whose night they go back.
    for name, schedule in (("days", "@daily"), ("hours", "@hourly")):
        sandbox.declare(name, schedule=schedule, timezone=LOS_ANGELES)
    sandbox.events("2025-03-09 08:00:00", 23 * 2, "30 minutes")
    sandbox.events("2025-11-02 07:00:00", 25 * 2, "30 minutes")
    for start, end in (("2025-03-09", "2025-03-10"), ("2025-11-02", "2025-11-03")):
        sandbox.call("run", "--backfill", "--start-date", start, "--end-date", end)
    for name, lengths in (("days", [23, 25]), ("hours", [1] * (23 + 25))):
        ran = bounds(sandbox, name)
        assert [(end - start) / timedelta(hours=1) for start, end in ran] == lengths
        assert sum(end != start for (_, end), (start, _) in pairwise(ran)) == 1
        sandbox.assert_output_is("SELECT * FROM events", name)


def test_no_hour_of_the_future_is_run_while_clocks_change(sandbox: Sandbox) -> None:
    sandbox.declare(schedule="@hourly", timezone=LOS_ANGELES)
    sandbox.events("2025-03-09 08:00:00", 24 * 2, "30 minutes")
    first = datetime(2025, 3, 9, 8, tzinfo=UTC)
    for minutes in range(30, 6 * 60, 30):
        until = first + timedelta(minutes=minutes)
        plan = planned(sandbox, "--backfill", "--end-date", until.isoformat())
        ends = [datetime.fromisoformat(part["end"]) for part in plan["parts"]]
        assert (plan["units"], ends) == (
            minutes // 60,
            [until.replace(minute=0)] if minutes >= 60 else [],
        )


def test_what_failed_and_missing_selects_is_shown_before(days: Sandbox) -> None:
    break_days(days, 2)
    days.call("run", "--max-attempts", "1", "--end-date", "2024-01-05", code=1)
    both = ("--only", "failed", "--only", "missing", "--start-date", "2024-01-02")
    shown = days.call("run", *both, "--dry-run").lines
    assert "  2024-01-02 to 2024-01-03: 1 failed interval" in shown
    assert "  2024-01-05 to 2024-01-11: 6 missing intervals" in shown
    plan, before = planned(days, *both), len(completed(days))
    assert plan["reasons"] == {"failed": 1, "missing": 6}
    break_days(days)
    (ran,) = days.call("run", *both, "--json").json["flows"]
    assert (ran["parts"], ran["done"]) == (plan["parts"], plan["units"])
    assert sorted(int(key[6:8]) for key in completed(days)[before:]) == [2, 5, 6, 7, 8, 9, 10]


def test_what_is_newest_goes_first_if_asked(days: Sandbox) -> None:
    days.call("run", "--backfill", "--newest-first", "--limit", "4", "--workers", "1")
    assert [int(key[6:8]) for key in days.claimed()] == [10, 9, 8, 7]


# -- what fails ----------------------------------------------------------------------------------


def test_one_failure_stops_nobody_else_and_n_stop_the_run_if_asked(days: Sandbox) -> None:
    break_days(days, 1, 3, 4, 5)
    once = ("--backfill", "--max-attempts", "1", "--workers", "1")
    told = days.call("run", *once, "--end-date", "2024-01-03", code=1)
    assert done_days(days) == [2]
    assert "Left to do: 1 failed interval (2024-01-01 to 2024-01-02). Go on with: " in told.err
    told = days.call("run", *once, "--start-date", "2024-01-02", "--stop-after", "2", code=1)
    assert "paused itself, because 2 of its units failed" in told.err
    assert done_days(days) == [2]
    assert "Left to do: 8 intervals" in told.err


def test_a_cap_makes_no_unit_wait_for_another(days: Sandbox) -> None:
    break_days(days, 2, 5)
    days.call("run", "--backfill", "--max-active", "1", "--max-attempts", "1", code=1)
    assert done_days(days) == [1, 3, 4, 6, 7, 8, 9, 10]


def test_retries_wait_longer_each_time(days: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float | None] = []
    fail = SQLiteStore.fail

    def fail_at_once(store: SQLiteStore, claim: Any, error: str, retry_in: float | None) -> None:
        waits.append(retry_in)
        fail(store, claim, error, None if retry_in is None else 0.0)

    monkeypatch.setattr(SQLiteStore, "fail", fail_at_once)
    break_days(days, 3)
    days.call("run", "--backfill", "--max-attempts", "5", "--backoff", "30s", code=1)
    *before, last = waits
    assert last is None
    assert [30 * 2**n / 2 <= (wait or 0) <= 30 * 2**n for n, wait in enumerate(before)] == [
        True
    ] * 4


def test_a_retry_runs_the_same_dates_as_before(days: Sandbox) -> None:
    break_days(days, 4, 5, 8)
    window = ("--start-date", "2024-01-03", "--end-date", "2024-01-10", "--max-attempts", "1")
    days.call("run", "--backfill", *window, code=1)
    (run,) = days.call("runs", "list", "--json").json["runs"]
    before = len(completed(days))
    # By then the flow begins later, in other intervals, and there is more data.
    days.declare(schedule="@hourly", start_date="2024-01-09")
    days.events("2024-01-11", 8, "6 hours", table="stored")
    break_days(days)
    days.call("runs", "retry", run["run"])
    assert [key[:8] for key in sorted(completed(days)[before:])] == [
        "20240104",
        "20240105",
        "20240108",
    ]
    assert done_days(days) == [3, 4, 5, 6, 7, 8, 9]


# -- at once, and many ---------------------------------------------------------------------------


def test_two_backfills_at_once_do_no_unit_twice(days: Sandbox) -> None:
    with ExitStack() as both:
        started = [both.enter_context(days.running("run", "--backfill")) for _ in range(2)]
        for process in started:
            days.wait(process)
    ran = completed(days)
    assert len(ran) == len(set(ran)) == DAYS
    days.assert_output_is("SELECT * FROM events")


def test_status_of_forty_thousand_intervals_fits_a_screen(sandbox: Sandbox) -> None:
    hours = 40_000
    sandbox.declare(schedule="@hourly").events("2020-01-01", hours, "1 hour")
    end = datetime(2020, 1, 1) + timedelta(hours=hours)
    # Done are all but every other hour of the first weeks, which makes 500 gaps.
    gaps = 500
    rest = datetime(2020, 1, 1) + timedelta(hours=2 * gaps)
    words = [f"{datetime(2020, 1, 1) + timedelta(hours=2 * n):%Y-%m-%dT%H:%M}" for n in range(gaps)]
    words.append(f"{rest:%Y-%m-%dT%H:%M} to {end - timedelta(hours=5):%Y-%m-%dT%H:%M}")
    sandbox.call("intervals", "complete", *(w for word in words for w in ("--interval", word)))
    sandbox.call("run", "--limit", "3")
    for command in (
        ("intervals", "show"),
        ("intervals", "pending"),
        ("intervals", "failed"),
        ("run", "--backfill", "--dry-run"),
        ("flows", "show", "events_flow"),
        ("runs", "list"),
    ):
        assert len(sandbox.call(*command).lines) <= SCREEN, command
    assert planned(sandbox, "--backfill")["left_out"]["done"] == hours - gaps - 2
