"""What people get wrong: each row is a mistake, the command that meets it, and what must be said.

That is what is wrong, where, and what to do.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from seeknal.stores import sqlite_db
from tests.projects import EVENTS_SQL
from tests.waiting import wait_until

FLOW = "flows/events_flow.yml"
STATE = "target/state.db"
RUN = "run --flow events_flow"
TABLE = "CREATE TABLE events AS SELECT TIMESTAMP '2024-01-01' + i * INTERVAL 1 HOUR AS event_time, \
TIMESTAMP '2024-02-01' AS loaded_at, i AS amount, ['EU', 'US'][1 + i % 2] AS region \
FROM range(96) t(i)"
DATABASE = "  kind: database\n  value: raw_events"

#: What no message may hold, whatever went wrong.
NEVER = ("Traceback", 'File "seeknal', "pydantic", "sqlite3.", "Exception", "Error: Error", "  ")

Setup = Callable[["World"], object]


class World:
    """A project in which two of four days are done, to be spoilt."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root = root
        self.stack = stack

    def read(self, file: str = FLOW) -> str:
        return (self.root / file).read_text()

    def write(self, file: str, content: str | bytes) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def edit(self, old: str, new: str, file: str = FLOW) -> None:
        text = self.read(file)
        assert old in text, f"{old!r} is not in {file}:\n{text}"
        self.write(file, text.replace(old, new))

    def folder(self, file: str) -> None:
        """Put a folder where a file was."""
        (self.root / file).unlink()
        (self.root / file).mkdir()

    def state(self) -> dict[str, str]:
        """What is below target: each file, by its hash."""
        target = self.root / "target"
        if target.is_file():
            return {"target": target.read_text()}
        # The index of SQLite's log, and a log that is empty, are no state: they come and go.
        files = sorted(
            p
            for p in target.rglob("*")
            if p.is_file()
            and not p.name.endswith("-shm")
            and not (p.name.endswith("-wal") and not p.stat().st_size)
        )
        return {p.relative_to(target).as_posix(): sha256(p.read_bytes()).hexdigest() for p in files}


@dataclass(frozen=True, slots=True)
class Row:
    """A mistake: what is spoilt, the command that meets it, and what must be said."""

    id: str
    command: str
    said: tuple[str, ...]
    spoil: Setup | None = None
    env: tuple[tuple[str, str], ...] = ()


def typed(id_: str, command: str, *said: str) -> Row:
    """A mistake at the keyboard."""
    return Row(id_, command, said)


def yml(id_: str, old: str, new: str, *said: str, command: str = RUN, file: str = FLOW) -> Row:
    """A mistake in a file of the project."""
    return Row(id_, command, said, lambda world: world.edit(old, new, file))


def sql(id_: str, text: str, *said: str) -> Row:
    """A mistake in a flow's SQL."""
    block = text.replace("\n", "\n    ")
    return Row(id_, RUN, said, lambda world: world.edit(EVENTS_SQL, block))


def spoilt(id_: str, spoil: Setup, *said: str, command: str = RUN) -> Row:
    """Files that are missing, broken, or not what they should be."""
    return Row(id_, command, said, spoil)


def variable(id_: str, name: str, value: str, *said: str) -> Row:
    """A mistake in the environment."""
    return Row(id_, RUN, said, env=((name, value),))


NOT_A_TIME = "is not a time; write 2024-01-31, 2024-01-31T05:00 or 2024-01-31T05:00:00+02:00."
NOT_AFTER = "is not after the start"
NO_FLOW = "known flows: by_region, events_flow."

