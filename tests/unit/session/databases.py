"""Databases and queries that the tests of sessions share."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb

from seeknal.engine.source import Query, Source
from seeknal.workflow.units import Unit, parse_stamp

DAY = Unit("f", parse_stamp("20240103T000000Z"), parse_stamp("20240104T000000Z"))
WINDOW = "event_time >= '__START__' AND event_time < '__END__'"
HOURS = "SELECT i AS id, TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR AS event_time"


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
