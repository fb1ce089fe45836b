"""The user who gets everything wrong: one clear line, exit code 2, and nothing changed.

Most mistakes meet the command line within this process, which is fast; some of them meet a real
one, to show that it is the same.
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from seeknal.cli.main import main
from tests.acceptance.mistakes import ROWS
from tests.acceptance.mistakes.found import without
from tests.acceptance.mistakes.world import FLOW, Row, Setup, World, one_line
from tests.projects import Sandbox, environment


@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_a_mistake_is_one_line_and_changes_nothing(
    row: Row, world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if row.spoil is not None:
        row.spoil(world)
    for name, value in row.env:
        monkeypatch.setenv(name, value)
    before = world.state()
    monkeypatch.setattr(sys, "argv", ["seeknal", *shlex.split(row.command)])
    with pytest.raises(SystemExit) as left:
        main()
    out, err = capsys.readouterr()
    said = one_line(err)
    for part in row.said:
        assert part in said
    assert left.value.code == 2
    assert out == ""
    assert world.state() == before


def test_there_are_many_rows_and_each_has_a_name_of_its_own() -> None:
    assert len(ROWS) >= 150
    assert len({row.id for row in ROWS}) == len(ROWS)


# -- real processes -------------------------------------------------------------------------

REAL = [row for row in ROWS if row.id in {
    "end before start", "unknown flow, nearly known", "no workers", "unknown option",
    "no project there", "restate without reason", "complete the future", "unknown zone",
    "duplicate key", "unknown column", "a database that is none",
    "a database that is being written", "half a state file", "misspelt variable",
}]  # fmt: skip


@pytest.mark.parametrize("row", REAL, ids=[row.id for row in REAL])
def test_a_mistake_is_the_same_in_a_process_of_its_own(row: Row, world: World) -> None:
    if row.spoil is not None:
        row.spoil(world)
    before = world.state()
    done = subprocess.run(
        [sys.executable, "-m", "seeknal.cli.main", *shlex.split(row.command)],
        cwd=world.root, env=environment(**dict(row.env)), capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    said = one_line(done.stderr)
    for part in row.said:
        assert part in said
    assert world.state() == before


# -- what is no mistake ---------------------------------------------------------------------


@pytest.mark.parametrize("spoil", [
    pytest.param(lambda w: w.write("target/run_state.json", '{"proj'), id="cut off"),
    pytest.param(without("target/run_state.json"), id="gone"),
])  # fmt: skip
def test_a_broken_mirror_is_harmless_and_written_anew(
    spoil: Setup, world: World, template: Path
) -> None:
    spoil(world)
    sandbox = Sandbox(world.root)
    shown = sandbox.seeknal("intervals", "show", "--flow", "events_flow").out
    assert "2024-01-02 to 2024-01-03 ✓" in shown
    sandbox.seeknal("intervals", "complete", "--flow", "events_flow", "--interval", "2024-01-03")
    assert '"2024-01-04T00:00:00+00:00"' in (world.root / "target/run_state.json").read_text()


def test_a_mirror_that_cannot_be_written_is_a_warning(world: World) -> None:
    world.folder("target/run_state.json")
    done = Sandbox(world.root).seeknal(
        "intervals", "complete", "--flow", "events_flow", "--interval", "2024-01-03"
    )
    assert "Warning: the state is kept, but not mirrored: Cannot write" in done.err
    assert "2024-01-03 to 2024-01-04" in done.out


def test_one_flow_that_is_broken_hides_no_other(world: World) -> None:
    world.edit("@daily", "61 * * * *")
    listed = Sandbox(world.root).seeknal("flows", "list", code=2)
    assert listed.lines == ["by_region  per value of region"]
    assert f"{FLOW}, line 2" in one_line(listed.err)
    checked = Sandbox(world.root).seeknal("flows", "validate", code=2)
    assert checked.lines[0] == "by_region: ok"
    assert checked.lines[1].startswith(f"events_flow: {FLOW}, line 2: 'schedule'")


def test_a_group_without_a_command_shows_its_help(world: World) -> None:
    for words in ([], ["intervals"], ["flows"]):
        shown = Sandbox(world.root).seeknal(*words, code=2)
        assert shown.out == ""
        assert shown.err.startswith("Usage: seeknal")
        assert "Commands:" in shown.err


def test_a_unit_that_fails_is_exit_code_1(world: World) -> None:
    world.edit("SELECT *", "SELECT *, CAST(region AS INT) AS number")
    failed = Sandbox(world.root).seeknal("run", "--flow", "events_flow", code=1)
    assert "Failed: 2024-01-03 to 2024-01-04" in failed.err
    assert "Traceback" not in failed.err
