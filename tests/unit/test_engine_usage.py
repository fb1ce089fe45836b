"""What an engine says it uses, while others use it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from seeknal.engine.machine import Usage
from seeknal.engine.session import Engine, Settings
from seeknal.engine.source import Query, Source
from tests.waiting import wait_until

MEBIBYTE = 2**20


@pytest.fixture
def query(tmp_path: Path) -> Query:
    path = tmp_path / "raw.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE events AS SELECT 1 AS id")
    return Query(Source("database", (str(path),), None), ("SELECT 1",))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with Engine(Settings(memory=256 * MEBIBYTE, spill=tmp_path / "spill")) as engine:
        yield engine


def usage(engine: Engine) -> Usage:
    found = wait_until("the engine can tell", engine.usage)
    assert found is not None
    return found


def test_an_engine_without_inputs_uses_nothing(engine: Engine) -> None:
    assert usage(engine) == Usage(0, 256 * MEBIBYTE, 0)


def test_what_a_query_uses_is_seen_while_it_runs(engine: Engine, query: Query) -> None:
    hog = "SELECT max(i) FROM (SELECT hash(i) AS h, i FROM range(20000000) t(i) ORDER BY h)"
    with engine.session(query) as session:
        thread = threading.Thread(target=session.fetch, args=(hog,))
        thread.start()
        wait_until("it uses much", lambda: usage(engine).memory > 100 * MEBIBYTE)
        # More than it may have: the rest is on the disk.
        wait_until("it spills", lambda: usage(engine).spilled > 0)
        thread.join()
    assert usage(engine) == Usage(0, 256 * MEBIBYTE, 0)


def test_nobody_waits_while_an_input_is_opened(engine: Engine, query: Query) -> None:
    held, go_on = threading.Event(), threading.Event()

    def open_slowly() -> None:
        with engine._lock:  # as who opens an input holds it
            held.set()
            go_on.wait(20)

    thread = threading.Thread(target=open_slowly)
    thread.start()
    held.wait(20)
    assert engine.usage() is None
    go_on.set()
    thread.join()
    with engine.session(query):
        assert usage(engine).limit == 256 * MEBIBYTE
