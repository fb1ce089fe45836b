"""The user who gets everything wrong: one clear line, exit code 2, and nothing changed.

Most mistakes meet the command line within this process, which is fast; those that are about
processes and disks meet real ones.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from seeknal.cli.main import main
from seeknal.errors import ConfigError, SeeknalError, TimeError, UnknownNameError, UsageError
from seeknal.flow import Flow, FlowInput, FlowOutput
from seeknal.home import set_current_home
from seeknal.project import Project
from seeknal.tasks.duckdb import DuckDBTask
from seeknal.workflow.intervals import IntervalCalculator
from tests.acceptance.mistakes import FLOW, NEVER, ROWS, TABLE, Row, Setup, World, without
from tests.projects import EVENTS_SQL, Sandbox, environment


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which two of four days are done; copied for each row."""
    sandbox = Sandbox(tmp_path_factory.mktemp("bad") / "shop")
    with sandbox.data() as connection:
        connection.execute(TABLE)
    (sandbox.root / "seeknal_project.yml").write_text("name: shop\n")
    task = DuckDBTask().add_sql(EVENTS_SQL)
    by_region = DuckDBTask().add_sql("SELECT * FROM events WHERE region = '__PARTITION__'")
    source = FlowInput(kind="database", value="raw_events")
    try:
        Project("shop").get_or_create(sandbox.root)
        Flow("events_flow", source, task, schedule="@daily")
        Flow("by_region", source, by_region, partition={"column": "region"})
    finally:
        set_current_home(None)
    sandbox.seeknal("run", "--flow", "events_flow", "--end-date", "2024-01-03")
    return sandbox.root


