"""The Redis store's verbs of one unit: claim, renew, prepare, complete, fail, reap."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import redis

from seeknal.errors import StoreUnavailableError
from seeknal.stores.base import Overlap
from seeknal.stores.redis_core import Core, claim_args
from seeknal.stores.redis_values import (
    MICRO,
    claim_of,
    completion_of,
    readable,
    reaped_of,
    text_of,
    unit_span,
)
from seeknal.stores.refusals import lost
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Claim, UnitRecord, UnitResult
from seeknal.workflow.units import Unit

_UNCERTAIN_KEPT: Final = 1000


class UnitVerbs(Core):
    """Units under lease.

    What carries a token repeats itself when a reply is lost, because the token makes a repeat
    harmless; so does the claim of a named unit, which is leased anew to the worker that has it
    by the lost reply. The claim of any unit and ``reap`` do not: a unit leased by a lost reply
    comes back with the end of its lease.
    """

    def __init__(
        self, url: str, project: str, *, lease: float = 30.0, client: redis.Redis | None = None
    ) -> None:
        super().__init__(url, project, lease=lease, client=client)
        self._uncertain = _Uncertain()

    def claim(
        self, worker: str, lease: float, run_id: str | None = None, unit: Unit | None = None
    ) -> Claim | None:
        """Lease a unit to a worker, or return None if none is to be had.

        Units for which a message is under way come after the others of their run. Expired
        leases of others are left alone for one lease after this process could not reach Redis.
        """
        if run_id is not None and unit is not None:
            reply = self._claim_unit(worker, lease, run_id, unit.key)
        else:
            reply = self._call("claim", *self._lease_args(worker, lease, run_id or ""))
        with readable("a unit"):
            return claim_of(reply, worker) if reply else None

    def renew(self, claim: Claim, lease: float) -> bool:
        """Extend a lease; False if the token is no longer current."""
        args = (*claim_args(claim), claim.worker, round(lease * MICRO))
        return bool(self._call("renew", *args, repeat=True))

    def prepare(self, claim: Claim) -> Overlap:
        """Fence the publication, and return what else lies within the unit's time."""
        reply = self._call("prepare", *claim_args(claim), *unit_span(claim.unit), repeat=True)
        if reply is None:
            raise lost(claim)
        flat, others = reply
        with readable(f"flow {claim.unit.flow}"):
            return Overlap(
                tuple(map(completion_of, flat[::3], flat[1::3], flat[2::3])),
                tuple(Unit.from_key(claim.unit.flow, key) for key in others),
            )

    def forget(self, claim: Claim, spans: IntervalSet) -> None:
        """Take back completions within spans, whose output this unit is about to remove."""
        ends = [str(end) for stretch in spans.ranges for end in stretch]
        if not self._call("forget", *claim_args(claim), *ends, repeat=True):
            raise lost(claim)

    def complete(self, claim: Claim, fingerprint: str, result: UnitResult) -> None:
        """Make the unit complete; its record goes, and with its last unit the run ends."""
        planned = claim.planned
        if claim.unit.value is None:
            label = text_of(planned.origin, planned.schedule, fingerprint)
        else:
            label = text_of(planned.origin, fingerprint)
        self._end(
            "complete",
            claim,
            *unit_span(claim.unit),
            label,
            result.rows,
            result.bytes,
            repr(float(result.seconds)),
        )

    def fail(self, claim: Claim, error: str, retry_in: float | None) -> None:
        """End an attempt: tried again in so many seconds, or failed for good if None."""
        wait = "" if retry_in is None else round(retry_in * MICRO)
        self._end("fail", claim, error, wait)

    def _end(self, verb: str, claim: Claim, *args: str | float) -> None:
        """End a claim; a repeat whose first reply was lost passes if this token ended it."""
        with self._uncertain.noting(verb, claim) as repeated:
            ended = self._call_told(
                verb, *claim_args(claim), claim.worker, *args, repeated=repeated
            )
        if not ended:
            raise lost(claim)

    def release(self, claim: Claim) -> None:
        """Hand a unit back, ready at once, without an attempt; nothing if the token is stale."""
        self._call("release", *claim_args(claim), claim.worker, repeat=True)

    def reap(self, limit: int = 500) -> list[UnitRecord]:
        """Queue again the running units whose lease expired.

        Nothing for one lease after the server came back, or this process reached it again.
        """
        if self._outage.spares():
            self.now()  # an outage ends with an answer
            return []
        rows = self._call("reap", limit)
        with readable("the units under lease"):
            return [reaped_of(row) for row in rows]


class _Uncertain:
    """Claims of which this process does not know whether they ended: the reply was lost."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._claims: OrderedDict[tuple[Any, ...], None] = OrderedDict()

    @contextmanager
    def noting(self, verb: str, claim: Claim) -> Iterator[bool]:
        """Yield whether the reply to the same call was lost before; note it if it is now."""
        name = (verb, claim.run, claim.unit, claim.token)
        try:
            yield name in self._claims
        except StoreUnavailableError:
            with self._lock:
                self._claims[name] = None
                while len(self._claims) > _UNCERTAIN_KEPT:
                    self._claims.popitem(last=False)
            raise
        if name in self._claims:
            with self._lock:
                self._claims.pop(name, None)
