"""``kill -9`` at any moment: a plain rerun makes every unit complete, once, and nothing else.

Fifty times and more, in parts that can run side by side.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from seeknal.workflow.intervals import IntervalSet, count_units, units
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.units import Unit
from tests.projects import Sandbox
from tests.waiting import wait_until

PARTS, KILLS = 5, 10
UNITS = 240
HOURLY = Schedule("0 * * * *")
# About four milliseconds of work a unit, so that most kills hit one.
SLOW = (
    "SELECT *, (SELECT count(*) FROM range(700) a(i), range(1000) b(j) WHERE (i * j) % 7 = 3) AS n "
    "FROM events WHERE event_time >= '__START__' AND event_time < '__END__'"
)
FIRST = 1704067200
ALL = IntervalSet([(FIRST, FIRST + UNITS * 3600)])


@pytest.mark.parametrize("part", range(PARTS))
def test_killed_at_random_moments_a_rerun_completes_every_unit_once(
    part: int, tmp_path: Path
) -> None:
    template = Sandbox(tmp_path / "template")
    template.declare(schedule="0 * * * *", sql=SLOW).events("2024-01-01", UNITS * 6, "10 minutes")
    chance = random.Random(part)
    hits: Counter[str] = Counter()
    rounds = 0
    while hits["killed"] < KILLS:
        sandbox = Sandbox(tmp_path / f"round{rounds}")
        shutil.copytree(template.root, sandbox.root, dirs_exist_ok=True)
        kill_until_done(sandbox, chance, hits)
        sandbox.seeknal("run")
        assert_complete_once(sandbox)
        shutil.rmtree(sandbox.root)
        rounds += 1
    print(f"{rounds} projects, {dict(hits)}")
    assert hits["killed within the run"] >= KILLS // 3, "the kills came too early or too late"


def kill_until_done(sandbox: Sandbox, chance: random.Random, hits: Counter[str]) -> None:
    """Start runs and kill each, until one gets to its end."""
    for _ in range(KILLS):
        with sandbox.running("run", "--workers", str(chance.choice((1, 2, 4)))) as process:
            kill_somewhen(sandbox, process, chance)
            sandbox.wait(process, None)
        if process.returncode != -signal.SIGKILL:
            assert process.returncode == 0
            return
        files = sandbox.files()
        hits["killed"] += 1
        hits["killed within the run"] += 0 < len(files) < UNITS
        assert completed_units(sandbox) <= set(files), "complete, and not published"


def kill_somewhen(sandbox: Sandbox, process: subprocess.Popen[str], chance: random.Random) -> None:
    """Kill a run: while it starts, or some time after it has published something."""
    before = len(sandbox.files())
    if chance.random() < 0.75:
        wait_until(
            "it published something or ended",
            lambda: len(sandbox.files()) > before or process.poll() is not None,
            60,
        )
    try:
        process.wait(chance.uniform(0, 0.4))
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)


def completed_units(sandbox: Sandbox) -> set[str]:
    with sandbox.store() as store:
        done = store.state("events_flow").completed
    return {Unit("events_flow", start, end).key for start, end in units(HOURLY, done)}


def assert_complete_once(sandbox: Sandbox) -> None:
    with sandbox.store() as store:
        state = store.state("events_flow")
        runs = store.runs("events_flow")
        done = sum(store.counts(run.id).done for run in runs)
        completed = Counter(
            event.unit
            for run in runs
            for event in store.events(run.id)
            if event.kind == "completed"
        )
        assert not store.failed("events_flow")
    assert state.completed == ALL
    assert not state.unfinished
    by_record = [IntervalSet([(c.start, c.end)]) for c in state.completions]
    assert sum(count_units(HOURLY, one) for one in by_record) == UNITS
    assert done == len(completed) == UNITS
    assert set(completed.values()) == {1}
    assert set(sandbox.files()) == set(completed)
    assert set(sandbox.runs_of_files().values()) <= {run.id for run in runs}
    sandbox.assert_output_is(f"SELECT * FROM ({one_shot()})")
    assert sandbox.leftovers() == []


def one_shot() -> str:
    return SLOW.replace("__START__", "2000-01-01").replace("__END__", "2100-01-01")
