"""A hasty look at a store, for a shell that completes names.

Nothing heavy is imported, nothing is changed, and nobody is waited for longer than an eye notices.
Whatever the stores' own clients and checks are good for is left out: what cannot be read is an
exception of whatever kind.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import unquote

from seeknal.stores.redis_keys import PROJECTS, prefix

_PATIENCE: Final = 0.3
_VALUE: Final = "value="


class Glimpse(NamedTuple):
    """A run, at a glance."""

    run: str
    flow: str
    status: str


class Glance(Protocol):
    """What can be seen of a project's state."""

    def flows(self) -> list[str]:
        """Return the flows that have state."""
        ...

    def runs(self, limit: int) -> list[Glimpse]:
        """Return runs, newest first."""
        ...

    def values(self, flow: str) -> list[str]:
        """Return the value partitions that are completed, or were planned."""
        ...


class SQLiteGlance:
    """A glance at a state file; one that is not there is not made."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def flows(self) -> list[str]:
        """Return the flows that have state."""
        return [name for (name,) in self._rows("SELECT name FROM flows ORDER BY name")]

    def runs(self, limit: int) -> list[Glimpse]:
        """Return runs, newest first; one whose process is gone may still be called active."""
        sql = "SELECT id, flow, status FROM runs ORDER BY seq DESC LIMIT ?"
        return [Glimpse(*row) for row in self._rows(sql, limit)]

    def values(self, flow: str) -> list[str]:
        """Return the value partitions that are completed, or were planned."""
        sql = (
            "SELECT value FROM completed_values WHERE flow = ?1 UNION "
            "SELECT value FROM unfinished_values WHERE flow = ?1"
        )
        return [value for (value,) in self._rows(sql, flow)]

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        import sqlite3

        address = f"{self._path.absolute().as_uri()}?mode=ro"
        with closing(sqlite3.connect(address, uri=True, timeout=_PATIENCE)) as connection:
            return connection.execute(sql, values).fetchall()


class RedisGlance:
    """A glance at a project on a Redis; without its name, at the only one there is."""

    def __init__(self, url: str, project: str | None = None) -> None:
        import redis

        self._client: Any = redis.Redis.from_url(
            url,
            decode_responses=True,
            protocol=2,
            socket_timeout=_PATIENCE,
            socket_connect_timeout=_PATIENCE,
        )
        self._project = project

    def projects(self) -> list[str]:
        """Return the projects that runs were launched of."""
        return sorted(self._client.smembers(PROJECTS))

    def flows(self) -> list[str]:
        """Return the flows that have state."""
        return sorted(self._client.smembers(self._key("flows")))

    def runs(self, limit: int) -> list[Glimpse]:
        """Return runs, newest first."""
        ids = self._client.zrevrange(self._key("runs"), 0, limit - 1)
        with self._client.pipeline(transaction=False) as pipe:
            for run_id in ids:
                pipe.hmget(self._key("run", run_id), "flow", "status")
            rows = pipe.execute()
        return [
            Glimpse(run_id, flow, status)
            for run_id, (flow, status) in zip(ids, rows, strict=True)
            if flow is not None
        ]

    def values(self, flow: str) -> list[str]:
        """Return the value partitions that are completed, or were planned."""
        keys: Iterable[str] = {
            *self._client.hkeys(self._key("values", flow)),
            *self._client.smembers(self._key("unfinishedvalues", flow)),
        }
        return sorted(unquote(key.removeprefix(_VALUE)) for key in keys)

    def _key(self, kind: str, name: str = "") -> str:
        if self._project is None:
            (self._project,) = self.projects()
        return f"{prefix(self._project)}{kind}{f':{name}' if name else ''}"
