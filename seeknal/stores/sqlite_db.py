"""One SQLite file: opening, creating, transactions, and errors that an operator can act on."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Final

from seeknal.errors import Explained, StoreError, StoreUnavailableError
from seeknal.stores.sqlite_schema import SCHEMA, SCHEMA_VERSION

BUSY_SECONDS = 60.0
_HEADER_BYTES: Final = 100
# The smallest that holds most rows: a unit changes a few bytes on each of 15 pages, and every one
# of them goes to the log whole.
_PAGE: Final = 1024
_LOG: Final = 16 * 1024 * 1024


class Database:
    """A connection to the state file, shared by the threads of a process under one lock.

    A connection per thread was measured to be no faster, and SQLite would let its threads
    sleep for each other. A forked child opens its own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = self._open()
        self._pid = os.getpid()
        # The thread whose transactions are parts of one.
        self._together = 0
        self._inherited: list[sqlite3.Connection | None] = []

    def close(self) -> None:
        """Close the connection; a later transaction raises StoreError."""
        with self._lock:
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()

    def write(self) -> AbstractContextManager[sqlite3.Connection]:
        """Run the block in one writing transaction: all of it, or nothing if it raises."""
        return self._transaction("BEGIN IMMEDIATE")

    def read(self) -> AbstractContextManager[sqlite3.Connection]:
        """Run the block on one snapshot, which no writer blocks or is blocked by."""
        return self._transaction("BEGIN")

    @contextmanager
    def together(self) -> Iterator[None]:
        """Run what this thread writes within the block in one transaction.

        Each is a part of its own: one that raises is undone, and with it what the block leaves
        by raising.
        """
        with self.write():
            before, self._together = self._together, threading.get_ident()
            try:
                yield
            finally:
                self._together = before

    def verify(self) -> None:
        """Read the whole file.

        Raises:
            StoreError: it is damaged.
        """
        with self.read() as connection:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if found != "ok":
                raise StoreError(f"The state file {self.path} {_DAMAGED.format(error=found)}")

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        if self._pid != os.getpid():
            self._reopen()
        if self._together == threading.get_ident() and self._connection is not None:
            with _part(self._connection):
                yield self._connection
            return
        with self._lock, Explained(_explain, self.path):
            connection = self._connection
            if connection is None:
                raise StoreError(f"The state file {self.path} was closed.")
            try:
                connection.execute(begin)
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.rollback()
                raise

    def _reopen(self) -> None:
        """Open anew after a fork, where neither the lock nor the connection may be used."""
        self._inherited.append(self._connection)
        self._lock = threading.Lock()
        self._together = 0
        self._connection = self._open()
        self._pid = os.getpid()

    def _open(self) -> sqlite3.Connection:
        with Explained(_explain, self.path):
            if self.path.is_dir():
                raise StoreError(
                    f"The state file {self.path} is a folder. Move it away, or put the state file "
                    f"back in its place."
                )
            if not self.path.exists():
                _create(self.path)
            if self.path.stat().st_size < _HEADER_BYTES:
                # SQLite would take it for a new database and start without state.
                raise StoreError(
                    f"The state file {self.path} is damaged: it was cut off. "
                    f"Put a copy of it back, or delete it to start without state."
                )
            connection = _connect(self.path)
            try:
                _check_version(connection, self.path)
            except BaseException:
                connection.close()
                raise
            return connection


