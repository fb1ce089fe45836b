"""How runs are kept from doing harm, on real workers: time, failures, and how many at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seeknal.workflow.state import RunStatus
from tests.fleet import BURN, Fleet, fleet
from tests.waiting import wait_until

WINDOW = "WHERE event_time >= '__START__' AND event_time < '__END__'"
# The third day of six is one row that takes minutes, and DuckDB looks for interrupts between rows.
DEAF = (
    "SELECT *, CASE WHEN TIMESTAMP '__START__' = TIMESTAMP '2024-01-03' THEN "
    f"levenshtein(repeat('a', 200000 + id % 2), repeat('b', 200000)) END AS n FROM events {WINDOW}"
)


@pytest.fixture
def ships(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        yield made


def test_a_deaf_query_that_is_late_costs_a_process_and_no_other_unit(ships: Fleet) -> None:
    ships.box.events("2024-01-01", 6, "1 day").declare(sql=DEAF)
    worker = ships.worker()
    before = worker.children()
    run = ships.launch("--timeout", "1s", "--max-attempts", "2", "--backoff", "0s")
    assert ships.ends(run) is RunStatus.FAILED
    counts = ships.store.counts(run)
    assert (counts.done, counts.failed, counts.retries) == (5, 1, 1)
    (record,) = ships.store.failed("events_flow")
    assert "its query ignores that it was interrupted" in record.error
    wait_until("the deaf process is replaced", lambda: not set(before) & set(worker.children()))
    assert sorted(unit[6:8] for unit in ships.box.files()) == ["01", "02", "04", "05", "06"]


def test_a_run_on_workers_stops_after_so_many_failures_and_is_resumed(ships: Fleet) -> None:
    ships.box.events("2024-01-01", 30 * 24, "1 hour", table="stored").declare()
    ships.box.breakable("day(event_time) % 3 = 2")
    ships.worker(2)
    words = ("--stop-after", "2", "--max-attempts", "1")
    said = ships.seeknal("run", "--backfill", *words, code=1)
    (run,) = ships.store.runs()
    assert run.status is RunStatus.PAUSED
    assert "of its units failed, and it was to stop after 2." in said.err
    assert said.err.splitlines()[-1].endswith(f"Go on with: seeknal runs resume {run.id}")
    wait_until("nothing of it runs", lambda: not ships.running(run.id))
    failed = ships.store.counts(run.id).failed
    assert failed in (2, 3)  # two units run at once
    wait_until("the worker lets go of the file", ships.mended, 20, 0.2)
    ships.seeknal("runs", "resume", run.id)
    assert ships.ends(run.id) is RunStatus.FAILED
    assert ships.store.counts(run.id).done == 30 - failed
    ran = ships.seeknal("run", "--only", "failed")
    assert ran.lines[0].startswith(f"Processing {failed} failed intervals")
    ships.box.assert_output_is("SELECT * FROM events")


def test_a_cap_binds_all_workers_together(ships: Fleet) -> None:
    ships.box.events("2024-01-01", 10 * 24, "1 hour").declare(sql=BURN.format(millions=60))
    ships.worker(2)
    ships.worker(2)
    run = ships.launch("--max-active", "2")
    assert ships.ends(run) is RunStatus.DONE
    spans = [(e.at - e.seconds, e.at) for e in ships.events(run, "completed")]
    assert len(spans) == 10
    assert max(sum(start <= at < end for start, end in spans) for at, _ in spans) == 2


def test_a_dry_run_says_what_a_run_on_workers_holds(ships: Fleet) -> None:
    ships.box.events("2024-01-01", 10 * 24, "1 hour").declare()
    run = ships.launch("--end-date", "2024-01-08")
    (flow,) = ships.seeknal("run", "--backfill", "--dry-run", "--json").json["flows"]
    assert flow["reasons"] == {"missing": 3}
    held = [(one["run"], one["units"]) for one in flow["excluded"] if one["why"] == "held"]
    assert held == [(run, 7)]
    (same,) = ships.seeknal("run", "--backfill", "--detach", "--json").json["flows"]
    assert (same["parts"], same["reasons"]) == (flow["parts"], flow["reasons"])


def test_newest_first_and_forced_on_workers(ships: Fleet) -> None:
    ships.box.events("2024-01-01", 10 * 24, "1 hour").declare()
    ships.worker()
    ships.seeknal("run", "--backfill")
    words = ("--force", "--reason", "Late data", "--newest-first", "--limit", "4")
    ships.seeknal("run", *words)
    run = ships.store.runs()[0].id
    assert [e.unit[6:8] for e in ships.events(run, "completed")] == ["10", "09", "08", "07"]
    (entry,) = ships.store.audit("events_flow")
    assert (entry.action, entry.what) == ("force", "2024-01-07 to 2024-01-11")
    assert ships.store.state("events_flow").restatements == ()
