"""What workers and those who look after them need of the Redis store, beyond the contract."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Final, NamedTuple

from seeknal.stores.redis_core import Core
from seeknal.stores.redis_fleet import Due, due_of
from seeknal.stores.redis_keys import KINDS, PROJECTS
from seeknal.stores.redis_values import (
    COUNT_FIELDS,
    MICRO,
    claim_of,
    counts_of,
    json_of,
    readable,
)
from seeknal.workflow.state import Claim, Counts, RunStatus
from seeknal.workflow.units import Unit

# A process that is killed this often at one unit is killed by the unit.
KILLS: Final = 5


@dataclass(frozen=True, slots=True)
class OpenRun:
    """An active or paused run, as far as one can tell of it in constant time."""

    id: str
    flow: str
    status: RunStatus
    counts: Counts


class Refusal(NamedTuple):
    """Why a message leads to no claim.

    ``first`` is what goes first: it is to be published ahead of all messages, in this order,
    and right behind it the message that was taken, unchanged. All messages about the run with
    marks below ``outdated`` lead to nothing. Without either there is nothing to be done.
    """

    first: tuple[Due, ...] = ()
    outdated: int = 0


class WorkerVerbs(Core):
    """Claims by message, killed processes, unseen inputs, questions that only a worker answers."""

    def claim_in_turn(self, worker: str, lease: float, message: Due) -> Claim | Refusal:
        """Lease the unit that a message is about, unless another run's units go first.

        Those are of a run of higher priority, or of equal priority and with fewer units under
        lease. Whoever asks next is told of other units; if these cannot be published, their
        messages count as lost, by and by.

        It is refused too if another message about the unit was sent since this one.
        """
        reply = self._claim_unit(worker, lease, message.run, message.key, message.mark) or []
        with readable("a unit"):
            if len(reply) == 1:
                return Refusal(outdated=int(reply[0]))
            if len(reply) % len(Due._fields) == 0:
                return Refusal(tuple(due_of(reply)))
            return claim_of(reply, worker)

    def active(self) -> list[str]:
        """Return the ids of the active runs: by priority, then the run's age."""
        key = self._key("active")
        names = self._ask(lambda: self._client.zrange(key, 0, -1), repeat=True)
        return [name.partition(":")[2] for name in names]

    def open_runs(self) -> list[OpenRun]:
        """Return the active and the paused runs of all flows, in three round trips.

        What it costs grows with their number and that of the flows, not with that of units.
        """
        names = self._ask(lambda: self._client.smembers(self._key("flows")), repeat=True)
        opened = self._piped([("ZRANGE", self._key("open", n), 0, -1) for n in sorted(names)])
        ids = [run_id for some in opened for run_id in some]
        fields = ("flow", "status", *COUNT_FIELDS)
        rows = self._piped([("HMGET", self._key("run", run_id), *fields) for run_id in ids])
        with readable("the open runs"):
            return [
                OpenRun(run_id, flow, RunStatus(status), counts_of(counts))
                for run_id, (flow, status, *counts) in zip(ids, rows, strict=True)
                if flow is not None
            ]

    def is_capped(self, run_id: str) -> bool:
        """Return whether a run has a cap (``max_active``)."""
        key = self._key("run", run_id)
        return self._ask(lambda: self._client.hget(key, "max_active"), repeat=True) is not None

    def announce(self) -> None:
        """Make the project known to workers that serve every project of this Redis."""
        self._ask(lambda: self._client.sadd(PROJECTS, self._project), repeat=True)

    def killed(
        self, run_id: str, unit: Unit, worker: str, why: str, retry_in: float, mark: str = ""
    ) -> int:
        """Note that the process which ran a unit was killed; return how often that happened.

        The unit is tried again in ``retry_in`` seconds, unless somebody else has it by now. The
        fifth time it fails for good, as what kills whoever runs it. These are counted apart
        from the attempts that errors cost. 0 if there is nothing left to try.

        ``mark`` is this death's own: told again with it, because the reply was lost, the death
        counts once.
        """
        poison = f"Given up: the processes that ran this unit were killed {KILLS} times; {why}"
        wait = round(retry_in * MICRO)
        args = (unit.flow, run_id, unit.key, worker, KILLS, why, poison, wait)
        return int(self._call("killed", *args, mark or token_hex(8), repeat=True))

    def lacking(self, run_id: str, name: str, machine: str) -> int:
        """Note that a machine cannot see the input of a run's unit, by its key.

        Returns how many machines could not by now.
        """
        return int(self._call("lacking", run_id, name, machine, repeat=True))

    def ask(self, name: str, question: Mapping[str, Any]) -> None:
        """Leave a question (JSON values) for whichever worker takes the message that names it."""
        self._leave("question", name, question)

    def asked(self, name: str) -> Mapping[str, Any] | None:
        """Return a question, or None if nobody waits for its answer any more."""
        return self._read("question", name)

    def answer(self, name: str, answer: Mapping[str, Any]) -> None:
        """Answer a question."""
        self._leave("answer", name, answer)

    def answered(self, name: str) -> Mapping[str, Any] | None:
        """Return the answer to a question, or None while there is none."""
        return self._read("answer", name)

    def withdraw(self, name: str) -> None:
        """Take a question and its answer away."""
        keys = (self._key("question", name), self._key("answer", name))
        self._ask(lambda: self._client.delete(*keys), repeat=True)

    def _piped(self, commands: Iterable[tuple[str | int, ...]]) -> list[Any]:
        """Run commands that change nothing, in one round trip."""

        def call() -> list[Any]:
            with self._client.pipeline(transaction=False) as pipe:
                for command in commands:
                    pipe.execute_command(*command)
                return list(pipe.execute())

        return list(self._ask(call, repeat=True))

    def _leave(self, kind: str, name: str, value: Mapping[str, Any]) -> None:
        key, text, ttl = self._key(kind, name), json_of(dict(value)), KINDS[kind].ttl
        self._ask(lambda: self._client.set(key, text, ex=ttl), repeat=True)

    def _read(self, kind: str, name: str) -> Mapping[str, Any] | None:
        key = self._key(kind, name)
        text = self._ask(lambda: self._client.get(key), repeat=True)
        with readable("a worker's answer"):
            return None if text is None else dict(json.loads(text))


class Registry(Core):
    """The projects of a Redis, for those who serve all of them."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "")

    def projects(self) -> list[str]:
        """Return the names of the projects that runs were launched of, sorted."""
        return sorted(self._ask(lambda: self._client.smembers(PROJECTS), repeat=True))
