"""Runs of one machine, watched and steered from another terminal of it; and the audit of it all."""

from __future__ import annotations

import json
import re

import pytest

from seeknal.workflow.state import RunStatus
from tests.contract.building import launch, value
from tests.projects import Sandbox
from tests.waiting import wait_until

# A fraction of a second for each of them.
SLOW = (
    "SELECT *, (SELECT max(hash(i)) FROM range(30000000) t(i)) > 0 AS burnt FROM events "
    "WHERE event_time >= '__START__' AND event_time < '__END__'"
)


@pytest.fixture
def project(sandbox: Sandbox) -> Sandbox:
    return sandbox.events("2024-01-01", 40 * 4, "6 hours").declare(sql=SLOW)


def newest(project: Sandbox) -> str:
    with project.store() as store:
        return store.runs(limit=1)[0].id


def test_a_run_of_this_machine_is_watched_from_another_terminal(project: Sandbox) -> None:
    with project.running("run", "--backfill", "--workers", "1") as process:
        wait_until("some are done", lambda: len(project.files()) >= 2, 60)
        watched = project.seeknal("runs", "watch", "--json", "--every", "0.3")
        result = project.wait(process)
    views = [json.loads(line) for line in watched.lines]
    assert views[-1]["status"] == "done"
    assert views[-1]["done"] == 40
    assert views[-1]["workers"] is None
    assert any(view["now_running"] and view["rate"] > 0 for view in views[:-1])
    assert f"Run {views[-1]['run']}: 40 done" in result.out


def test_a_run_of_this_machine_takes_new_orders(project: Sandbox) -> None:
    with project.running("run", "--backfill", "--workers", "2") as process:
        wait_until("some are done", lambda: len(project.files()) >= 2, 60)
        run = newest(project)
        told = project.seeknal("runs", "set", run, "--newest-first", "--max-active", "1")
        assert "oldest first to newest first, from no cap to at most 1 at once" in told.out
        wait_until(
            "the last is done", lambda: "20240209T000000Z_20240210T000000Z" in project.files()
        )
        with project.store() as store:
            assert len(store.records(run, None)) <= 41
            assert sum(r.status == "running" for r in store.records(run)) <= 1
        project.seeknal("runs", "cancel", run, "--reason", "Seen enough")
        assert project.wait(process, 1).err
    entries = project.seeknal("audit", "--json").json["audit"]
    assert [(e["action"], e["reason"]) for e in entries] == [("set", ""), ("cancel", "Seen enough")]


def test_a_run_that_is_paused_here_ends_with_its_command(project: Sandbox) -> None:
    with project.running("run", "--backfill", "--workers", "2") as process:
        wait_until("some are done", lambda: len(project.files()) >= 2, 60)
        run = newest(project)
        project.seeknal("runs", "pause", run)
        project.wait(process, 1)
    refused = project.seeknal("runs", "resume", run, code=2)
    assert f"Run {run} is over: it is interrupted" in refused.err
    assert "seeknal run --flow events_flow" in refused.err
    assert project.seeknal("runs", "watch", run, code=1).out.startswith(f"Run {run} is interrupted")


def test_the_newest_run_is_meant_where_none_is_named(sandbox: Sandbox) -> None:
    for words in (["show"], ["watch"], ["export", "--to", "run.jsonl"]):
        sandbox.events("2024-01-01", 4, "6 hours").declare()
        assert "has no runs" in sandbox.call("runs", *words, code=2).err
    sandbox.call("run", "--backfill", "--end-date", "2024-01-02")
    first = newest(sandbox)
    sandbox.events("2024-01-02", 8, "6 hours").call("run")
    second = newest(sandbox)
    assert sandbox.call("runs", "show").lines[0] == f"Run {second} of events_flow: done"
    assert sandbox.call("runs", "show", first).lines[0] == f"Run {first} of events_flow: done"
    told = sandbox.call("runs", "export", "--to", "run.jsonl")
    assert told.out == f"Wrote 2 rows of run {second} to run.jsonl.\n"
    assert sandbox.call("runs", "export", first, "--to", "run.jsonl").out == (
        "Wrote 1 row to run.jsonl.\n"
    )
    with sandbox.store() as store:
        active = launch(store, value("EU", "events_flow"))
        over = launch(store, value("US", "events_flow"))
        store.set_status(over, RunStatus.CANCELLED)
    assert sandbox.call("runs", "show").lines[0] == f"Run {active} of events_flow: active"


def test_whoever_changes_state_by_hand_is_in_the_audit(sandbox: Sandbox) -> None:
    sandbox.events("2024-01-01", 10 * 4, "6 hours").declare()
    sandbox.call("run", "--end-date", "2024-01-04")
    sandbox.call("state", "export", "state.json")
    for file in (sandbox.root / "target").glob("state.db*"):
        file.unlink()
    sandbox.call("state", "import", "state.json", "--reason", "The disk was lost")
    sandbox.call("intervals", "complete", "--interval", "2024-01-05", "--reason", "By hand")
    week = ("--start", "2024-01-01", "--end", "2024-01-03")
    sandbox.call("intervals", "restate", *week, "--reason", "Late rows")
    sandbox.call("intervals", "restate", *week, "--reason", "Not so late", "--clear")
    sandbox.call("run", "--force", "--reason", "Other rates", "--end-date", "2024-01-02")
    with sandbox.store() as store:
        run = launch(store, value("EU", "events_flow"))
    sandbox.call("runs", "pause", run, "--reason", "Lunch")
    sandbox.call("runs", "resume", run, "--reason", "Full")
    sandbox.call("runs", "set", run, "--priority", "3", "--reason", "Sooner")
    sandbox.call("runs", "cancel", run, "--reason", "Wrong")
    entries = sandbox.call("audit", "--json").json["audit"]
    assert [(entry["action"], entry["reason"]) for entry in entries] == [
        ("import", "The disk was lost"),
        ("complete", "By hand"),
        ("restate", "Late rows"),
        ("clear restatement", "Not so late"),
        ("force", "Other rates"),
        ("pause", "Lunch"),
        ("resume", "Full"),
        ("set", "Sooner"),
        ("cancel", "Wrong"),
    ]
    for entry in entries:
        assert re.fullmatch(r"\S+@\S+", entry["actor"])
        assert entry["flow"] == "events_flow"
        assert entry["what"]
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    lines = sandbox.call("audit").lines
    assert len(lines) == 9
    assert re.fullmatch(
        rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d(:\d\d)?Z  \S+@\S+  cancel events_flow \(run {run}\): Wrong",
        lines[-1],
    )
    with sandbox.store() as store:
        found = store.run(run)
    assert found is not None
    assert found.status is RunStatus.CANCELLED
