"""What the verbs of the Redis store share: its connection, its scripts, its outages."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from seeknal.errors import StoreError
from seeknal.stores.base import Change
from seeknal.stores.redis_errors import address_of, explain, is_outage
from seeknal.stores.redis_keys import prefix
from seeknal.stores.redis_line import Line
from seeknal.stores.redis_scripts import digest, source
from seeknal.stores.redis_values import MICRO
from seeknal.workflow.state import Claim

T = TypeVar("T")

OLDEST: Final = (6, 2)
_PAUSES: Final = (0.05, 0.3)  # before each repeat of a verb whose reply was lost
_OPTIONS: Final[dict[str, Any]] = {
    "decode_responses": True,
    "protocol": 2,
    "socket_timeout": 10,
    "socket_connect_timeout": 5,
    "socket_keepalive": True,
    "health_check_interval": 10,
}


class Core:
    """A connection to a project's keys."""

    def __init__(
        self, url: str, project: str, *, lease: float = 30.0, client: redis.Redis | None = None
    ) -> None:
        """Remember where the store is; nothing is connected before the first verb.

        ``url`` is ``redis://``, ``rediss://`` (TLS) or ``unix://``, with user, password and the
        client's options as in ``redis.from_url``. ``lease`` is for how many seconds nothing is
        reaped after this process could not reach the store. ``client`` replaces the connection.

        Raises:
            StoreError: ``url`` is not a Redis URL.
        """
        self._address = address_of(url)
        self._project = project
        self._prefix = prefix(project)
        self._client: Any = client if client is not None else connect(url)
        self._line = Line(self._client)
        self._checked = False
        self._outage = _Outage(lease)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r}, {self._project!r})"

    def now(self) -> float:
        """Return the server's time in seconds since the epoch."""
        seconds, micros = self._ask(self._client.time, repeat=True)
        return float(seconds) + float(micros) / MICRO

    def close(self) -> None:
        """Let go of the connections; a later call opens new ones."""
        self._line.close()
        self._client.close()

    def together(self) -> AbstractContextManager[None]:
        """Leave each verb of the block a round trip of its own."""
        return nullcontext()

    def _key(self, kind: str, name: str = "") -> str:
        return f"{self._prefix}{kind}:{name}" if name else self._prefix + kind

    def _call(self, verb: str, *args: str | float, repeat: bool = False) -> Any:
        """Run a verb's script; with ``repeat``, again if its reply is lost."""
        return self._ask(lambda: self._run(verb, args), repeat)

    def _call_told(self, verb: str, *args: str | float, repeated: bool = False) -> Any:
        """Run a script whose last argument is whether the same call was sent before."""
        sent = [repeated]

        def call() -> Any:
            last = "1" if sent[0] else "0"
            sent[0] = True
            return self._run(verb, (*args, last))

        return self._ask(call, repeat=True)

    def _lease_args(self, worker: str, lease: float, *whose: str) -> tuple[str | int, ...]:
        """Return who claims, for how long, and whether expired leases are left alone."""
        return worker, round(lease * MICRO), "1" if self._outage.spares(lease) else "0", *whose

    def _claim_unit(self, worker: str, lease: float, run: str, key: str, *turn: str) -> Any:
        """Ask for one unit; with ``turn``, the mark of a message, if it is its run's turn."""
        told = ("1", *turn) if turn else ("0", "")
        return self._call_told("claim_unit", *self._lease_args(worker, lease, run, key), *told)

    def _run(self, verb: str, args: Iterable[str | float]) -> Any:
        return self._line.run(digest(verb), source(verb), self._prefix, *args)

    def _ask(self, call: Callable[[], T], repeat: bool = False) -> T:
        """Make one call to the server, repeated at most twice if the connection breaks."""
        pauses = list(_PAUSES) if repeat else []
        while True:
            try:
                if not self._checked:
                    self._check_version()
                answer = call()
            except RedisError as error:
                outage = is_outage(error)
                if outage:
                    self._outage.begins()
                # A server that does not answer in time has used up the caller's patience.
                if not outage or not pauses or isinstance(error, redis.TimeoutError):
                    raise explain(error, self._address) from error
                time.sleep(pauses.pop(0) * random.uniform(0.5, 1.5))
            else:
                self._outage.ends()
                return answer

    def _check_version(self) -> None:
        try:
            version = str(self._client.info("server").get("redis_version", ""))
        except redis.ResponseError:
            version = ""  # not allowed to ask, or a test's stand-in: the verbs will tell
        numbers = version.split(".")[:2]
        if all(n.isdecimal() for n in numbers) and tuple(map(int, numbers)) < OLDEST:
            raise StoreError(
                f"The Redis at {self._address} is version {version}, which is too old. "
                f"Use Redis 6.2 or later, or Valkey."
            )
        self._checked = True


class _Outage:
    """Notices that the store was out of reach, and for how long to spare others' leases.

    Whoever could not renew during an outage that this process shared is given one lease, from
    its end, to say that it lives.
    """

    def __init__(self, lease: float) -> None:
        self._lock = threading.Lock()
        self._lease = lease
        self._broken = False
        self._until = 0.0

    def begins(self) -> None:
        self._broken = True

    def ends(self) -> None:
        if self._broken:
            with self._lock:
                self._broken = False
                self._until = time.monotonic() + self._lease

    def spares(self, lease: float = 0.0) -> bool:
        """Say whether expired leases are left alone; ``lease`` is one that is in use."""
        self._lease = max(self._lease, lease)
        return self._broken or time.monotonic() < self._until


def connect(url: str) -> redis.Redis:
    """Return a client of a Redis, with the options of every connection to it.

    Raises:
        StoreError: ``url`` has options that cannot be read.
    """
    retry = Retry(NoBackoff(), 0)  # what may be repeated is decided verb by verb
    options = dict(_OPTIONS)
    if urlsplit(url).scheme == "unix":
        del options["socket_keepalive"]
    try:
        client: redis.Redis = redis.Redis.from_url(url, retry=retry, **options)
    except (ValueError, TypeError):
        raise StoreError(
            "The options of the Redis URL cannot be read; write it as redis://host:6379/0."
        ) from None
    return client


def change_args(change: Change | None) -> tuple[str, str, str, str]:
    """Return a change by hand as arguments of a script; all are empty if nothing is audited."""
    if change is None:
        return "", "", "", ""
    return change.actor, change.action, change.what, change.reason


def claim_args(claim: Claim) -> tuple[str, str, str, str]:
    """Return whose token it is, as the first arguments of a script."""
    return claim.unit.flow, claim.run, claim.unit.key, str(claim.token)
