"""Real DuckDB: what sessions, threads and processes share, and when they let go of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest

from seeknal.engine.render import render
from seeknal.engine.session import Engine, Settings
from seeknal.engine.source import Query, Source
from seeknal.errors import DataUnavailableError, PermanentQueryError, SeeknalError
from seeknal.workflow.units import Unit
from tests.unit.session.databases import DAY, WINDOW, make, over, write
from tests.waiting import wait_until


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


def test_databases_do_not_meet(engine: Engine, tmp_path: Path) -> None:
    first, second = make(tmp_path / "a.duckdb", 10), make(tmp_path / "b.duckdb", 20)
    with engine.session(over(first)) as one, engine.session(over(second)) as two:
        assert one.run("SELECT * FROM events") == 10
        assert two.run("SELECT * FROM events") == 20
        with pytest.raises(PermanentQueryError):
            one.run("SELECT * FROM b.events")
