"""Real DuckDB: what a session reads, writes, refuses, and lets go of."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb
import pytest

from seeknal.engine import machine, provenance
from seeknal.engine.render import render
from seeknal.engine.session import Engine, Session, Settings
from seeknal.engine.source import Query, Source
from seeknal.errors import (
    ConfigError,
    DataUnavailableError,
    InterruptedRunError,
    OutputError,
    PermanentQueryError,
    QueryError,
    SeeknalError,
)
from seeknal.workflow.units import Unit, parse_stamp
from tests.waiting import wait_until

DAY = Unit("f", parse_stamp("20240103T000000Z"), parse_stamp("20240104T000000Z"))
WINDOW = "event_time >= '__START__' AND event_time < '__END__'"
HOURS = "SELECT i AS id, TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR AS event_time"


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return make(tmp_path / "raw_events.duckdb")


def make(path: Path, rows: int = 240, table: str = "events") -> Path:
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"CREATE TABLE {table} AS {HOURS} FROM range({rows}) r(i)")
        connection.execute(f"CREATE VIEW late AS SELECT * FROM {table} WHERE id >= 100")
    return path


def over(path: Path, *steps: str, name: str | None = None) -> Query:
    return Query(Source("database", (str(path),), name), steps or ("SELECT 1",))


def write(path: Path, sql: str) -> subprocess.CompletedProcess[str]:
    """Write to a database from another process, as its owner would."""
    code = f"import duckdb; c = duckdb.connect({str(path)!r}); c.execute({sql!r}); c.close()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def rows_of(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(f"SELECT * FROM read_parquet('{path}') ORDER BY ALL").fetchall()


def test_a_unit_is_copied(engine: Engine, database: Path, tmp_path: Path) -> None:
    query = over(database, f"SELECT * FROM events WHERE {WINDOW}")
    target = tmp_path / "it's out.part"
    with engine.session(query) as session:
        metadata = {"seeknal_flow": "é'\"", "seeknal_token": "7"}
        assert session.copy(render(query, DAY), target, metadata) == 24
    assert [row[0] for row in rows_of_any(target)] == list(range(48, 72))
    assert provenance.read(target) == metadata


def rows_of_any(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        sql = "SELECT * FROM read_parquet([?]) ORDER BY ALL"
        return connection.execute(sql, [str(path)]).fetchall()


def test_a_rerun_writes_the_same_bytes(engine: Engine, database: Path, tmp_path: Path) -> None:
    sql = "SELECT id % 7 AS g, count(*) AS n, list(id) AS l FROM events GROUP BY g ORDER BY g"
    written = []
    for number in range(3):
        target = tmp_path / f"{number}.part"
        with engine.session(over(database, sql)) as session:
            session.copy(sql, target, {"a": "b"})
        written.append(target.read_bytes())
    assert written[0] == written[1] == written[2]


def test_an_empty_result_is_a_file(engine: Engine, database: Path, tmp_path: Path) -> None:
    with engine.session(over(database)) as session:
        assert session.copy("SELECT * FROM events WHERE false", tmp_path / "x.part") == 0
    assert rows_of(tmp_path / "x.part") == []


def test_run_computes_everything_and_keeps_nothing(engine: Engine, database: Path) -> None:
    with engine.session(over(database)) as session:
        assert session.run("SELECT * FROM events") == 240
        assert session.run("SELECT * FROM events WHERE false") == 0
        with pytest.raises(QueryError, match="timestamp"):
            session.run("SELECT id, (event_time::VARCHAR || 'x')::TIMESTAMP AS t FROM events")


@pytest.mark.parametrize("name", ["it's", 'a "b"', "ünï cödé", "main", "memory", "1.x", "a;b", "?"])
def test_odd_file_names(engine: Engine, tmp_path: Path, name: str) -> None:
    path = make(tmp_path / f"{name}.duckdb")
    with engine.session(over(path)) as session:
        assert session.run("SELECT * FROM events JOIN late USING (id)") == 140
        assert session.copy("SELECT * FROM late", tmp_path / "x.part") == 140


def test_tables_may_be_qualified_as_in_duckdbs_shell(engine: Engine, database: Path) -> None:
    with engine.session(over(database)) as session:
        assert session.run("SELECT * FROM raw_events.main.events") == 240
    with engine.session(over(database, name="shop")) as session:
        assert session.run("SELECT * FROM shop.events JOIN main.late USING (id)") == 140


def test_databases_do_not_meet(engine: Engine, tmp_path: Path) -> None:
    first, second = make(tmp_path / "a.duckdb", 10), make(tmp_path / "b.duckdb", 20)
    with engine.session(over(first)) as one, engine.session(over(second)) as two:
        assert one.run("SELECT * FROM events") == 10
        assert two.run("SELECT * FROM events") == 20
        with pytest.raises(PermanentQueryError):
            one.run("SELECT * FROM b.events")


@pytest.mark.parametrize(
    ("kind", "options", "form"),
    [
        ("parquet", {}, "FORMAT parquet"),
        ("csv", {"header": True, "delim": ";"}, "FORMAT csv, HEADER, DELIMITER ';'"),
        ("json", {"format": "newline_delimited"}, "FORMAT json"),
    ],
)
def test_files_and_globs(
    engine: Engine, tmp_path: Path, kind: str, options: dict[str, object], form: str
) -> None:
    with duckdb.connect() as connection:
        for part in (0, 1):
            connection.execute(
                f"COPY ({HOURS} FROM range({part * 60}, {part * 60 + 60}) r(i)) "
                f"TO '{tmp_path}/in{part}.{kind}' ({form})"
            )
    for paths in (
        (f"{tmp_path}/in*.{kind}",),
        (f"{tmp_path}/in0.{kind}", f"{tmp_path}/in1.{kind}"),
    ):
        steps = (f"SELECT * FROM {{}} WHERE {WINDOW}", "SELECT id + 0 AS id FROM __THIS__")
        for name in ("events", "__THIS__"):
            query = Query(
                Source(kind, paths, "events", options), (steps[0].format(name), *steps[1:])
            )
            with engine.session(query) as session:
                assert session.copy(render(query, DAY), tmp_path / "x.part") == 24
                assert session.extent() == (1704067200.0, 1704067200.0 + 119 * 3600)


@pytest.mark.parametrize(
    ("sql", "error", "says"),
    [
        ("SELECT * FROM evnts", PermanentQueryError, 'Did you mean "events".*near evnts'),
        ("SELECT *\nFROM events\nWHERE idd = 1", PermanentQueryError, r'"id".*\(line 3, near idd'),
        ("SELECT * FROM events WHERE", PermanentQueryError, "syntax error"),
        ("SELECT sum('a')", PermanentQueryError, "explicit type casts"),
        ("SELECT 'x'::DATE", QueryError, "invalid date"),
        ("SELECT error('mine')", QueryError, "mine"),
        ("SELECT repeat('x', 10000000000)", QueryError, "string of size"),
        ("SELECT * FROM '{tmp}/secret.txt'", PermanentQueryError, "secret"),
        ("SELECT * FROM read_text('{tmp}/secret.txt')", PermanentQueryError, "outside"),
        ("SELECT * FROM glob('{tmp}/*')", PermanentQueryError, "outside"),
        ("SELECT * FROM read_duckdb('{tmp}/other.duckdb')", PermanentQueryError, "outside"),
        ("SELECT * FROM rows", PermanentQueryError, "rows"),
        ("SELECT * FROM read_parquet('s3://bucket/x.parquet')", SeeknalError, "The "),
    ],
)
def test_errors_are_a_readable_line(
    engine: Engine, database: Path, tmp_path: Path, sql: str, error: type[Exception], says: str
) -> None:
    rows = [1]  # what a replacement scan would find
    (tmp_path / "secret.txt").write_text(str(rows))
    make(tmp_path / "other.duckdb")
    with engine.session(over(database)) as session:
        with pytest.raises(error, match=says) as told:
            session.run(sql.replace("{tmp}", str(tmp_path)))
        assert session.run("SELECT * FROM events") == 240
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 450


@pytest.mark.parametrize(
    "sql",
    [
        "COPY events TO '{tmp}/evil.parquet'",
        "ATTACH '{tmp}/evil.duckdb' AS evil",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET allowed_directories",
        "INSERT INTO events VALUES (1, NULL)",
        "DROP TABLE events",
        "CREATE TABLE raw_events.main.t AS SELECT 1",
        "SELECT * FROM enable_profiling(save_location = '{tmp}/evil.json')",
        "EXPORT DATABASE '{tmp}/evil'",
        "INSTALL httpfs",
    ],
)
def test_the_sandbox_holds_below_the_rule_of_one_select(
    engine: Engine, database: Path, tmp_path: Path, sql: str
) -> None:
    before = set(tmp_path.iterdir()), database.read_bytes()
    with engine.session(over(database)) as session:
        try:
            session.fetch(sql.replace("{tmp}", str(tmp_path)))
        except SeeknalError:
            pass
        else:
            pytest.fail(f"{sql} ran")
    assert (set(tmp_path.iterdir()), database.read_bytes()) == before


def test_a_target_elsewhere_is_reached_when_the_caller_writes_there(
    database: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "other").mkdir()
    settings = Settings(directories=(tmp_path / "out",))
    with Engine(settings) as engine, engine.session(over(database)) as session:
        assert session.copy("FROM events", tmp_path / "out" / "x.part") == 240
        assert session.copy("FROM events", tmp_path / "other" / "x.part") == 240
        assert session.copy("FROM events", tmp_path / "out" / "y.part") == 240


def test_a_target_that_cannot_be_written(engine: Engine, database: Path, tmp_path: Path) -> None:
    with (
        engine.session(over(database)) as session,
        pytest.raises(OutputError, match="missing"),
    ):
        session.copy("FROM events", tmp_path / "missing" / "x.part")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(engine: Engine, database: Path) -> None:
    with engine.session(over(database)) as session, pytest.raises(OutputError, match="Make room"):
        session.copy("FROM events", Path("/dev/full"))


def test_inputs_that_are_not_there(engine: Engine, tmp_path: Path) -> None:
    missing = over(tmp_path / "nope.duckdb")
    with pytest.raises(DataUnavailableError, match=r"nope\.duckdb"):
        engine.session(missing)
    (tmp_path / "text.duckdb").write_text("no database " * 1000)
    with pytest.raises(DataUnavailableError, match="not a valid DuckDB database"):
        engine.session(over(tmp_path / "text.duckdb"))
    query = Query(Source("parquet", (f"{tmp_path}/*.parquet",)), ("FROM __THIS__",))
    with engine.session(query) as session, pytest.raises(DataUnavailableError, match="No files"):
        session.run(render(query, DAY))
    with pytest.raises(ConfigError, match="unknown"):
        engine.session(Query(Source("xml", ("/x",)), ("SELECT 1",)))
    with pytest.raises(ConfigError, match="one path"):
        engine.session(Query(Source("database", ("/x", "/y")), ("SELECT 1",)))


def test_times_are_utc_wherever_the_process_is(database: Path) -> None:
    code = f"""