TYPED = [
    typed("end before start", f"{RUN} --start-date 2024-01-05 --end-date 2024-01-04",
          "The end, 2024-01-04,", NOT_AFTER, "the end is exclusive"),
    typed("end equal start", f"{RUN} --start-date 2024-01-05 --end-date 2024-01-05",
          "The end, 2024-01-05,", NOT_AFTER),
    typed("pending: end before start",
          "intervals pending --start-date 2024-01-05 --end-date 2024-01-04", NOT_AFTER),
    typed("not a date", f"{RUN} --start-date yesterday", "'yesterday'", NOT_A_TIME),
    typed("empty date", f"{RUN} --end-date ''", "''", NOT_A_TIME),
    typed("a day that is none", f"{RUN} --start-date 2024-02-30", "'2024-02-30'", "day is out of"),
    typed("American date", f"{RUN} --start-date 01/31/2024", "'01/31/2024'", NOT_A_TIME),
    typed("before 1900", f"{RUN} --start-date 1850-01-01", "1850-01-01", "years 1900 to 2100"),
    typed("after 2100", f"{RUN} --backfill --end-date 2150-01-01", "2150-01-01", "1900 to 2100"),
    typed("unknown flow, nearly known", "run --flow event_flow",
          "no flow 'event_flow' in the project 'shop'", "did you mean 'events_flow'?"),
    typed("unknown flow", "run --flow nope", "no flow 'nope'", NO_FLOW),
    typed("empty flow", "run --flow ''", "no flow ''", NO_FLOW),
    typed("flow with a path", "flows show ../seeknal_project", "no flow '../seeknal_", NO_FLOW),
    typed("flow with a quote", 'flows show "it\'s"', "no flow \"it's\"", NO_FLOW),
    typed("unknown flow to validate", "flows validate nope", "no flow 'nope'", NO_FLOW),
    typed("unknown flow in JSON", "intervals show --json --flow nope", "no flow 'nope'", NO_FLOW),
    typed("no workers", "run --workers 0", "'--workers': '0' is no whole number from 1 to 1,000.",
          "See 'seeknal run --help'."),
    typed("negative workers", "run --workers -3", "'-3' is no whole number from 1"),
    typed("workers in words", "run --workers abc", "'abc' is no whole number from 1"),
    typed("half a worker", "run --workers 2.5", "'2.5' is no whole number from 1"),
    typed("too many workers", "run --workers 99999", "'99999' is no whole number from 1 to 1,000"),
    typed("unknown option", "run --wrkers 3", "No such option: --wrkers", "--workers",
          "See 'seeknal run --help'."),
    typed("missing value", "run --flow", "Option '--flow' requires an argument."),
    typed("superfluous word", "run events_flow", "unexpected extra argument(s) (events_flow).",
          "See 'seeknal run --help'."),
    typed("unknown command", "rum", "No such command 'rum'. Did you mean 'run'?"),
    typed("unknown command of a group", "intervals shw", "No such command 'shw'.", "'show'"),
    typed("missing argument", "flows show", "Missing argument", "See 'seeknal flows show --help'."),
    typed("no such folder", "run --project-path /nowhere/at/all",
          "There is no folder /nowhere/at/all; give a project's folder."),
    typed("a file for a folder", "run --project-path raw_events.duckdb",
          "There is no folder", "raw_events.duckdb; give a project's folder."),
    typed("no project there", "run --project-path /",
          "There is no project in / or above it", "run 'seeknal init' in its folder"),
    typed("dates and partitions", "run --flow by_region --partitions EU --start-date 2024-01-01",
          "Give dates or --partitions, not both."),
    typed("empty partitions", "run --flow by_region --partitions ,",
          "--partitions is empty; give names separated by commas."),
    typed("partitions without partitioning", f"{RUN} --partitions 2024-01-01",
          "Flow 'events_flow' has no value partitions; give dates instead."),
    typed("dates without a schedule", "run --flow by_region --start-date 2024-01-01",
          "Flow 'by_region' runs by value partition, not by date; choose with --partitions."),
    typed("unknown partition", "run --flow by_region --partitions APAC --backfill",
          "input of flow 'by_region' has no partition 'APAC'; known partitions: EU, US.",
          "--include-empty"),
    typed("unknown partition, nearly known", "run --flow by_region --partitions EU,Us --dry-run",
          "no partition 'Us'; did you mean 'US'?"),
    typed("restate without reason", "intervals restate --start 2024-01-01 --end 2024-01-02",
          "Missing option '--reason'.", "See 'seeknal intervals restate --help'."),
    typed("restate with an empty reason",
          "intervals restate --flow events_flow --start 2024-01-01 --end 2024-01-02 --reason ' '",
          "--reason is empty; say why, it is kept in the audit."),
    typed("restate one of several flows",
          "intervals restate --start 2024-01-01 --end 2024-01-02 --reason x",
          "Name one flow to restate with --flow; there are by_region, events_flow."),
    typed("restate without an end", "intervals restate --flow events_flow --start 2024-01-01 "
          "--reason x", "Say what to restate: --start and --end, or --partitions."),
    typed("restate backwards", "intervals restate --flow events_flow --start 2024-01-03 --end "
          "2024-01-02 --reason x", NOT_AFTER),
    typed("restate dates and partitions", "intervals restate --flow events_flow --start 2024-01-03 "
          "--partitions 2024-01-03 --reason x", "Give dates or --partitions, not both."),
    typed("restate partitions without any", "intervals restate --flow events_flow --partitions "
          "2024-01-03 --reason x", "has no partition format; use --start and --end."),
    typed("restate dates of values", "intervals restate --flow by_region --start 2024-01-01 --end "
          "2024-01-02 --reason x", "Flow 'by_region' runs by value; choose with --partitions."),
    typed("complete one of several flows", "intervals complete --interval 2024-01-03",
          "Name one flow to mark complete with --flow; there are by_region, events_flow."),
    typed("complete nothing", "intervals complete --flow events_flow",
          "Name what is complete with --interval, for example 2024-01-01."),
    typed("complete the future", "intervals complete --flow events_flow --interval 2100-01-01",
          "The interval 2100-01-01 to 2100-01-02 has not ended yet; it cannot be complete."),
    typed("complete part of a day", "intervals complete --flow events_flow --interval "
          "2024-01-03T05:00", "'2024-01-03T05:00' is not made of whole intervals of '@daily'; it",
          "'2024-01-03 to "),
    typed("complete a range that begins within a day",
          "intervals complete --flow events_flow --interval '2024-01-03T05:00 to 2024-01-05'",
          "is not made of whole intervals", "'2024-01-03 to 2024-01-05': give that."),
    typed("complete a range without an end",
          "intervals complete --flow events_flow --interval '2024-01-03 to '", "''", NOT_A_TIME),
    typed("complete a range backwards",
          "intervals complete --flow events_flow --interval '2024-01-03 to 2024-01-02'", NOT_AFTER),
    typed("complete no date", "intervals complete --flow events_flow --interval now",
          "'now'", NOT_A_TIME),
    typed("complete an interval of values", "intervals complete --flow by_region --interval "
          "2024-01-01 --partitions EU", "Flow 'by_region' runs by value; choose with --partitions"),
    typed("complete a partition without any", "intervals complete --flow events_flow --partitions "
          "EU", "Flow 'events_flow' has no partition format; use --interval."),
    typed("pending by bad cron", "intervals pending --schedule '61 * * * *'",
          "'61' is no minute; use 0-59"),
    typed("pending by a cron that never fires", "intervals pending --schedule '0 0 30 2 *'",
          "'0 0 30 2 *' never fires", "correct its day or month"),
    typed("pending by no cron", "intervals pending --schedule often",
          "'often' has 1 fields; write five (minute, hour, day of month, month, day of week)"),
    typed("pending by an unknown name", "intervals pending --schedule @often",
          "'@often' has no times; use one of @hourly, @daily,"),
    typed("init under a bad name", "init a/b --project-path flows", "Project:", "'a/b' is not a",
          "use 1 to 100 letters, digits, '_' or '-'"),
    typed("init under another name", "init other",
          "holds the project 'shop', not 'other'; use that name, or another folder."),
    typed("init nowhere", "init other --project-path nowhere", "There is no folder", "make it"),
]  # fmt: skip

