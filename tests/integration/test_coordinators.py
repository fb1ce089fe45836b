"""Coordinators that leave, and those that meet: who holds what, who waits, who is refused."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from seeknal.workflow.instants import format_interval
from seeknal.workflow.state import RunStatus
from seeknal.workflow.units import PlannedRange
from tests.fleet import BURN, Fleet, fleet
from tests.projects import BIN, Result, Sandbox, environment
from tests.server import free_port
from tests.waiting import wait_until

DAYS = 8
OTHER = "SELECT *, true AS other FROM events WHERE event_time >= '__START__' AND event_time < "
OTHER += "'__END__'"


@pytest.fixture
def ships(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        made.box.events("2024-01-01", DAYS * 24, "1 hour")
        made.box.declare(sql=BURN.format(millions=100))
        yield made


# -- leaving -----------------------------------------------------------------------------------


def test_ctrl_c_leaves_the_run_to_the_workers(ships: Fleet) -> None:
    coordinator = ships.start("run", "--backfill")
    # As soon as it is there: it is not yet fed.
    run = wait_until("it is launched", ships.store.runs, every=0.001)[0].id
    coordinator.send_signal(signal.SIGINT)
    left = ships.box.wait(coordinator, 130)
    assert f"Detached; run {run} goes on without us." in left.err
    assert ships.run(run).status is RunStatus.ACTIVE
    ships.worker()
    watcher = ships.start("runs", "watch", run, "--every", "0.1")
    assert watcher.stderr is not None
    assert watcher.stderr.readline(), "it watches by now"
    watcher.send_signal(signal.SIGINT)
    assert f"No longer watching; run {run} goes on." in ships.box.wait(watcher, 130).err
    wait_until("it goes on", lambda: ships.store.counts(run).done > 1)
    assert ships.ends(run) is RunStatus.DONE
    ships.assert_done_once(run, DAYS)
    assert ships.store.counts(run).retries == 0


# -- meeting -----------------------------------------------------------------------------------


def test_who_comes_later_says_who_holds_what_and_waits(ships: Fleet) -> None:
    first = ships.launch("--end-date", "2024-01-05")
    ships.launch("--start-date", "2024-01-03")
    second = ships.store.runs()[0]
    (rest,) = second.planned
    assert isinstance(rest, PlannedRange)
    assert format_interval(rest.start, rest.end, "UTC") == "2024-01-05 to 2024-01-09"
    third = ships.start("run", "--backfill", "--end-date", "2024-01-05")
    assert third.stderr is not None
    told = next(line for line in third.stderr if "Waiting" in line)
    by = ships.run(first).created_by
    assert told == f"Waiting for run {first} of {by}, which holds 2024-01-01 to 2024-01-05.\n"
    ships.worker(2)
    waited = ships.box.wait(third, 0)
    assert waited.lines == [], "it launched nothing of its own"
    assert ships.ends(second.id) is RunStatus.DONE
    assert len(ships.store.runs()) == 2
    for run in (first, second.id):
        ships.assert_done_once(run, 4)
    ships.box.assert_output_is("SELECT *, true AS burnt FROM events")


def test_another_version_of_a_flow_is_refused_until_the_first_lets_go(ships: Fleet) -> None:
    ships.worker()
    first = ships.launch()
    ships.runs_one(first)
    ships.box.declare(sql=OTHER)
    refused = ships.seeknal("run", "--backfill", code=2)
    assert f"Run {first} holds units" in refused.err
    assert "another version" in refused.err
    assert len(ships.store.runs()) == 1
    ships.seeknal("runs", "pause", first)
    wait_until("what ran has ended", lambda: not ships.running(first))
    done = ships.store.counts(first).done
    assert done < DAYS
    ships.seeknal("run", "--backfill")
    second = ships.store.runs()[0]
    assert (second.status, second.units) == (RunStatus.DONE, DAYS - done)
    ships.seeknal("runs", "resume", first)
    assert ships.ends(first) is RunStatus.DONE
    assert len(ships.events(first, "completed")) == done
    assert len(ships.events(first, "skipped")) == DAYS - done
    assert set(ships.box.runs_of_files().values()) == {first, second.id}


def test_a_cancelled_run_lets_go_of_its_units(ships: Fleet) -> None:
    first = ships.launch()
    ships.box.declare(sql=OTHER)
    ships.seeknal("runs", "cancel", first)
    ships.worker(2)
    ran = ships.seeknal("run", "--backfill")
    assert ran.lines[0] == f"Processing {DAYS} missing intervals (2024-01-01 to 2024-01-09)"
    ships.assert_done_once(ships.store.runs()[0].id, DAYS)
    assert ships.events(first, "completed") == []
    ships.box.assert_output_is("SELECT *, true AS other FROM events")


# -- which Redis -------------------------------------------------------------------------------


def listed(box: Sandbox, *options: str, code: int = 0, **variables: str) -> Result:
    """List runs with an environment of one's own."""
    process = subprocess.Popen(
        [str(BIN / "seeknal"), "runs", "list", "--json", *options],
        cwd=box.root,
        env=environment(**variables),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    return box.wait(process, code)


def test_the_option_goes_before_the_environment_and_that_before_the_file(ships: Fleet) -> None:
    run = ships.launch()
    right, nowhere = ships.server.url, f"redis://127.0.0.1:{free_port()}/0"
    file = ships.box.root / "seeknal_project.yml"
    assert listed(ships.box).json == {"runs": []}, "without an address it is this machine's"
    file.write_text(f"{file.read_text()}redis_url: {right}\n")
    seen = [
        listed(ships.box),
        listed(ships.box, "--redis", right, SEEKNAL_REDIS_URL=nowhere),
    ]
    file.write_text(file.read_text().replace(right, nowhere))
    seen.append(listed(ships.box, SEEKNAL_REDIS_URL=right))
    assert [[one["run"] for one in each.json["runs"]] for each in seen] == [[run]] * 3
    for options, variables in (
        ((), {}),
        ((), {"SEEKNAL_REDIS_URL": nowhere}),
        (("--redis", nowhere), {"SEEKNAL_REDIS_URL": right}),
    ):
        refused = listed(ships.box, *options, code=2, **variables)
        assert nowhere.removeprefix("redis://").removesuffix("/0") in refused.err
