"""One connection per thread, for the scripts that run with every unit.

The client's pool was measured to add half of a round trip to each call: what it does for
every command is done here once per thread.
"""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import suppress
from typing import Any

import redis
from hiredis import pack_command
from redis.exceptions import NoScriptError, ReadOnlyError, ResponseError


class Line:
    """Runs scripts on connections made as a client's pool makes them."""

    def __init__(self, client: Any) -> None:
        self._pool = client.connection_pool
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: weakref.WeakSet[Any] = weakref.WeakSet()

    def close(self) -> None:
        """Close the connections of all threads; a later call opens another."""
        with self._lock:
            connections = list(self._all)
        for connection in connections:
            connection.disconnect()

    def run(self, sha: str, text: str, key: str, *args: str | float) -> Any:
        """Run a script by its digest; by its text if the server does not know it."""
        connection = self._connection()
        try:
            return _ask(connection, "EVALSHA", sha, 1, key, *args)
        except NoScriptError:
            _ask(connection, "SCRIPT", "LOAD", text)
            return _ask(connection, "EVALSHA", sha, 1, key, *args)

    def _connection(self) -> Any:
        """Return this thread's connection; a forked child opens its own."""
        connection = getattr(self._local, "connection", None)
        if connection is None or self._local.pid != os.getpid():
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
            with self._lock:
                self._all.add(connection)
            self._local.connection, self._local.pid = connection, os.getpid()
        else:
            _drop_if_closed(connection)
        return connection


def _drop_if_closed(connection: Any) -> None:
    """Notice that the server hung up meanwhile, or that an answer was left unread."""
    if not getattr(connection, "is_connected", True):
        return
    try:
        stale = connection.can_read()
    except (redis.ConnectionError, redis.TimeoutError, OSError):
        stale = True
    if stale:
        with suppress(redis.RedisError, OSError):
            connection.disconnect()


def _ask(connection: Any, *command: str | float) -> Any:
    """Send a command, packed as the client packs it less its look at each argument's type."""
    try:
        packed = pack_command(command)  # type: ignore[arg-type]  # its stub knows one argument
        connection.send_packed_command([packed])
        return connection.read_response()
    except BaseException as error:
        if isinstance(error, ResponseError) and not isinstance(error, ReadOnlyError):
            raise
        # Whatever interrupted this, the next call must not read the answer to it; and a
        # primary that was demoted must be looked up anew.
        connection.disconnect()
        raise
