"""Runs flows' SQL: one engine per process, one session per thread."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import duckdb

from seeknal.engine import literals
from seeknal.engine.failures import failure
from seeknal.engine.instance import Instance
from seeknal.engine.machine import SpillDirectory, Usage, memory_share
from seeknal.engine.source import Query, Source

_NAG = 0.02


@dataclass(frozen=True, slots=True)
class Settings:
    """How an engine uses its machine.

    ``threads`` are DuckDB's per input: with 1 a rerun writes the same bytes. ``processes`` share
    the machine's memory, unless ``memory`` (bytes for this process) is given. ``spill`` is where
    the temporary directory is made. ``directories`` are those that results are written below;
    others are added when a session first writes there, at the price of opening the input anew.
    ``linger`` is how many seconds an input stays open after its last session.
    """

    threads: int = 1
    processes: int = 1
    memory: int | None = None
    spill: Path | None = None
    directories: tuple[Path, ...] = ()
    linger: float = 0.0


class Engine:
    """A process's DuckDB: inputs are opened when first needed and shared by its threads.

    Each input has an instance of its own, so that a flow's SQL reaches its input, the output
    directories and nothing else. An attached database file can be read by everybody but written
    by nobody; it is let go ``linger`` seconds after its last session closes. Use it from after
    a fork: a forked child opens its own.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or Settings()
        self._lock = threading.RLock()
        self._live: dict[tuple[object, ...], Instance] = {}
        self._retired: set[Instance] = set()
        self._inherited: list[object] = []
        self._spill: SpillDirectory | None = None
        self._pid = os.getpid()
        self._opened = 0
        self._abandoned = False

    def session(self, query: Query) -> Session:
        """Return a session for one thread; close it when the thread is done with the query.

        Raises:
            DataUnavailableError: the input cannot be read.
        """
        return Session(self, query)

    def acquire(self, source: Source, writes: tuple[str, ...] = ()) -> Instance:
        """Return an instance that sees ``source`` and may write to ``writes``, and count its user.

        Raises:
            DataUnavailableError: the input cannot be read.
        """
        source.validate()
        with self._lock:
            self._after_fork()
            instance = self._live.get(source.key)
            if instance is not None and not self._usable(instance, writes):
                writes += instance.directories
                self._retire(instance)
                instance = None
            if instance is None:
                instance = self._open(source, writes)
            instance.users += 1
            return instance

    def release(self, instance: Instance) -> None:
        """Undo one :meth:`acquire`; an instance without users closes, at once or after a while."""
        with self._lock:
            instance.users -= 1
            if instance.users:
                return
            if instance in self._retired or instance.broken or not self.settings.linger:
                self._close(instance)
                return
            timer = threading.Timer(self.settings.linger, self._expire, (instance,))
            timer.daemon = True
            timer.start()

    def usage(self) -> Usage | None:
        """Return what is used now, from any thread; None while inputs are opened or closed."""
        if not self._lock.acquire(blocking=False):
            return None
        try:
            self._after_fork()
            used = [instance.used() for instance in (*self._live.values(), *self._retired)]
        except duckdb.Error:
            return None
        finally:
            self._lock.release()
        return Usage(sum(m for m, _ in used), self._memory(), sum(s for _, s in used))

    def abandon(self) -> None:
        """Leave what is open to the end of the process; closing would wait for a deaf query."""
        self._abandoned = True

    def close(self) -> None:
        """Close every input, also under sessions that are still open."""
        if self._abandoned:
            return
        with self._lock:
            self._after_fork()
            for instance in [*self._live.values(), *self._retired]:
                self._close(instance)
            if self._spill is not None:
                self._spill.remove()
                self._spill = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _usable(self, instance: Instance, writes: tuple[str, ...]) -> bool:
        return instance.allows(writes) and not instance.broken and not instance.is_stale()

    def _open(self, source: Source, writes: tuple[str, ...]) -> Instance:
        if self._spill is None:
            self._spill = SpillDirectory(self.settings.spill)
        self._opened += 1
        allowed = [os.path.abspath(path) for path in self.settings.directories]  # noqa: PTH100
        instance = Instance(
            source,
            tuple(dict.fromkeys([*allowed, *writes])),
            threads=self.settings.threads,
            spill=self._spill.path / str(self._opened),
        )
        self._live[source.key] = instance
        self._share_memory()
        return instance

    def _retire(self, instance: Instance) -> None:
        self._live.pop(instance.source.key, None)
        self._retired.add(instance)
        if not instance.users:
            self._close(instance)

    def _expire(self, instance: Instance) -> None:
        with self._lock:
            if not instance.users:
                self._close(instance)

    def _close(self, instance: Instance) -> None:
        if self._live.get(instance.source.key) is instance:
            del self._live[instance.source.key]
        self._retired.discard(instance)
        instance.close()
        self._share_memory()

    def _memory(self) -> int:
        return self.settings.memory or memory_share(self.settings.processes)

    def _share_memory(self) -> None:
        for instance in self._live.values():
            instance.limit(self._memory() // len(self._live))

    def _after_fork(self) -> None:
        if self._pid == os.getpid():
            return
        # What was inherited is the parent's: keep it from being closed here.
        self._inherited += [dict(self._live), set(self._retired), self._spill]
        self._live.clear()
        self._retired.clear()
        self._spill = None
        self._pid = os.getpid()


class Session:
    """One thread's use of one query's input. Only :meth:`interrupt` may come from elsewhere.

    Every method that runs SQL raises PermanentQueryError for SQL that can never run,
    DataUnavailableError for an input that cannot be read, OutputError for a target that cannot
    be written, InterruptedRunError after :meth:`interrupt`, and QueryError for the rest.
    """

    def __init__(self, engine: Engine, query: Query) -> None:
        self.query = query
        self._engine = engine
        self._idle = threading.Event()
        self._idle.set()
        self._statements = 0
        self._writes: Path | None = None
        self._instance: Instance | None = engine.acquire(query.source)
        self._cursor = self._instance.cursor()

    def copy(self, sql: str, target: Path, metadata: Mapping[str, str] | None = None) -> int:
        """Write a SELECT's result to a Parquet file at ``target`` and return the rows.

        The file's key-value metadata is ``metadata``. It is not made durable here, and is left
        behind, broken, by an error.
        """
        self._may_write(target.parent)
        pairs = ", ".join(
            f"{literals.text(key)}: {literals.text(value)}"
            for key, value in (metadata or {}).items()
        )
        kept = f", KV_METADATA {{{pairs}}}" if pairs else ""
        copied = self._execute(
            f"COPY ({sql}\n) TO {literals.text(str(target))} (FORMAT parquet{kept})",
            target=str(target),
        )
        return int(copied[0][0])

    def run(self, sql: str) -> int:
        """Compute all of a SELECT's result, keep nothing, and return the rows."""
        # The hash needs every column of every row, so that nothing is optimised away. It is never
        # NULL, so that each row counts; DuckDB does not know that, or it would not compute it.
        counted = self._execute(f"SELECT count(hash(*COLUMNS(*))) FROM ({sql}\n)")
        return int(counted[0][0])

    def describe(self, sql: str, lines_before: int = 0) -> list[tuple[str, str]]:
        """Bind a SELECT without running it and return its columns' names and types."""
        return [(row[0], row[1]) for row in self._execute(f"DESCRIBE {sql}", lines_before)]

    def fetch(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a SELECT and return its rows; fetch epochs rather than times with a zone."""
        return self._execute(sql)

    def extent(self) -> tuple[float, float] | None:
        """Return the input's least and greatest time in UTC seconds; None without any.

        Raises:
            UsageError: the time column cannot be told; the flow must declare it.
        """
        from seeknal.engine.extent import extent  # sqlglot is slow to import

        return extent(self)

    def values(self) -> list[str]:
        """Return the partition column's distinct values as text, sorted, without NULL.

        Raises:
            UsageError: the partition column cannot be told; the flow must declare it.
        """
        from seeknal.engine.extent import values

        return values(self)

    @property
    def is_running(self) -> bool:
        """Whether a statement runs, or is about to."""
        return not self._idle.is_set()

    def interrupt(self) -> None:
        """Interrupt the statement that runs now, if one does; safe from any thread.

        Returns at once. Most operators stop within milliseconds, a few only when they are done.
        """
        number = self._statements
        if self._idle.is_set():
            return
        self._interrupt()
        # A statement that was just about to start would have missed it.
        threading.Thread(target=self._nag, args=(number,), daemon=True).start()

    def close(self) -> None:
        """Let go of the input; harmless when repeated."""
        if self._instance is None:
            return
        instance, self._instance = self._instance, None
        instance.drop(self._cursor)
        self._engine.release(instance)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _nag(self, number: int) -> None:
        while not self._idle.wait(_NAG) and self._statements == number:
            self._interrupt()

    def _interrupt(self) -> None:
        with suppress(duckdb.Error):  # it has just been closed
            self._cursor.interrupt()

    def _may_write(self, directory: Path) -> None:
        if directory == self._writes:
            return
        writes = (str(directory),)
        if self._instance is not None and not self._instance.allows(writes):
            # Closed first: another instance on one database file would end the first one's lock.
            self.close()
            self._instance = self._engine.acquire(self.query.source, writes)
            self._cursor = self._instance.cursor()
        self._writes = directory

    def _execute(self, sql: str, lines_before: int = 0, target: str = "") -> list[tuple[Any, ...]]:
        self._statements += 1
        self._idle.clear()
        try:
            return self._cursor.execute(sql).fetchall()
        except (duckdb.Error, RuntimeError) as error:
            if isinstance(error, duckdb.InternalError) and self._instance is not None:
                self._instance.broken = True
            raise failure(error, lines_before, target) from None
        finally:
            self._idle.set()
