"""What is missing, broken or in the way on a machine."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys

import pytest

from seeknal.stores import sqlite_db
from tests.acceptance.mistakes.world import DATABASE, FLOW, RUN, STATE, Row, Setup, World
from tests.waiting import wait_until


def spoilt(id_: str, spoil: Setup, *said: str, command: str = RUN) -> Row:
    """Files that are missing, broken, or not what they should be."""
    return Row(id_, command, said, spoil)


def variable(id_: str, name: str, value: str, *said: str) -> Row:
    """A mistake in the environment."""
    return Row(id_, RUN, said, env=((name, value),))


def files_of(kind: str, value: str, options: str = "") -> Setup:
    """Make the flow read files."""

    def spoil(world: World) -> None:
        world.edit(DATABASE, f"  kind: {kind}\n  value: {value}{options}")
        world.edit("FROM events", "FROM __THIS__")
        world.write("in/broken.parquet", b"PAR1" + b"x" * 200)
        world.write("in/text.csv", "event_time,amount\nyesterday,1\n")
        world.write("in/good.csv", "event_time;amount\n2024-01-03 00:00:00;1\n")

    return spoil


def output_to(value: str) -> Setup:
    """Make the flow write elsewhere."""
    return lambda world: world.edit("tasks:", f"output: {{kind: parquet, value: {value}}}\ntasks:")


def writer(world: World) -> None:
    """Have another process write to the input."""
    script = (
        "import duckdb, sys\n"
        "with duckdb.connect('raw_events.duckdb'):\n"
        "    print('open', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    process = world.stack.enter_context(
        subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=world.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        )
    )  # fmt: skip
    assert process.stdin
    assert process.stdout
    world.stack.callback(process.stdin.close)
    wait_until("the writer has opened the file", process.stdout.readline)


def busy(world: World) -> None:
    """Have somebody else in the middle of a change of the state."""
    world.stack.enter_context(pytest.MonkeyPatch.context()).setattr(sqlite_db, "BUSY_SECONDS", 0.1)
    connection = sqlite3.connect(world.root / STATE, isolation_level=None)
    world.stack.callback(connection.close)
    connection.execute("BEGIN EXCLUSIVE")


def of_schema(version: int) -> Setup:
    """Give the state file another schema."""

    def spoil(world: World) -> None:
        connection = sqlite3.connect(world.root / STATE)
        connection.execute(f"PRAGMA user_version = {version}")
        connection.close()

    return spoil


def cut(part: float) -> Setup:
    """Leave only a part of the state file."""

    def spoil(world: World) -> None:
        whole = (world.root / STATE).read_bytes()
        world.write(STATE, whole[: int(len(whole) * part)])

    return spoil


def instead_of(folder: str) -> Setup:
    """Put a file where a folder was."""

    def spoil(world: World) -> None:
        shutil.rmtree(world.root / folder)
        world.write(folder, "a file")

    return spoil


def without(path: str) -> Setup:
    """Remove a file or a folder."""

    def spoil(world: World) -> None:
        gone = world.root / path
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()

    return spoil


SHOW = "intervals show --flow events_flow"
DAMAGED = "Put a copy of it back, or"

FILES = [
    spoilt("no project", without("seeknal_project.yml"),
           "(seeknal_project.yml is missing); run 'seeknal init' in its folder, or give --project"),
    spoilt("no flows", without("flows"), "Project 'shop' has no flows; declare one in",
           command="run"),
    spoilt("a file for flows", instead_of("flows"), "Cannot read", "flows: Not a directory",
           command="run"),
    spoilt("empty file", lambda w: w.write(FLOW, ""),
           f"{FLOW}, line 1: the file must be a mapping of fields (name, description, schedule,"),
    spoilt("a folder for a flow", lambda w: w.folder(FLOW), f"Cannot read {FLOW}: Is a directory"),
    spoilt("two files of one flow", lambda w: w.write("flows/events_flow.yaml", w.read()),
           "events_flow.yaml and events_flow.yml", "both name the flow 'events_flow'; remove one."),
    spoilt("no database", without("raw_events.duckdb"),
           "There is no database 'raw_events': looked for", "Put the file there, or declare"),
    spoilt("a database that is none", lambda w: w.write("raw_events.duckdb", b"garbage" * 2000),
           "raw_events.duckdb", "not a valid DuckDB database file. Put the data there"),
    spoilt("an empty database", lambda w: w.write("raw_events.duckdb", b""),
           "not a valid DuckDB database file."),
    spoilt("a database that is being written", writer,
           "raw_events.duckdb is open for writing in another process; close it there"),
    spoilt("missing CSV", files_of("csv", "in/nope.csv"), "No files found", "in/nope.csv",
           "Put the data there, or correct the input's value."),
    spoilt("a glob that matches nothing", files_of("parquet", "'in/2024*.parquet'"),
           "No files found that match the pattern", "in/2024*.parquet"),
    spoilt("broken Parquet", files_of("parquet", "in/broken.parquet"), "in/broken.parquet",
           "Flow 'events_flow'"),
    spoilt("a CSV without times", files_of("csv", "in/text.csv"),
           "Cannot compare values of type VARCHAR and type TIMESTAMP"),
    spoilt("an unknown option of the reader",
           files_of("csv", "in/good.csv", "\n  options: {delimm: ';'}"),
           'read_csv has no option "delimm"; did you mean "delim"'),
    spoilt("an output that is a file", output_to("raw_events.duckdb"),
           "The output", "raw_events.duckdb", "a file stands where a directory is needed"),
    spoilt("an output below a file", output_to("raw_events.duckdb/output"),
           "a file stands where a directory is needed; move it or choose another path."),
    spoilt("an output that cannot be made", output_to("/proc/seeknal"),
           "The output /proc/seeknal", "cannot be written"),
    spoilt("a state file that was cut off", cut(0.0001), "state.db is damaged: it was cut off."),
    spoilt("an empty state file", cut(0), "state.db is damaged: it was cut off.", DAMAGED),
    spoilt("half a state file", cut(0.5), "state.db is damaged (", DAMAGED),
    spoilt("half a state file, shown", cut(0.5), "state.db is damaged (", DAMAGED, command=SHOW),
    spoilt("garbage for state", lambda w: w.write(STATE, b"garbage" * 1000),
           "state.db is damaged (file is not a database).", DAMAGED),
    spoilt("state of a newer schema", of_schema(99), "state.db was written by a newer Seeknal (its "
           "schema is 99", "Upgrade Seeknal on this machine.", command=SHOW),
    spoilt("another database for state", of_schema(0),
           "is a database, but not a state file of Seeknal. Move it away"),
    spoilt("a folder for state", lambda w: w.folder(STATE), "state.db is a folder. Move it away"),
    spoilt("a file for target", instead_of("target"), "target",
           "a file stands where a", "choose another path."),
    spoilt("state that is locked", busy, "state.db was locked by another process", "run again.",
           command="intervals complete --flow events_flow --interval 2024-01-03"),
]  # fmt: skip

VARIABLES = [
    variable("misspelt variable", "SEEKNAL_REDIS_ULR", "x",
             "no setting for the environment variable SEEKNAL_REDIS_ULR; did you mean SEEKNAL_RE"),
    variable("unknown variable", "SEEKNAL_XYZZY", "x", "SEEKNAL_XYZZY; known ones: SEEKNAL_"),
    variable("lease too short", "SEEKNAL_LEASE", "0",
             "SEEKNAL_LEASE ('0') is not valid; give seconds from 1 to 86400, for example 30."),
    variable("lease in words", "SEEKNAL_LEASE", "long", "SEEKNAL_LEASE ('long') is not valid"),
    variable("a store that is no URL", "SEEKNAL_REDIS_URL", "localhost",
             "SEEKNAL_REDIS_URL is not valid; give a URL such as redis://localhost:6379/0."),
    variable("project that is not there", "SEEKNAL_PROJECT", "/nowhere/at/all",
             "There is no folder /nowhere/at/all; give a project's folder."),
    variable("data that are not there", "SEEKNAL_DATA_ROOT", "/nowhere/at/all",
             "The data root /nowhere/at/all is no folder on this machine; correct data_root"),
]  # fmt: skip