@contextmanager
def _part(connection: sqlite3.Connection) -> Iterator[None]:
    """Run the block as a part of a transaction; one that raises is undone alone."""
    connection.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk has undone all of it already
            connection.execute("ROLLBACK TO part")
            connection.execute("RELEASE part")
        raise
    connection.execute("RELEASE part")


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    # In WAL mode NORMAL cannot corrupt; a power cut may take the last transactions with it,
    # and the units they completed run again.
    connection.execute("PRAGMA synchronous = NORMAL")
    # A checkpoint waits for the disk, and whoever completes a unit then waits too.
    connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG // _PAGE}")
    return connection


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version == SCHEMA_VERSION:
        return
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"The state file {path} was written by a newer Seeknal (its schema is {version}, "
            f"this one knows {SCHEMA_VERSION}). Upgrade Seeknal on this machine."
        )
    if version > 0:
        raise StoreError(
            f"The state file {path} was written by an older Seeknal (its schema is {version}, "
            f"this one needs {SCHEMA_VERSION}). Move it and its -wal file away, and take what is "
            f"done from the published files with 'seeknal state rebuild'."
        )
    raise StoreError(
        f"The file {path} is a database, but not a state file of Seeknal. "
        f"Move it away, or put the state file back in its place."
    )


def _create(path: Path) -> None:
    """Make a state file under another name and move it into place whole.

    So a state file that is cut off is a damaged one, never one that is being made, and of
    several processes that start at once the first one's stays.
    """
    log = path.with_name(path.name + "-wal")
    if log.exists() and log.stat().st_size and not path.exists():
        raise StoreError(
            f"The state file {path} is gone, but its log {log.name} is there. Put the state "
            f"file back, or delete {log.name} as well to start without state."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.new")
    try:
        connection = _connect(new)
        try:
            connection.execute(f"PRAGMA page_size = {_PAGE}")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(f"BEGIN; {SCHEMA} COMMIT")
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        finally:
            connection.close()
        _move(new, path)
    finally:
        for leftover in ("", "-wal", "-shm"):
            new.with_name(new.name + leftover).unlink(missing_ok=True)


def _move(new: Path, path: Path) -> None:
    """Give a file its name unless somebody else was faster."""
    try:
        path.hardlink_to(new)
    except FileExistsError:
        return
    except OSError:
        # A file system without hard links: the first one still wins, but for an instant.
        if not path.exists():
            new.rename(path)


_LOCKED = (
    f"was locked by another process for {BUSY_SECONDS:.0f} seconds. See what else uses it, and "
    f"run again."
)
_DENIED = (
    "cannot be written. Let this user write the file and its folder, or use another project folder."
)
_DAMAGED = (
    "is damaged ({error}). Put a copy of it back, or move it and its -wal file away to start "
    "without state."
)
# By the beginning of SQLite's name for the error; the first that fits is taken.
_SENTENCES: Final = {
    "SQLITE_BUSY": _LOCKED,
    "SQLITE_LOCKED": _LOCKED,
    "SQLITE_READONLY_DBMOVED": (
        "was moved or deleted while it was in use. Put it back, or start without state, and run "
        "again."
    ),
    "SQLITE_READONLY": _DENIED,
    "SQLITE_CANTOPEN": _DENIED,
    "SQLITE_PERM": _DENIED,
    "SQLITE_FULL": (
        "is on a disk that is full. Free some space and run again; nothing was changed."
    ),
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _DAMAGED,
    "SQLITE_IOERR": (
        "cannot be read or written ({error}). Check the disk and its free space, and run again; "
        "nothing was changed."
    ),
}

# The statements are Seeknal's own: what they do not fit, or cannot read, is the file's fault.
_NOT_OUR_TABLES: Final = (sqlite3.OperationalError, sqlite3.DataError, UnicodeDecodeError)


def _explain(error: BaseException, path: Path) -> StoreError | None:
    if isinstance(error, OSError):
        return StoreError(
            f"The state file {path} cannot be used: {error.strerror or error}. Check the path "
            f"and that this user may write in {path.parent}."
        )
    if not isinstance(error, sqlite3.Error | UnicodeDecodeError):
        return None
    name = str(getattr(error, "sqlite_errorname", ""))
    sentence = next((s for start, s in _SENTENCES.items() if name.startswith(start)), None)
    if sentence is None and isinstance(error, _NOT_OUR_TABLES):
        sentence = _DAMAGED
    text = (sentence or "failed ({error}).").format(error=error)
    kind = StoreUnavailableError if sentence is _LOCKED else StoreError
    return kind(f"The state file {path} {text}")
