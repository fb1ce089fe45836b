"""Flights that only workers see: launched where they are not, run by workers in empty folders."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from demo.flights import SQL, load_flights
from seeknal.workflow.state import RunStatus
from tests.fleet import Fleet, fleet
from tests.waiting import wait_until

DAYS = 365
BY_CARRIER = "SELECT * FROM flights WHERE carrier = '__PARTITION__' ORDER BY time_hour, flight"
CARRIERS = ["AS", "F9", "HA", "a/b 'c'"]


@pytest.fixture
def ships(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        yield made


@pytest.fixture
def laptop(tmp_path: Path) -> Path:
    """A folder that will have the project's files, and no data."""
    folder = tmp_path / "laptop"
    (folder / "flows").mkdir(parents=True)
    return folder


def carry(ships: Fleet, laptop: Path) -> None:
    """Move the project's own files to the laptop; the data stay with the workers."""
    shutil.move(ships.box.root / "seeknal_project.yml", laptop)
    for flow in (ships.box.root / "flows").iterdir():
        shutil.move(flow, laptop / "flows")
    assert [path.name for path in laptop.rglob("*.duckdb")] == []


def test_a_year_of_flights(ships: Fleet, laptop: Path) -> None:
    ships.box.declare(sql=SQL, timezone="America/New_York")
    load_flights(ships.box.root / "raw_events.duckdb")
    carry(ships, laptop)
    for celery in (False, True):
        ships.worker(celery=celery)
    ran = ships.seeknal("run", "--backfill", cwd=laptop)
    assert "a worker is asked" in ran.err
    assert ran.lines[0] == "Processing 365 missing intervals (2013-01-01 to 2014-01-01)"
    (run,) = ships.store.runs()
    assert run.status is RunStatus.DONE
    ships.assert_done_once(run.id, DAYS)
    assert ships.queued() == 0
    ships.box.assert_output_is("SELECT * FROM flights")
    by = {event.worker.partition("/")[0] for event in ships.events(run.id, "completed")}
    assert len(by) == 2
    assert {path.name for path in laptop.rglob("*") if path.is_file()} == {
        "seeknal_project.yml", "events_flow.yml", "run_state.json"
    }  # fmt: skip
    folders = [worker.log.with_suffix("") for worker in ships.workers]
    assert [list(folder.iterdir()) for folder in folders] == [[], []]


def broken(ships: Fleet, carrier: str) -> bool:
    """Let the flights of a carrier fail; False while a worker has the file open."""
    try:
        with ships.box.data() as connection:
            connection.execute(
                "CREATE OR REPLACE VIEW flights AS SELECT * REPLACE (CASE WHEN carrier = "
                f"'{carrier}' THEN error('tail numbers are missing') ELSE tailnum END AS tailnum) "
                "FROM stored"
            )
    except duckdb.IOException:
        return False
    return True


def test_partitions_of_flights(ships: Fleet, laptop: Path, tmp_path: Path) -> None:
    load_flights(tmp_path / "all.duckdb")
    with ships.box.data() as connection:
        connection.execute(f"ATTACH '{tmp_path / 'all.duckdb'}' AS source (READ_ONLY)")
        connection.execute(
            "CREATE TABLE stored AS SELECT * REPLACE (replace(carrier, 'YV', 'a/b ''c''') AS "
            "carrier) FROM source.flights WHERE carrier IN ('AS', 'F9', 'HA', 'YV')"
        )
    ships.box.declare(schedule=None, sql=BY_CARRIER, partition={"column": "carrier"})
    carry(ships, laptop)
    assert broken(ships, "F9")
    ships.worker(2)
    ran = ships.seeknal("run", "--backfill", cwd=laptop, code=1)
    assert ran.lines[0] == "Processing 4 missing partitions (AS, F9, HA, a/b 'c')"
    assert "tail numbers are missing" in ran.err
    (failed,) = ships.store.runs()
    wait_until("the worker lets go of the file", lambda: broken(ships, ""), 20, 0.2)
    ships.seeknal("runs", "retry", failed.id, cwd=laptop)
    watched = ships.seeknal("runs", "watch", "--json", cwd=laptop)
    last = json.loads(watched.lines[-1])
    assert (last["units"], last["done"]) == (1, 1)
    ships.box.assert_output_is("SELECT * FROM flights")
    before = ships.box.runs_of_files()
    ships.seeknal("intervals", "restate", "--partitions", "HA", "--reason", "late", cwd=laptop)
    again = ships.seeknal("run", "--backfill", cwd=laptop)
    assert again.lines[0] == "Processing 1 restated partition (HA)"
    after = ships.box.runs_of_files()
    (changed,) = (path for key, path in ships.box.files().items() if after[key] != before[key])
    assert changed.parent.name == "partition_value=HA"
    ships.box.assert_output_is("SELECT * FROM flights")
    shown = ships.seeknal("intervals", "show", cwd=laptop).out
    assert shown.count("✓") == len(CARRIERS)
