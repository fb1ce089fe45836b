"""Reaching a project's store: from its folder, or from any machine that reaches the Redis."""

from __future__ import annotations

import getpass
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from seeknal.config import load_settings
from seeknal.errors import ConfigError, UnknownNameError, UsageError
from seeknal.home import Home
from seeknal.spec import sentence, suggest
from seeknal.stores.base import Store
from seeknal.workflow.state import Run, RunStatus


@dataclass(frozen=True, slots=True)
class Where:
    """The options that say which store is meant."""

    path: Path | None = None
    redis: str | None = None
    project: str | None = None

    def command(self, words: str) -> str:
        """Return a command to go on with in the same place; passwords are left out of it."""
        parts = [words]
        if self.path is not None:
            parts.append(f"--project-path {quote(str(self.path))}")
        if self.redis is not None:
            from seeknal.stores.redis_errors import address_of

            parts.append(f"--redis {quote(address_of(self.redis))}")
        if self.project is not None:
            parts.append(f"--project {quote(self.project)}")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class Reached:
    """A project's store.

    ``url`` is its Redis, or None for the embedded one; ``home`` is its folder, if it is here.
    """

    project: str
    store: Store
    url: str | None
    home: Home | None = None

    def run(self, run_id: str | None) -> Run:
        """Return a run; of None the newest that is active, else the newest there is.

        Raises:
            UnknownNameError: there is none of that id, or none at all.
        """
        if run_id is None:
            return self._newest()
        found = self.store.run(run_id)
        if found is None:
            known = [run.id for run in self.store.runs(limit=1000)]
            hint = sentence(suggest(run_id, known, "runs")) if known else "It has no runs."
            raise UnknownNameError(
                f"There is no run {run_id!r} of project {self.project!r}; {hint}"
            )
        return found

    def _newest(self) -> Run:
        runs = self.store.runs(limit=100)
        if not runs:
            raise UnknownNameError(f"Project {self.project!r} has no runs.")
        return next((run for run in runs if run.status is RunStatus.ACTIVE), runs[0])


@contextmanager
def reached(where: Where) -> Iterator[Reached]:
    """Open the store that is meant, and close it.

    Raises:
        ConfigError: there is neither a project here nor the address of a Redis.
        UsageError: several projects share the Redis, and none was named.
        UnknownNameError: the Redis has no project of that name.
    """
    found = _of_name(where) if where.project is not None else _of_folder(where)
    try:
        yield found
    finally:
        found.store.close()


def actor() -> str:
    """Return who is at the keyboard."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _of_folder(where: Where) -> Reached:
    try:
        home = Home.find(where.path)
    except ConfigError:
        if where.path is not None or (where.redis or load_settings().redis_url) is None:
            raise
        return _of_name(where)
    if where.redis is not None:
        home.use_redis(where.redis)
    return Reached(home.spec.name, home.open_store(), home.redis_url, home)


def _of_name(where: Where) -> Reached:
    from seeknal.stores.redis import RedisStore
    from seeknal.stores.redis_worker import Registry

    settings = load_settings()
    url = where.redis or settings.redis_url
    if url is None:
        raise UsageError("Give the address of the Redis with --redis, or set SEEKNAL_REDIS_URL.")
    registry = Registry(url)
    known = registry.projects()
    registry.close()
    name = where.project
    if name is None:
        if len(known) != 1:
            listed = ", ".join(known) or "none yet"
            raise UsageError(f"Name the project with --project; this Redis has {listed}.")
        name = known[0]
    if name not in known:
        raise UnknownNameError(
            f"This Redis has no project {name!r}; {sentence(suggest(name, known, 'projects'))}"
        )
    return Reached(name, RedisStore(url, name, lease=settings.lease), url)
