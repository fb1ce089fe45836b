"""Disks that are full or may not be written to, and readers that leave: real processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.mistakes.world import World, one_line
from tests.projects import Sandbox, environment


@contextmanager
def small_disk(at: Path) -> Iterator[Path]:
    """Mount a disk of one megabyte, which takes root."""
    at.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(at)], check=True)
    try:
        yield at
    finally:
        subprocess.run(["umount", str(at)], check=True)


@contextmanager
def read_only(at: Path) -> Iterator[None]:
    """Mount a folder over itself without the right to write, which takes root."""
    subprocess.run(["mount", "--bind", str(at), str(at)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", str(at)], check=True)
        yield
    finally:
        subprocess.run(["umount", str(at)], check=True)


def can_mount() -> bool:
    """Whether this process may mount: as root, outside of most containers."""
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    return os.geteuid() == 0 and tried.returncode == 0


def fill(disk: Path) -> None:
    """Leave no room on a disk."""
    with pytest.raises(OSError, match="space"), (disk / "filler").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def limited(command: list[str], root: Path, size: int) -> subprocess.CompletedProcess[str]:
    """Run a command that may write no file of more than ``size`` bytes."""
    script = (
        "import os, resource, sys; "
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size})); "
        "os.execv(sys.executable, [sys.executable, '-m', 'seeknal.cli.main', *sys.argv[1:]])"
    )
    return subprocess.run(
        [sys.executable, "-c", script, *command],
        cwd=root, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


COMPLETE = ["intervals", "complete", "--flow", "events_flow", "--interval", "2024-01-03"]


def test_no_room_for_state_changes_nothing(world: World) -> None:
    """A limit on the size of files stands for the full disk where nobody may mount one."""
    before = world.state()
    done = limited(COMPLETE, world.root, 4096)
    said = one_line(done.stderr)
    assert "state.db" in said
    assert "free space" in said or "Free some space" in said
    assert done.returncode == 2
    assert world.state() == before


def test_no_room_for_output_fails_units_and_says_so(world: World) -> None:
    """The state fits the limit, the output does not: a unit's failure, so exit code 1."""
    world.edit("SELECT *", "SELECT *, repeat(md5(amount::VARCHAR), 40000) AS big")
    size = max(p.stat().st_size for p in (world.root / "target").rglob("*")) * 4
    done = limited(["run", "--flow", "events_flow"], world.root, size)
    assert done.returncode == 1, done.stderr
    assert "Failed: 2024-01-03 to 2024-01-04" in done.stderr
    assert "Traceback" not in done.stderr
    kept = list((world.root / "target").rglob("*.part"))
    assert kept == []


@pytest.mark.skipif(not can_mount(), reason="may not mount; the limit on files' size stands for it")
def test_a_disk_that_is_full_changes_nothing(world: World, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        shop = disk / "shop"
        shutil.copytree(world.root, shop, ignore=shutil.ignore_patterns("raw_events.duckdb"))
        (shop / "raw_events.duckdb").symlink_to(world.root / "raw_events.duckdb")
        moved = World(shop, world.stack)
        fill(disk)
        before = moved.state()
        for command in (["run", "--flow", "events_flow"], COMPLETE):
            refused = Sandbox(shop).seeknal(*command, code=2)
            said = one_line(refused.err)
            assert str(shop / "target") in said
            assert "space" in said
            assert "make room" in said or "free space" in said or "Free some space" in said
        assert moved.state() == before


@pytest.mark.skipif(not can_mount(), reason="may not mount; the rows with /proc stand for it")
def test_a_folder_that_is_read_only_changes_nothing(world: World) -> None:
    before = world.state()
    with read_only(world.root):
        for command in (["run", "--flow", "events_flow"], COMPLETE):
            done = Sandbox(world.root).seeknal(*command, code=2)
            assert "written" in one_line(done.err)
        assert world.state() == before


def test_a_reader_that_leaves_early_is_no_error(world: World) -> None:
    sandbox = Sandbox(world.root)
    sandbox.seeknal(*COMPLETE[:-1], "1990-01-01 to 2020-01-01")
    shown = sandbox.bash("seeknal intervals show --flow events_flow --all | head -n 1")
    assert shown.lines == ["Completed Intervals for events_flow:"]
    assert shown.err == ""
    helped = sandbox.bash("seeknal run --help | head -n 1")
    assert (helped.lines, helped.err) == (["Usage: seeknal run [OPTIONS]"], "")


def test_a_run_goes_on_when_its_reader_leaves(world: World) -> None:
    sandbox = Sandbox(world.root)
    sandbox.bash("seeknal run | head -n 1")
    assert sandbox.seeknal("intervals", "pending", "--flow", "events_flow").lines == [
        "Pending intervals (0):"
    ]
    assert sandbox.seeknal("intervals", "pending", "--flow", "by_region").lines == [
        "Pending partitions (0):"
    ]


def test_standard_output_that_is_full_is_one_line(world: World) -> None:
    sandbox = Sandbox(world.root)
    shown = sandbox.bash("seeknal intervals show > /dev/full", code=2)
    assert one_line(shown.err) == (
        "Error: Cannot write to standard output: No space left on device; make room, or direct it "
        "elsewhere.\n"
    )
    assert sandbox.bash("seeknal intervals show >&-").err == ""


def test_a_terminal_without_a_tick_still_shows_what_is_done(world: World) -> None:
    shown = Sandbox(world.root).bash("PYTHONIOENCODING=ascii seeknal intervals show")
    assert "2024-01-02 to 2024-01-03 ?" in shown.out
