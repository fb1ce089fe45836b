"""What the Redis store does beyond the contract: messages, workers, elections, its own health."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import redis

from seeknal.stores.redis_core import Core
from seeknal.stores.redis_values import MICRO, json_of, readable, seconds_of
from seeknal.workflow.units import Unit


class Due(NamedTuple):
    """A unit for which a message is to be published: its run, its flow, its key.

    ``mark`` tells the message from those that were sent of the unit before; it is when this one
    was, in microseconds. '' if it is not known.
    """

    run: str
    flow: str
    key: str
    mark: str = ""

    @property
    def unit(self) -> Unit:
        """The unit itself."""
        return Unit.from_key(self.flow, self.key)

    @property
    def sent(self) -> float:
        """When the message was sent, by the store's clock."""
        return seconds_of(self.mark or 0)


def due_of(flat: Sequence[str]) -> list[Due]:
    """Return the messages that a script tells of, by turns."""
    size = len(Due._fields)
    return [Due(*row) for row in zip(*(flat[n::size] for n in range(size)), strict=True)]


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker that is alive: what it told of itself, and until when that counts."""

    name: str
    until: float
    detail: Mapping[str, Any]


def slots_of(workers: Iterable[WorkerSeen]) -> int:
    """Return how many units workers can run at once."""
    return sum(int(worker.detail.get("slots", 0)) for worker in workers)


@dataclass(frozen=True, slots=True)
class Facts:
    """What an operator should know of the server; None is what it does not tell.

    ``offset`` is how many seconds its clock is ahead of this machine's, ``latency`` what one
    question and its answer took.
    """

    address: str
    server: str
    version: str | None
    aof: bool | None
    policy: str | None
    used: int | None
    limit: int | None
    offset: float
    latency: float


class FleetVerbs(Core):
    """What feeders, janitors and workers need of the store when a broker delivers."""

    @property
    def pending_key(self) -> str:
        """The sorted set of all unfinished fed units of runs that are not paused.

        How many members it has (ZCARD) is how much work there is: what workers are scaled by.
        The scores say from when a unit is ready, in microseconds.
        """
        return self._key("pending")

    def pending(self) -> int:
        """Return how many units are queued, in backoff or running, of runs not paused."""
        return int(self._ask(lambda: self._client.zcard(self.pending_key), repeat=True))

    def due(
        self, limit: int = 1000, lost_after: float | None = None, window: int | None = None
    ) -> list[Due]:
        """Pick units that need a message now, and note that it is sent.

        Those are units that were fed, whose backoff is over, that were reaped, handed back or
        refused while their run was paused or at its cap: by priority, then of the run with the
        fewest messages under way, then in the order of feeding; of each run no more than its
        cap leaves room for. Each is returned once, so however many call, no more is published
        than is queued.

        With ``lost_after``, units whose message was sent longer ago than that many seconds and
        not taken since come first. Pass no less than the broker's oldest message is old: else a
        unit gets a second one, which is harmless, but is more than the window lacks.

        With ``window``, others are picked only as long as fewer messages than that are under
        way in all, so that those who ask at the same time exceed it no more than one does.

        A message that could not be published after all counts as lost, by and by.
        """
        patience = "" if lost_after is None else round(lost_after * MICRO)
        flat = self._call("due", limit, patience, "" if window is None else window)
        return due_of(flat)

    def beat(self, worker: str, detail: Mapping[str, Any], seconds: float = 60.0) -> None:
        """Tell that a worker is alive for so many seconds, and what it does (JSON values)."""
        self._call("beat", worker, json_of(dict(detail)), seconds, repeat=True)

    def leave(self, worker: str) -> None:
        """Forget a worker that leaves."""
        self._call("leave", worker, repeat=True)

    def workers(self) -> list[WorkerSeen]:
        """Return the workers that are alive, by name."""
        flat = self._call("workers", repeat=True)
        rows = zip(flat[::3], flat[1::3], flat[2::3], strict=True)
        with readable("the workers"):
            return sorted(
                (WorkerSeen(n, seconds_of(u), json.loads(d)) for n, u, d in rows),
                key=lambda worker: worker.name,
            )

    def elect(self, role: str, owner: str, seconds: float) -> bool:
        """Take, or keep, an office that one holds at a time; False if somebody else has it."""
        return bool(self._call("elect", role, owner, seconds, repeat=True))

    def resign(self, role: str, owner: str) -> None:
        """Give an office up; nothing if somebody else has it."""
        self._call("resign", role, owner, repeat=True)

    def raise_token(self, least: int) -> int:
        """Let the next token be greater than ``least``; return the last one by now.

        For state that is rebuilt from outputs, which carry the tokens they were made under.
        """
        return int(self._call("raise_token", least, repeat=True))

    def facts(self) -> Facts:
        """Return what an operator should know of the server.

        Raises:
            StoreError: it cannot be reached, or refuses.
        """
        self.now()  # connects, which is not what is to be timed
        before, started = time.time(), time.perf_counter()
        now = self.now()
        latency = time.perf_counter() - started
        info = self._ask(lambda: _all_info(self._client), repeat=True)
        return Facts(
            address=self._address,
            server="Valkey" if "valkey_version" in info else "Redis",
            version=info.get("valkey_version", info.get("redis_version")),
            aof=None if "aof_enabled" not in info else bool(int(info["aof_enabled"])),
            policy=info.get("maxmemory_policy"),
            used=info.get("used_memory"),
            limit=info.get("maxmemory"),
            offset=now - before - latency / 2,
            latency=latency,
        )


def _all_info(client: Any) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = client.info()
    except redis.ResponseError:
        return {}  # not allowed to ask; that is no reason to fail
    return found
