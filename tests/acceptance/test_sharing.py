"""Several command lines at once on one project: together they do every unit, and none twice."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import ExitStack

from seeknal.workflow.state import RunStatus
from tests.projects import Result, Sandbox

UNITS = 400
CLIS = 4


def test_four_at_once_share_the_units(sandbox: Sandbox) -> None:
    sandbox.declare(schedule="0 * * * *").events("2024-01-01", UNITS * 6, "10 minutes")
    results = at_once(sandbox, *[["run", "--workers", "2"]] * CLIS)
    assert executions(sandbox) == {1: UNITS}
    assert pending(sandbox) == 0
    sandbox.assert_output_is("SELECT * FROM events")
    assert sandbox.leftovers() == []
    done = [int(n.replace(",", "")) for r in results for n in re.findall(r": ([\d,]+) done", r.out)]
    assert sum(done) == UNITS


def test_four_backfills_of_windows_that_overlap(sandbox: Sandbox) -> None:
    sandbox.declare().events("2024-01-01", 80 * 4, "6 hours")
    starts = ("2024-01-01", "2024-01-15", "2024-02-01", "2024-02-10")
    windows = [["run", "--backfill", "--start-date", start] for start in starts]
    at_once(sandbox, *windows)
    assert executions(sandbox) == {1: 80}
    assert pending(sandbox) == 0
    sandbox.assert_output_is("SELECT * FROM events")


def test_four_at_once_redo_what_was_restated_once(sandbox: Sandbox) -> None:
    sandbox.declare().events("2024-01-01", 60 * 4, "6 hours")
    sandbox.seeknal("run")
    sandbox.seeknal(
        *("intervals", "restate", "--start", "2024-01-11", "--end", "2024-02-10"),
        *("--reason", "Fixed a bug"),
    )
    at_once(sandbox, *[["run", "--backfill"]] * CLIS)
    assert executions(sandbox) == {1: 30, 2: 30}
    assert pending(sandbox) == 0
    sandbox.assert_output_is("SELECT * FROM events")


def test_a_unit_that_fails_is_tried_once_among_all(sandbox: Sandbox) -> None:
    sandbox.declare().events("2024-01-01", 40 * 4, "6 hours", table="stored")
    sandbox.breakable("event_time = '2024-01-09 06:00:00'")
    results = at_once(sandbox, *[["run"]] * CLIS, code=1)
    assert all("Failed: 2024-01-09 to 2024-01-10" in result.err for result in results)
    assert executions(sandbox) == {1: 39}
    with sandbox.store() as store:
        (record,) = store.failed("events_flow")
        assert record.attempts == 3
        retries = sum(store.counts(run.id).retries for run in store.runs("events_flow"))
    assert retries == 2
    assert pending(sandbox) == 1


def at_once(sandbox: Sandbox, *commands: list[str], code: int = 0) -> list[Result]:
    with ExitStack() as processes:
        started = [processes.enter_context(sandbox.running(*command)) for command in commands]
        return [sandbox.wait(process, code) for process in started]


def executions(sandbox: Sandbox) -> dict[int, int]:
    """How many units were executed how often, by the runs' own events."""
    with sandbox.store() as store:
        runs = store.runs("events_flow")
        assert all(run.status in (RunStatus.DONE, RunStatus.FAILED) for run in runs)
        events = [event for run in runs for event in store.events(run.id)]
        done = sum(store.counts(run.id).done for run in runs)
    units = Counter(event.unit for event in events if event.kind == "completed")
    assert sum(units.values()) == done, "units were skipped, so two runs had planned them"
    return dict(Counter(units.values()))


def pending(sandbox: Sandbox) -> int:
    flows = sandbox.seeknal("intervals", "pending", "--json").json["flows"]
    return sum(flow["units"] for flow in flows)