from seeknal.engine.session import Engine
from seeknal.engine.source import Query, Source
with Engine().session(Query(Source("database", ({str(database)!r},)), ("SELECT 1",))) as s:
    print(s.fetch("SELECT current_setting('TimeZone'), epoch(TIMESTAMPTZ '2024-01-01 00:00:00')"))
"""
    environment = {**os.environ, "TZ": "Asia/Kathmandu"}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert out.stdout.strip() == "[('UTC', 1704067200.0)]"


def test_a_long_query_is_interrupted(engine: Engine, database: Path, tmp_path: Path) -> None:
    def working(session: Session) -> None:
        nested = "FROM range(1000000000) a, range(1000) b"
        with pytest.raises(InterruptedRunError):
            session.copy(f"SELECT hash(a.range, b.range) AS h {nested}", tmp_path / "x.part")

    with engine.session(over(database)) as session:
        thread = threading.Thread(target=working, args=(session,))
        thread.start()
        wait_until("the copy began", (tmp_path / "x.part").exists)
        started = time.monotonic()
        session.interrupt()
        thread.join(timeout=10)
        assert not thread.is_alive()
        assert time.monotonic() - started < 5
        assert session.run("SELECT * FROM events") == 240


def test_an_interrupt_is_not_lost_before_the_query_begins(engine: Engine, database: Path) -> None:
    for _ in range(30):
        with engine.session(over(database)) as session:
            failed: list[Exception] = []

            def working(session: Session = session, failed: list[Exception] = failed) -> None:
                try:
                    session.run("SELECT * FROM range(100000000000)")
                except InterruptedRunError as error:
                    failed.append(error)

            thread = threading.Thread(target=working)
            thread.start()
            wait_until("it runs", partial(getattr, session, "is_running"), every=0)
            session.interrupt()
            thread.join(timeout=10)
            assert failed


def test_ctrl_c_interrupts_the_main_threads_query(database: Path) -> None:
    code = f"""
