"""What a container's limits leave of a machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from seeknal.engine import machine
from seeknal.engine.session import Engine, Settings
from seeknal.engine.source import Query, Source

MEBIBYTE = 2**20
VERSION_1 = "5:cpu,cpuacct:/pod/worker\n4:memory:/pod/worker\n1:name=systemd:/\n"
VERSION_2 = "0::/pod/worker\n"


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the control groups of this process are; four processors are there without them."""
    monkeypatch.setattr(machine, "_CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "_OWN_CGROUPS", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    return tmp_path


def limit(groups: Path, version: int, folder: str, memory: str, quota: str) -> None:
    """Set the limits of a group as the kernel shows them, in either version."""
    if version == 1:
        (groups / "memory" / folder).mkdir(parents=True, exist_ok=True)
        (groups / "cpu" / folder).mkdir(parents=True, exist_ok=True)
        (groups / "memory" / folder / "memory.limit_in_bytes").write_text(f"{memory}\n")
        (groups / "cpu" / folder / "cpu.cfs_quota_us").write_text(f"{quota}\n")
        (groups / "cpu" / folder / "cpu.cfs_period_us").write_text("100000\n")
    else:
        (groups / folder).mkdir(parents=True, exist_ok=True)
        (groups / folder / "memory.max").write_text(f"{memory}\n")
        (groups / folder / "cpu.max").write_text(f"{quota} 100000\n")
    (groups / "own").write_text(VERSION_1 if version == 1 else VERSION_2)


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("folder", ["pod/worker", "pod", "."])
def test_limits_hold_of_every_group_that_one_is_in(groups: Path, version: int, folder: str) -> None:
    limit(groups, version, folder, str(640 * MEBIBYTE), "150000")
    assert machine.processors() == 2
    assert machine.memory_share(2) == 256 * MEBIBYTE


@pytest.mark.parametrize(("version", "nothing"), [(1, "-1"), (2, "max")])
def test_no_limit_leaves_the_machine(groups: Path, version: int, nothing: str) -> None:
    whole = machine.memory_share()
    assert machine.processors() == 4
    limit(groups, version, "pod/worker", str(2**62) if version == 1 else nothing, nothing)
    assert machine.memory_share() == whole
    assert machine.processors() == 4


def test_the_least_limit_counts(groups: Path) -> None:
    limit(groups, 2, "pod", str(800 * MEBIBYTE), "100000")
    limit(groups, 2, "pod/worker", str(400 * MEBIBYTE), "300000")
    assert machine.processors() == 1
    assert machine.memory_share() == 320 * MEBIBYTE


def test_duckdb_keeps_to_its_part_of_the_containers_memory(groups: Path, tmp_path: Path) -> None:
    limit(groups, 2, "pod/worker", str(640 * MEBIBYTE), "max")
    (tmp_path / "events.csv").write_text("event_time\n2024-01-01\n")
    query = Query(Source("csv", (str(tmp_path / "events.csv"),)), ("SELECT 1",))
    with Engine(Settings(processes=2, spill=tmp_path)) as engine, engine.session(query) as session:
        ((memory, threads),) = session.fetch(
            "SELECT current_setting('memory_limit'), current_setting('threads')"
        )
    assert (memory, threads) == ("256.0 MiB", 1)
