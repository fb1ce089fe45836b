"""The embedded store under several real processes."""

from __future__ import annotations

import multiprocessing
import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from seeknal.stores.owners import process_owner
from seeknal.stores.sqlite import SQLiteStore
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Run, RunStatus, UnitResult
from seeknal.workflow.units import PlannedRange, PlannedUnit, Unit
from tests.waiting import wait_until

HOUR = 3600
HOURLY = "0 * * * * UTC"
SPAWN = multiprocessing.get_context("spawn")


def new_run(name: str, units: int, owner: str = "") -> Run:
    planned = (PlannedRange(0, units * HOUR, HOURLY, "backfill"),)
    return Run(name, "f", {}, "fp", planned, units, owner=owner)


def units(count: int) -> list[PlannedUnit]:
    return [
        PlannedUnit(Unit("f", n * HOUR, (n + 1) * HOUR), "backfill", HOURLY) for n in range(count)
    ]


def work(path: Path) -> list[str]:
    """Claim and complete units until there is none left; return what was claimed."""
    store = SQLiteStore(path)
    claimed = []
    while claim := store.claim(process_owner(), 30.0):
        claimed.append(claim.unit.key)
        store.prepare(claim)
        store.complete(claim, "fp", UnitResult(1, 1, 0.001))
    store.close()
    return claimed


def register(path: Path, number: int) -> list[int]:
    """Register ten runs, planning anew when another process was faster; return the versions."""
    store = SQLiteStore(path)
    versions = []
    for turn in range(10):
        run = new_run(f"run-{number}-{turn}", 1)
        while True:
            version = store.holds("f").version
            if store.register(run, version):
                break
        versions.append(version)
    return versions


@pytest.mark.timeout(120)
def test_eight_processes_claim_each_unit_once(tmp_path: Path) -> None:
    path = tmp_path / "target" / "state.db"
    store = SQLiteStore(path)
    store.register(new_run("r", 300), 0)
    store.feed("r", units(300), "", "end")
    with ProcessPoolExecutor(8, mp_context=SPAWN) as pool:
        shares = list(pool.map(work, [path] * 8))
    claimed = Counter(key for share in shares for key in share)
    assert claimed == Counter(p.unit.key for p in units(300))
    counts = store.counts("r")
    assert (counts.done, counts.running, counts.rows) == (300, 0, 300)
    assert store.runs()[0].status is RunStatus.DONE
    assert store.state("f").completed == IntervalSet([(0, 300 * HOUR)])


@pytest.mark.timeout(120)
def test_processes_that_register_at_once_each_plan_on_what_the_others_did(
    tmp_path: Path,
) -> None:
    path = tmp_path / "target" / "state.db"  # nobody has made it: they do, at once
    with ProcessPoolExecutor(6, mp_context=SPAWN) as pool:
        versions = [v for share in pool.map(register, [path] * 6, range(6)) for v in share]
    assert sorted(versions) == list(range(60))
    assert len(SQLiteStore(path).runs()) == 60
    assert sorted(p.name for p in path.parent.glob("*.new*")) == []


CLAIM_AND_WAIT = """
import sys, time
from pathlib import Path
from seeknal.stores.owners import process_owner
from seeknal.stores.sqlite import SQLiteStore
from seeknal.workflow.state import Run
from seeknal.workflow.units import PlannedRange, PlannedUnit, Unit
store = SQLiteStore(Path(sys.argv[1]))
owner = process_owner()
planned = (PlannedRange(0, 7200, "s", "run"),)
store.register(Run("mine", "f", {}, "fp", planned, 2, owner=owner), store.holds("f").version)
store.feed("mine", [PlannedUnit(Unit("f", 3600, 7200), "run", "s")], "", "end")
claims = [store.claim(owner, 3600.0, run) for run in ("theirs", "mine")]
print(all(claims), flush=True)
time.sleep(3600)
"""


@pytest.mark.timeout(60)
def test_a_killed_process_loses_its_units_and_its_runs_at_once(tmp_path: Path) -> None:
    path = tmp_path / "target" / "state.db"
    store = SQLiteStore(path)
    store.register(new_run("theirs", 1, process_owner()), 0)
    store.feed("theirs", units(1), "", "end")
    with subprocess.Popen(
        [sys.executable, "-c", CLAIM_AND_WAIT, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "True"
        assert store.reap() == []
        assert {r.id for r in store.holds("f").runs} == {"theirs", "mine"}
        child.kill()
        reaped = wait_until("both units are reaped", store.reap, timeout=5)
        assert {r.run for r in reaped} == {"theirs", "mine"}

    assert [r.id for r in store.holds("f").runs] == ["theirs"]
    mine = store.run("mine")
    assert mine is not None
    assert mine.status is RunStatus.INTERRUPTED
    assert store.events("mine")[-1].kind == "interrupted"
    assert store.state("f").unfinished == IntervalSet([(0, 7200)])
    claim = store.claim(process_owner(), 30.0)
    assert claim is not None
    assert (claim.run, claim.attempts) == ("theirs", 0)


@pytest.mark.timeout(60)
def test_listing_runs_ends_those_of_dead_processes(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "state.db")
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from seeknal.stores.owners import process_owner; print(process_owner())",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    store.register(new_run("dead", 1, done.stdout.strip()), 0)
    store.register(new_run("alive", 1, process_owner()), 1)
    assert [(r.id, r.status) for r in store.runs()] == [
        ("alive", RunStatus.ACTIVE),
        ("dead", RunStatus.INTERRUPTED),
    ]


@pytest.mark.timeout(120)
def test_processes_killed_while_they_write_leave_a_sound_file(tmp_path: Path) -> None:
    path = tmp_path / "target" / "state.db"
    store = SQLiteStore(path)
    total = 20_000
    store.register(new_run("r", total), 0)
    store.feed("r", units(total), "", "end")
    dice = random.Random(7)
    for _ in range(6):
        before = store.counts("r").done
        child = SPAWN.Process(target=work, args=(path,))
        child.start()
        some = before + dice.randrange(1, 200)
        wait_until("it completed some", lambda: store.counts("r").done >= some, 20, 0.001)  # noqa: B023
        child.kill()
        child.join()
        store.reap()
    counts = store.counts("r")
    assert counts.running == 0
    assert store.window("r") == len(store.records("r", limit=total)) == total - counts.done
    done = store.state("f").completed
    assert sum(end - start for start, end in done.ranges) == counts.done * HOUR
    assert [e.kind for e in store.events("r", limit=20_000)].count("completed") == min(
        counts.done, 10_000
    )
    store.close()
    checked: Any = sqlite3.connect(path)
    assert checked.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    checked.close()


def test_a_forked_child_has_a_connection_of_its_own(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "state.db")
    store.register(new_run("r", 1), 0)
    pid = os.fork()
    if pid == 0:
        fed = False
        try:
            fed = store.feed("r", units(1), "", "end")
        finally:
            os._exit(0 if fed else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert store.window("r") == 1
