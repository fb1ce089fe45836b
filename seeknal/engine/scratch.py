"""One small in-memory DuckDB per process, to parse SQL and to read Parquet metadata with."""

from __future__ import annotations

import os
import threading
from typing import Any

import duckdb

from seeknal.engine.failures import failure

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # Without these a miss tries the network, and a name in SQL may resolve to a Python variable.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
}
_lock = threading.Lock()
_local = threading.local()
_root: tuple[int, duckdb.DuckDBPyConnection] | None = None
_inherited: list[object] = []


def connection() -> duckdb.DuckDBPyConnection:
    """Return this thread's connection to the process's scratch instance."""
    cached: tuple[int, duckdb.DuckDBPyConnection] | None = getattr(_local, "cursor", None)
    if cached is not None and cached[0] == os.getpid():
        return cached[1]
    # A connection inherited by fork shares nothing usable, and closing it would hurt the parent.
    _inherited.append(cached)
    cursor = _instance().cursor()
    _local.cursor = (os.getpid(), cursor)
    return cursor


def rows(sql: str) -> list[tuple[Any, ...]]:
    """Run one of the engine's own statements; values are written into it as literals.

    With the first parameter that it is given DuckDB imports pandas, where that is installed: a
    third of a second.

    Raises:
        InterruptedRunError: Ctrl-C.
    """
    try:
        return connection().execute(sql).fetchall()
    except RuntimeError as error:  # what DuckDB makes of Ctrl-C
        raise failure(error) from None


def _instance() -> duckdb.DuckDBPyConnection:
    global _root  # noqa: PLW0603
    with _lock:
        if _root is None or _root[0] != os.getpid():
            _inherited.append(_root)
            config = {**CONFIG, "threads": 1, "memory_limit": "128MiB"}
            # Of files each of which is read once, what is kept would only grow.
            config["enable_external_file_cache"] = False
            _root = (os.getpid(), duckdb.connect(":memory:", config=config))
        return _root[1]
