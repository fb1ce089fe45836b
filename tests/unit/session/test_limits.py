"""Real DuckDB: queries that are interrupted, and memory and disks that do not suffice."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import duckdb
import pytest

from seeknal.engine import machine
from seeknal.engine.failures import failure
from seeknal.engine.session import Engine, Session, Settings
from seeknal.errors import InterruptedRunError, OutputError, QueryError
from tests.unit.session.databases import HOURS, over
from tests.waiting import wait_until


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


RUN = "with Engine().session(query) as session: session.run('FROM range(1000000000000)')"
OWN = "scratch.rows('SELECT count(*) FROM range(1000000000) a, range(1000) b')"


@pytest.mark.parametrize("statement", [RUN, OWN])
def test_ctrl_c_interrupts_the_main_threads_query(database: Path, statement: str) -> None:
    code = f"""
import os, signal, threading
from seeknal.engine import scratch
from seeknal.engine.session import Engine
from seeknal.engine.source import Query, Source
from seeknal.errors import InterruptedRunError
query = Query(Source("database", ({str(database)!r},)), ("SELECT 1",))
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    {statement}
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


def test_a_file_system_that_is_read_only_is_not_called_full() -> None:
    error = duckdb.IOException('IO Error: Cannot open file "/out/x": Read-only file system')
    said = str(failure(error, target="/out/x"))
    assert said.startswith("The output cannot be written: ")
    assert said.endswith("Choose an output path that can be written.")