import os, signal, threading
from seeknal.engine.session import Engine
from seeknal.engine.source import Query, Source
from seeknal.errors import InterruptedRunError
with Engine().session(Query(Source("database", ({str(database)!r},)), ("SELECT 1",))) as s:
    threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        s.run("FROM range(1000000000000)")
    except (InterruptedRunError, KeyboardInterrupt) as error:
        print(type(error).__name__)
"""
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert out.stdout.strip() in ("InterruptedRunError", "KeyboardInterrupt"), out.stderr


def test_an_interrupt_of_nothing_does_nothing(engine: Engine, database: Path) -> None:
    with engine.session(over(database)) as session:
        session.interrupt()
        assert session.run("SELECT * FROM events") == 240


def test_a_writer_is_kept_out_only_while_a_session_is_open(engine: Engine, database: Path) -> None:
    insert = "INSERT INTO events VALUES (1000, '2030-01-01')"
    query = over(database, f"SELECT * FROM events WHERE {WINDOW}")
    with engine.session(query) as session:
        assert session.run("SELECT * FROM events") == 240
        assert "lock" in write(database, insert).stderr
    done = write(database, insert)
    assert done.returncode == 0, done.stderr
    with engine.session(query) as session:
        assert session.run("SELECT * FROM events") == 241
        extent = session.extent()
        assert extent is not None
        assert extent[1] == 1893456000.0


def test_an_input_may_linger(database: Path) -> None:
    with Engine(Settings(linger=600)) as engine:
        for _ in range(2):
            with engine.session(over(database)) as session:
                assert session.run("SELECT * FROM events") == 240
            assert "lock" in write(database, "DELETE FROM events").stderr
    assert write(database, "DELETE FROM events").returncode == 0


def test_an_input_does_not_linger_for_ever(database: Path) -> None:
    delete = "DELETE FROM events WHERE id = 1"
    with Engine(Settings(linger=0.05)) as engine:
        with engine.session(over(database)) as session:
            assert session.run("SELECT * FROM events") == 240
        wait_until("the file is let go", lambda: write(database, delete).returncode == 0, 60)
        with engine.session(over(database)) as session:
            assert session.run("SELECT * FROM events") == 239


def test_a_replaced_file_is_opened_anew(engine: Engine, tmp_path: Path) -> None:
    old, new = make(tmp_path / "x.duckdb", 5), make(tmp_path / "y.duckdb", 6)
    with engine.session(over(old)) as before:
        assert before.run("SELECT * FROM events") == 5
        new.replace(old)
        assert before.run("SELECT * FROM events") == 5
        with engine.session(over(old)) as after:
            assert after.run("SELECT * FROM events") == 6
        assert before.run("SELECT * FROM events") == 5


def test_a_file_that_is_being_written_is_said_to_be(engine: Engine, database: Path) -> None:
    code = (
        f"import duckdb, sys; c = duckdb.connect({str(database)!r}); print(1, flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with pytest.raises(DataUnavailableError, match="open for writing in another process"):
            engine.session(over(database))
        writer.communicate(b"\n")


def test_rewritten_files_are_read_anew(engine: Engine, tmp_path: Path) -> None:
    query = Query(Source("parquet", (f"{tmp_path}/in.parquet",)), ("FROM __THIS__",))
    with engine.session(query) as session, duckdb.connect() as connection:
        for number in range(4):
            connection.execute(
                f"COPY (SELECT {number} AS n) TO '{tmp_path}/in.tmp' (FORMAT parquet)"
            )
            os.utime(tmp_path / "in.tmp", (1e9, 1e9))
            (tmp_path / "in.tmp").replace(tmp_path / "in.parquet")
            assert session.fetch(render(query, DAY)) == [(number,)]


def test_threads_share_an_input(engine: Engine, database: Path, tmp_path: Path) -> None:
    query = over(database, f"SELECT * FROM events WHERE {WINDOW}")
    counts: list[int] = []

    def working(number: int) -> None:
        with engine.session(query) as session:
            for day in range(10):
                unit = Unit("f", 1704067200 + day * 86400, 1704153600 + day * 86400)
                counts.append(session.copy(render(query, unit), tmp_path / f"{number}.{day}.part"))

    threads = [threading.Thread(target=working, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [24] * 40


def test_a_forked_child_opens_its_own(engine: Engine, database: Path) -> None:
    code = f"""