@pytest.fixture
def world(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    root = tmp_path / "shop"
    shutil.copytree(template, root)
    for name in [name for name in os.environ if name.upper().startswith("SEEKNAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(root)
    try:
        with ExitStack() as stack:
            yield World(root, stack)
    finally:
        set_current_home(None)


def one_line(err: str) -> str:
    """Hold a complaint to its form, and return it."""
    assert err.startswith("Error: "), err
    assert err.count("\n") == 1, err
    assert err.rstrip("\n").endswith((".", "?")), err
    for never in NEVER:
        assert never not in err, err
    return err


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


# -- the Python API -------------------------------------------------------------------------


def flow_of(**fields: object) -> Callable[[Project], object]:
    """Make a flow with some fields of its own."""
    good: dict[str, object] = {
        "name": "new_flow",
        "input": FlowInput(kind="database", value="raw_events"),
        "tasks": [DuckDBTask().add_sql(EVENTS_SQL)],
    }
    return lambda project: Flow(**{**good, **fields})  # type: ignore[arg-type]


def day(number: int, *, aware: bool = False) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC if aware else None)


def stateless(project: Project) -> object:
    """Ask for the state of a flow that belongs nowhere."""
    spec = project.flow("events_flow").to_spec()
    set_current_home(None)
    return Flow.from_spec(spec).state


Call = Callable[[Project], object]

API: list[tuple[str, Call, type[SeeknalError], str]] = [
    ("project with a slash", lambda _: Project("a/b"), UsageError, "'a/b' is not a name; use 1"),
    ("project without a name", lambda _: Project(""), UsageError, "Project: the text '' is not a"),
    ("project not opened", lambda _: Project("x").root, UsageError, "call get_or_create() first."),
    ("two projects in a folder", lambda p: Project("other").get_or_create(p.root), ConfigError,
     "holds the project 'shop', not 'other'; use that name, or another folder."),
    ("project in a file", lambda p: Project("shop").get_or_create(p.root / "raw_events.duckdb"),
     ConfigError, "a file stands where a folder is needed"),
    ("flow with a slash", flow_of(name="a/b"), UsageError, "'a/b' is not a name"),
    ("flow with a quote", flow_of(name='a"b'), UsageError, "'a\"b' is not a name"),
    ("flow without a name", flow_of(name=""), UsageError, "the text '' is not a name"),
    ("flow named by a number", flow_of(name=7), UsageError, "a name must be text, not the number"),
    ("flow with a misspelt field", flow_of(shedule="@daily"), UsageError,
     "unknown field 'shedule'; did you mean 'schedule'?"),
    ("flow that differs by case", flow_of(name="Events_Flow"), ConfigError, "only by case"),
    ("flow without tasks", flow_of(tasks=[]), UsageError, "a flow needs at least one task."),
    ("flow with an empty task", flow_of(tasks=[DuckDBTask()]), UsageError, "add_sql(...)"),
    ("flow with bad cron", flow_of(schedule="* * *"), UsageError, "has 3 fields; write five"),
    ("flow in no zone", flow_of(schedule="@daily", timezone="Mars/Base"), UsageError,
     "There is no time zone 'Mars/Base'"),
    ("flow that begins never", flow_of(start_date="2024-02-30"), TimeError, "'2024-02-30'"),
    ("schedule beside values", flow_of(schedule="@daily", partition={"column": "region"}),
     UsageError, "its partitions need a format"),
    ("input of no kind", lambda _: FlowInput(kind="ftp", value="x"),  # type: ignore[arg-type]
     UsageError, "'kind' cannot be the text 'ftp'; choose from: database, parquet, csv, json."),
    ("input without paths", lambda _: FlowInput(kind="csv", value=()), UsageError,
     "the list of paths is empty; name at least one."),
    ("output that is a pattern", lambda _: FlowOutput(value="out/*"), UsageError,
     "an output is one folder, not a pattern."),
    ("empty SQL", lambda _: DuckDBTask().add_sql("  "), UsageError, "the SQL is empty; write a"),
    ("SQL that is no text", lambda _: DuckDBTask().add_sql(5),  # type: ignore[arg-type]
     UsageError, "SQL must be text, not the number 5."),
    ("unknown flow", lambda p: Flow.load("event_flow", p), UnknownNameError, "'events_flow'?"),
    ("bad schedule", lambda p: p.flow("events_flow").set_interval_schedule("@often"), UsageError,
     "'@often' has no times; use one of @hourly"),
    ("bad format", lambda p: p.flow("events_flow").set_partition_tracking("d", "%H"), UsageError,
     "does not name a range of time"),
    ("state of no project", stateless, UsageError,
     "The flow 'events_flow' is in no project; call Project(...).get_or_create()"),
    ("intervals backwards",
     lambda _: IntervalCalculator().get_missing_intervals([], day(7), day(1), "@daily"),
     TimeError, "is before the start 2024-01-07 00:00:00; swap the two."),
    ("naive and aware times", lambda _: IntervalCalculator().get_missing_intervals(
        [], day(1), day(7, aware=True), "@daily"), TimeError,
     "Some of these times carry a UTC offset and some do not; give all"),
    ("intervals of no schedule",
     lambda _: IntervalCalculator().calculate_intervals(day(1), day(2), "never"),
     UsageError, "'never' has 1 fields; write five"),
    ("calculator in no zone", lambda _: IntervalCalculator("Mars/Base"), UsageError, "Mars/Base"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "kind", "part"), [row[1:] for row in API], ids=[row[0] for row in API]
)
def test_a_mistake_in_python_is_one_sentence_and_changes_nothing(
    call: Call, kind: type[SeeknalError], part: str, world: World
) -> None:
    project = Project("shop").get_or_create(world.root)
    before, flows = world.state(), {p: p.read_text() for p in (world.root / "flows").iterdir()}
    with pytest.raises(kind) as caught:
        call(project)
    said = str(caught.value)
    assert part in said
    assert said.endswith((".", "?"))
    assert "\n" not in said
    assert all(never not in said for never in NEVER)
    assert world.state() == before
    assert {p: p.read_text() for p in (world.root / "flows").iterdir()} == flows


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
