"""Celery alone on the settings of Seeknal's workers: what measurements compare with.

``BENCH_INPUT`` names a DuckDB file, ``BENCH_OUTPUT`` a folder, for the task that copies.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import duckdb

from demo.flights import SQL
from seeknal.executors.celery import make_app

NOOP = "bare.noop"
COPY = "bare.copy"
app = make_app(os.environ.get("SEEKNAL_REDIS_URL", "redis://"))


@app.task(name=NOOP, acks_late=True)  # type: ignore[untyped-decorator]
def noop(project: str, flow: str, slice: str, key: str, *, run: str) -> None:  # noqa: A002
    """Do nothing, on the arguments of a unit."""


@app.task(name=COPY, acks_late=True)  # type: ignore[untyped-decorator]
def copy(project: str, flow: str, slice: str, key: str, *, run: str) -> None:  # noqa: A002
    """Copy a unit's flights on a connection that is kept, and publish them as durably."""
    start, end = (_moment(text) for text in key.split("_"))
    sql = SQL.replace("'__START__'", start).replace("'__END__'", end)
    output = Path(os.environ["BENCH_OUTPUT"])
    staged, target = output / f".{key}", output / f"{key}.parquet"
    _connection().execute(f"COPY ({sql}) TO '{staged}' (FORMAT parquet)").fetchall()
    _sync(staged)
    staged.replace(target)
    _sync(output)


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"ATTACH '{os.environ['BENCH_INPUT']}' AS input (READ_ONLY)")
    connection.execute("USE input")
    return connection


def _moment(stamp: str) -> str:
    return f"TIMESTAMP '{datetime.strptime(stamp, '%Y%m%dT%H%M%SZ').replace(tzinfo=UTC):%F %T}'"


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