import os
from seeknal.engine.session import Engine
from seeknal.engine.source import Query, Source
query = Query(Source("database", ({str(database)!r},)), ("SELECT 1",))
engine = Engine()
session = engine.session(query)
assert session.run("FROM events") == 240
child = os.fork()
if child == 0:
    with engine.session(query) as own:
        assert own.run("FROM events") == 240
    engine.close()
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert session.run("FROM events") == 240
session.close()
engine.close()
print("fine")
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert out.stdout == "fine\n", out.stderr


def test_spilling_stays_in_a_directory_of_its_own(database: Path, tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    big = f"{HOURS}, repeat('x', 200) || i AS s FROM range(800000) r(i) ORDER BY hash(i)"
    settings = Settings(memory=128 * 2**20, spill=spill)
    with Engine(settings) as engine, engine.session(over(database)) as session:
        assert session.copy(big, tmp_path / "x.part") == 800_000
        assert len(list(spill.iterdir())) == 1
    assert list(spill.iterdir()) == []


def test_what_the_dead_left_is_removed(tmp_path: Path) -> None:
    code = (
        "import os; from pathlib import Path; from seeknal.engine.machine import SpillDirectory;"
        f"print(SpillDirectory(Path({str(tmp_path)!r})).path, flush=True); os._exit(9)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert Path(out.stdout.strip()).is_dir()
    alive = machine.SpillDirectory(tmp_path)
    another = machine.SpillDirectory(tmp_path)
    assert set(tmp_path.iterdir()) == {alive.path, another.path}
    alive.remove()
    another.remove()
    alive.remove()
    assert list(tmp_path.iterdir()) == []


def test_out_of_memory_is_told(database: Path, tmp_path: Path) -> None:
    with (
        Engine(Settings(memory=32 * 2**20, spill=tmp_path)) as engine,
        engine.session(over(database)) as session,
        pytest.raises(QueryError, match=r"memory.*fewer workers"),
    ):
        session.run("SELECT list(i || repeat('x', 100)) AS l FROM range(3000000) r(i)")


def test_memory_is_shared() -> None:
    whole = machine.memory_share()
    assert 64 * 2**20 <= machine.memory_share(4) <= whole // 2
    assert machine.memory_share(10**6) == 64 * 2**20


def test_closing_the_engine_lets_go_of_open_sessions_inputs(database: Path) -> None:
    engine = Engine()
    session = engine.session(over(database))
    assert session.run("SELECT * FROM events") == 240
    engine.close()
    done = write(database, "DELETE FROM events WHERE id = 1")
    assert done.returncode == 0, done.stderr
    with pytest.raises(SeeknalError):
        session.run("SELECT 1")
    session.close()


def test_what_a_killed_writer_committed_is_seen(engine: Engine, database: Path) -> None:
    code = (
        f"import duckdb, os; c = duckdb.connect({str(database)!r});"
        "c.execute('INSERT INTO events VALUES (1000, NULL)'); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert Path(f"{database}.wal").exists()
    with engine.session(over(database)) as session:
        assert session.run("SELECT * FROM events") == 241


def test_a_closed_session_says_so(engine: Engine, database: Path) -> None:
    session = engine.session(over(database))
    session.close()
    session.close()
    with pytest.raises(SeeknalError):
        session.run("SELECT 1")


@pytest.mark.parametrize(
    "kind", ["TIMESTAMP", "TIMESTAMPTZ", "DATE", "TIMESTAMP_S", "TIMESTAMP_NS"]
)
@pytest.mark.parametrize("as_file", [True, False])
def test_extent_of_every_type(engine: Engine, tmp_path: Path, kind: str, as_file: bool) -> None:
    path = tmp_path / "in.parquet"
    table = tmp_path / "t.duckdb"
    rows = f"SELECT x::{kind} AS t FROM (VALUES ('2024-01-03'), ('1969-12-31'), (NULL)) v(x)"
    with duckdb.connect(str(table)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE input AS {rows}")
        connection.execute(f"COPY input TO '{path}' (FORMAT parquet)")
    source = (
        Source("parquet", (str(path),), "input") if as_file else Source("database", (str(table),))
    )
    steps = ("SELECT * FROM input WHERE t >= '__START__' AND t < '__END__'",)
    with engine.session(Query(source, steps)) as session:
        assert session.extent() == (-86400.0, 1704240000.0)
        assert session.run(render(Query(source, steps), DAY)) == 1