YAML = [
    yml("unknown zone", "schedule: '@daily'", "schedule: '@daily'\ntimezone: Europe/Lodnon",
        f"{FLOW}, line 3: 'timezone': There is no time zone 'Europe/Lodnon'",
        "did you mean 'Europe/London'?"),
    yml("bad cron", "@daily", "61 * * * *",
        f"{FLOW}, line 2: 'schedule'", "'61' is no minute; use 0-59, with lists, ranges or steps."),
    yml("cron that never fires", "@daily", "0 0 30 2 *", "line 2", "never fires: no month"),
    yml("random cron", "@daily", "R * * * *", "random (R) or hashed (H) value", "no fixed"),
    yml("hashed cron", "@daily", "0 h(0-5) * * *", "'h(0-5)', a random (R) or hashed (H) value"),
    yml("four fields", "@daily", "0 0 * *", "'0 0 * *' has 4 fields; write five"),
    yml("@reboot", "@daily", "@reboot", "'@reboot' has no times; use one of @hourly, @daily"),
    yml("tabs", "  kind: database", "\tkind: database",
        f"{FLOW}, line 4: not valid YAML", "indent with spaces, not with tabs."),
    yml("duplicate key", "schedule: '@daily'", "schedule: '@daily'\nschedule: '@hourly'",
        f"{FLOW}, line 3: duplicate field 'schedule', first on line 2; keep one."),
    yml("unknown key", "schedule:", "shedule:",
        f"{FLOW}, line 2: unknown field 'shedule'; did you mean 'schedule'?"),
    yml("wrong type", "schedule: '@daily'", "schedule: 5",
        f"{FLOW}, line 2: 'schedule' must be text, not the number 5; put it in quotes."),
    yml("no tasks", "tasks:\n- kind: duckdb\n  sql: |\n    " + EVENTS_SQL, "tasks: []",
        "'tasks': a flow needs at least one task."),
    yml("another name than the file's", "name: events_flow", "name: other",
        f"{FLOW}, line 1: the name 'other' is not the file's, 'events_flow'; change one of them."),
    yml("name with a slash", "name: events_flow", "name: a/b",
        "line 1: 'name': the text 'a/b' is not a name; use 1 to 100 letters, digits, '_' or '-'."),
    yml("name with a quote", "name: events_flow", 'name: "it\'s"', 'the text "it\'s" is not a'),
    yml("no name", "name: events_flow", "name: ''", "the text '' is not a name; use 1 to 100"),
    yml("unknown kind of input", "kind: database", "kind: databse",
        f"{FLOW}, line 4: 'input.kind' cannot be the text 'databse'; did you mean 'database'?"),
    yml("unknown kind of output", "tasks:", "output: {kind: csv}\ntasks:",
        "line 6: 'output.kind' cannot be the text 'csv'; choose from: parquet, none."),
    yml("start that is no date", "schedule:", "start_date: 2024-02-30\nschedule:",
        f"{FLOW}, line 2: 'start_date': '2024-02-30' is not a time"),
    yml("lag that is none", "schedule:", "data_lag: soon\nschedule:",
        "line 2: 'data_lag': 'soon' is not a duration; write seconds, or a text such as '90s'"),
    yml("no schedule", "schedule: '@daily'\n", "",
        "Flow 'events_flow' has no schedule; set one", "flows/events_flow.yml"),
    yml("unknown time column", "schedule:", "time_column: evnt_time\nschedule:",
        "Flow 'events_flow'", "time_column is 'evnt_time', but no table of the input has it"),
    yml("unknown partition column", "column: region", "column: regio",
        "partition_column is 'regio', but no table of the input has it",
        command="run --flow by_region", file="flows/by_region.yml"),
    yml("output beyond this version", "tasks:",
        "output: {kind: parquet, value: 's3://bucket/x'}\ntasks:",
        "'events_flow' writes to 's3://bucket/x'; this version writes to folders only."),
    yml("broken project", "name: shop", "name: [shop",
        "seeknal_project.yml, line 2: not valid YAML", file="seeknal_project.yml"),
    yml("unknown key of the project", "name: shop", "name: shop\nconections: {}",
        "seeknal_project.yml, line 2: unknown field 'conections'; did you mean 'connections'?",
        file="seeknal_project.yml"),
    yml("password in the project", "name: shop", "name: shop\nredis_url: redis://:secret@host/0",
        "line 2: 'redis_url': a password must not stand in a file; write ${VARIABLE}",
        file="seeknal_project.yml"),
    yml("variable that is not set", "name: shop", "name: shop\ndata_root: ${NOT_SET_AT_ALL}",
        "data_root refers to the environment variable NOT_SET_AT_ALL, which is not set; set it.",
        file="seeknal_project.yml"),
    *(
        Row(f"partition {what}", f"run --flow events_flow --partitions {name}", (said,),
            lambda world: world.edit(
                "schedule:", "partition: {column: day, format: '%Y-%m-%d'}\nschedule:"))
        for what, name, said in (
            ("that is no date", "EU", "'EU' is not a partition of the format '%Y-%m-%d'; write it"),
            ("of a day that is none", "2024-02-30", "like '2024-01-31'."),
        )
    ),
    Row("partition shorter than the intervals", f"{RUN} --partitions 2024-01-03T05",
        ("No interval of '@daily' ends within 2024-01-03T05", "give dates."),
        lambda world: world.edit(
            "schedule:", "partition: {column: h, format: '%Y-%m-%dT%H'}\nschedule:")),
    yml("partition format that is no time", "schedule:",
        "partition: {column: day, format: '%d'}\nschedule:",
        "line 2: 'partition.format': The partition format '%d' does not name a range of time"),
]  # fmt: skip

