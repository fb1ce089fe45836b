"""One sandboxed DuckDB instance over one input."""

from __future__ import annotations

from pathlib import Path

import duckdb

from seeknal.engine import literals, scratch
from seeknal.engine.failures import failure
from seeknal.engine.source import Source
from seeknal.errors import DataUnavailableError

_TAKEN = {"main", "memory", "system", "temp"}
_MEBIBYTE = 2**20
_USED = (
    "SELECT sum(memory_usage_bytes)::BIGINT, sum(temporary_storage_bytes)::BIGINT "
    "FROM duckdb_memory()"
)
_Identity = tuple[int, int, int, int]


class Instance:
    """A DuckDB that sees one input and ``directories``, and nothing else of the machine.

    A database is attached read-only, which keeps other processes from writing to the file
    until :meth:`close`.

    Raises:
        DataUnavailableError: the input's file is missing, broken, or being written.
    """

    def __init__(
        self, source: Source, directories: tuple[str, ...], *, threads: int, spill: Path
    ) -> None:
        self.source = source
        self.directories = directories
        self.users = 0
        self.broken = False
        self._identity = _identity(source)
        self._cursors: set[duckdb.DuckDBPyConnection] = set()
        config = {**scratch.CONFIG, "threads": threads, "temp_directory": str(spill)}
        self._root = duckdb.connect(":memory:", config=config)
        try:
            self._open()
        except duckdb.Error as error:
            self._root.close()
            raise _unavailable(source, error) from None
        except BaseException:
            self._root.close()
            raise

    def _open(self) -> None:
        self._root.execute("SET GLOBAL TimeZone = 'UTC'")
        if self.source.is_database:
            path = literals.text(self.source.paths[0])
            self._root.execute(f"ATTACH {path} AS {self._alias} (READ_ONLY, TYPE duckdb)")
        reachable = self.directories
        if not self.source.is_database:
            reachable += self.source.directories()
            self._root.execute(f"SET allowed_paths = {literals.texts(self.source.paths)}")
        self._root.execute(f"SET allowed_directories = {literals.texts(reachable)}")
        # From here on none of the above can be changed.
        self._root.execute("SET enable_external_access = false")

    @property
    def _alias(self) -> str:
        """The catalog's name: as if the file had been opened by DuckDB's own shell."""
        alias = self.source.name or Path(self.source.paths[0]).stem
        return literals.name(f"{alias}_db" if alias.lower() in _TAKEN else alias)

    def limit(self, memory: int) -> None:
        """Set the bytes of memory that the instance may use."""
        try:
            self._root.execute(f"SET memory_limit = '{max(1, memory // _MEBIBYTE)}MiB'")
        except duckdb.Error:
            return  # it uses more than that already; the old limit stays until it is idle

    def used(self) -> tuple[int, int]:
        """Return the bytes that are used of memory, and of the disk for what it does not hold."""
        with self._root.cursor() as cursor:
            rows = cursor.execute(_USED).fetchall()
        return int(rows[0][0]), int(rows[0][1])

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """Return a connection for one thread, on which the input's tables resolve."""
        cursor = self._root.cursor()
        if self.source.is_database:
            cursor.execute(f"USE {self._alias}.main")
        self._cursors.add(cursor)
        return cursor

    def drop(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Close a connection that :meth:`cursor` returned."""
        self._cursors.discard(cursor)
        cursor.close()

    def allows(self, directories: tuple[str, ...]) -> bool:
        """Whether the instance may write to all of ``directories``."""
        return all(
            any(Path(wanted).is_relative_to(allowed) for allowed in self.directories)
            for wanted in directories
        )

    def is_stale(self) -> bool:
        """Whether the database file has been replaced by another since it was attached."""
        try:
            return self._identity != _identity(self.source)
        except DataUnavailableError:
            return True

    def close(self) -> None:
        """Let go of the input; what is attached can be written by others again."""
        for cursor in list(self._cursors):  # each of them keeps DuckDB open
            self.drop(cursor)
        self._root.close()


def _identity(source: Source) -> _Identity | None:
    """Return what changes when a database file is replaced; None for plain files."""
    if not source.is_database:
        return None
    path = Path(source.paths[0])
    try:
        found = path.stat()
    except OSError as error:
        raise DataUnavailableError(
            f"The database {path} cannot be read: {error.strerror}; "
            "create it or correct the input's value."
        ) from None
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)


def _unavailable(source: Source, error: duckdb.Error) -> Exception:
    if "lock on file" in str(error):
        return DataUnavailableError(
            f"The database {source.paths[0]} is open for writing in another process; "
            "close it there, then run again."
        )
    return failure(error)
