"""The Redis store under test: on fakeredis, under a clock that stands still, and on a server."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import uuid
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import fakeredis
from fakeredis.commands_mixins import server_mixin

from seeknal.stores.base import Store
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_keys import prefix
from seeknal.stores.redis_values import MICRO
from seeknal.workflow.state import Claim
from tests.contract.harness import Clock
from tests.keys import check_keys
from tests.server import Server
from tests.waiting import wait_until

_CONTRACT = "contract"
# As long as a lease lasts that is to expire: renewing counts from now.
_MOMENT = 0.001


def see(client: Any, project: str, now: float) -> None:
    """Look at the server, as somebody does all the time where there are workers."""
    client.set(f"{prefix(project)}seen", round(now * MICRO))


@cache
def shared_server() -> Server:
    """Return the server that all tests of this process share; each uses a project of its own."""
    folder = Path(tempfile.mkdtemp(prefix="seeknal-server-"))
    server = Server(folder).start()
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    atexit.register(server.close)
    return server


class FakeHarness:
    """The scripts on fakeredis, whose TIME is a clock that stands still."""

    lease = 30.0
    backoff = 15.0

    def __init__(self, folder: Path) -> None:
        self._server = fakeredis.FakeServer()
        clock = _SeenClock(1_700_000_000.25, self._client())
        self.clock: Clock | None = clock
        self._opened: list[RedisStore] = []
        self._patch = patch.object(server_mixin, "time", _Times(clock))
        self._patch.start()

    def open(self) -> Store:
        store = RedisStore("redis://fake", _CONTRACT, client=self._client())
        self._opened.append(store)
        return store

    def _client(self) -> Any:
        return fakeredis.FakeRedis(server=self._server, decode_responses=True, protocol=2)

    def pass_time(self, seconds: float) -> None:
        assert self.clock is not None
        self.clock.advance(seconds)

    def expire(self, *claims: Claim) -> None:
        assert self.clock is not None
        self.clock.now = max(self.clock.now, *(c.until for c in claims)) + 0.001

    def close(self) -> None:
        self._patch.stop()
        for store in self._opened:
            store.close()


class _SeenClock(Clock):
    """A clock that stands still until it is told; its store is seen whenever it is."""

    def __init__(self, now: float, client: Any) -> None:
        self._client = client
        super().__init__(now)

    @property
    def now(self) -> float:
        return self._now

    @now.setter
    def now(self, now: float) -> None:
        self._now = now
        see(self._client, _CONTRACT, now)


class _Times:
    """Stands in for the module ``time``."""

    def __init__(self, clock: Clock) -> None:
        self.time = clock


class ServerHarness:
    """The scripts on a real server, whose time passes."""

    lease = 30.0
    backoff = 0.4
    clock: Clock | None = None

    def __init__(self, folder: Path) -> None:
        self._project = f"{_CONTRACT} {uuid.uuid4().hex}"
        self._opened: list[RedisStore] = []

    def open(self) -> Store:
        store = RedisStore(shared_server().url, self._project)
        self._opened.append(store)
        return store

    def pass_time(self, seconds: float) -> None:
        self._wait_for(self._opened[0].now() + seconds)

    def expire(self, *claims: Claim) -> None:
        store = self._opened[0]
        for claim in claims:
            assert store.renew(claim, _MOMENT)
        self._wait_for(store.now() + _MOMENT)

    def _wait_for(self, moment: float) -> None:
        store = self._opened[0]
        wait_until(f"the server's clock passes {moment}", lambda: store.now() > moment)
        with shared_server().client() as client:
            see(client, self._project, store.now())

    def close(self) -> None:
        for store in self._opened:
            store.close()
        with shared_server().client() as client:
            check_keys(client, self._project)
            client.flushall()