WHERE = "WHERE event_time >= '__START__' AND event_time < '__END__'"
ONE_SELECT = "a task is one SELECT, and Seeknal writes its result."

SQL = [
    sql("no placeholders", "SELECT * FROM events",
        "Flow 'events_flow': The SQL has no __START__ and no __END__, so every unit would read",
        f"write it as in {WHERE}."),
    sql("one placeholder", "SELECT * FROM events WHERE event_time >= '__START__'",
        "Flow 'events_flow': The SQL has no __END__, so every unit would read everything"),
    sql("double quotes", EVENTS_SQL.replace("'", '"'),
        "a name in double quotes; write '__START__' with single quotes."),
    sql("placeholder without a value", f"{EVENTS_SQL} AND region = '__PARTITION__'",
        "uses __PARTITION__, which this flow's units have no value for; remove it"),
    sql("several statements", f"{EVENTS_SQL}; SELECT 1",
        "The SQL holds 2 statements; a task is exactly one SELECT."),
    sql("no statement", "-- later", "The SQL holds no statement; a task is exactly one SELECT."),
    sql("INSERT", "INSERT INTO events SELECT * FROM events", "no SELECT but INSERT;", ONE_SELECT),
    sql("DELETE", "DELETE FROM events", "no SELECT but DELETE;", ONE_SELECT),
    sql("DROP", "DROP TABLE events", "no SELECT but DROP;", ONE_SELECT),
    sql("CREATE", f"CREATE TABLE copy AS {EVENTS_SQL}", "no SELECT but CREATE;", ONE_SELECT),
    sql("PRAGMA", "PRAGMA database_list", "(it begins with PRAGMA); write it as one SELECT."),
    sql("ATTACH", "ATTACH 'other.duckdb'", "no SELECT but ATTACH;", ONE_SELECT),
    sql("COPY", "COPY events TO 'events.csv'", "no SELECT but COPY;", ONE_SELECT),
    sql("INSTALL", "INSTALL httpfs", "no SELECT but INSTALL or LOAD;", ONE_SELECT),
    sql("LOAD", "LOAD httpfs", "no SELECT but INSTALL or LOAD;", ONE_SELECT),
    sql("SET", "SET threads = 9", "no SELECT but SET;", ONE_SELECT),
    sql("does not parse", f"SELECT *\nFROM events\nWHER {WHERE[6:]}",
        "Flow 'events_flow': The SQL cannot run: syntax error", "(line 3, near event_time)."),
    sql("open string", f"{EVENTS_SQL} AND region = 'EU", "unterminated quoted string"),
    sql("unknown column", f"SELECT amont\nFROM events\n{WHERE}",
        '"amont" not found', 'Candidate bindings: "amount"', "(line 1, near amont)."),
    sql("unknown table", EVENTS_SQL.replace("events", "event"),
        "Table with name event does not exist", '"events"', "(line 1, near event)."),
    sql("unknown function", EVENTS_SQL.replace("*", "summ(amount)"),
        "Function with name summ does not exist", 'Did you mean "sum"?', "(line 1, near summ)."),
    sql("column that is no time", EVENTS_SQL.replace("event_time", "amount"),
        "Cannot compare values of type BIGINT and type TIMESTAMP", "(line 1, near >=)."),
    sql("no time column", "SELECT * FROM events WHERE '__START__' < '__END__'",
        "does not show which column is compared with __START__ and __END__; set time_column"),
    sql("ambiguous time column",
        f"SELECT * FROM events {WHERE} AND loaded_at >= '__START__' AND loaded_at < '__END__'",
        "compares several columns with __START__ and __END__",
        "event_time", "loaded_at", "set time_column to the one that is meant."),
    sql("other files", f"SELECT e.* FROM events e, read_text('/etc/hostname') {WHERE}",
        "reaches outside of the flow's input and output", '"/etc/hostname"', "near read_text"),
    sql("reserved column", EVENTS_SQL.replace("*", "*, 1 AS interval_month"),
        "has a column 'interval_month', a name that the output's directories use; give it another"),
    yml("value flow without its placeholder", "region = '__PARTITION__'", "true",
        "The SQL has no __PARTITION__, so every unit would read everything",
        "WHERE region = '__PARTITION__'", command="run --flow by_region",
        file="flows/by_region.yml"),
]  # fmt: skip


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

ROWS = TYPED + YAML + SQL + FILES + VARIABLES
