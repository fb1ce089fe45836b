"""The Redis store's verbs of a run: register, hold, feed, pause, count."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Final

from seeknal.errors import StoreError, UsageError
from seeknal.stores.base import Holds
from seeknal.stores.redis_core import Core
from seeknal.stores.redis_values import (
    COUNT_FIELDS,
    counts_of,
    event_of,
    plan_text,
    readable,
    record_of,
    run_fields,
    run_of,
)
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Counts, Event, Run, RunStatus, UnitRecord, UnitStatus
from seeknal.workflow.units import PlannedRange, PlannedUnit, PlannedValue, Unit

_BY_HAND: Final = (
    RunStatus.PAUSED,
    RunStatus.ACTIVE,
    RunStatus.CANCELLED,
    RunStatus.INTERRUPTED,
)
_EVENT_ID: Final = re.compile(r"\d+-\d+")


class RunVerbs(Core):
    """Runs, from their registration to their end.

    All of them repeat themselves when a reply is lost: registering by a mark of its own call,
    feeding by the cursor, which lets no second feed pass, a new status by what it is then.
    """

    def holds(self, flow: str) -> Holds:
        """Return who holds units of a flow."""
        version, *runs = self._call("holds", flow, repeat=True)
        with readable(f"the runs of flow {flow}"):
            return Holds(int(version), tuple(map(run_of, runs)))

    def register(self, run: Run, version: int) -> bool:
        """Start a run; False, changing nothing, if the version is not the current one.

        Raises:
            StoreError: there is a run of that id already.
        """
        planned = IntervalSet((p.start, p.end) for p in run.planned if isinstance(p, PlannedRange))
        ends = [str(end) for stretch in planned.ranges for end in stretch]
        values = [
            Unit(run.flow, value=p.value).key for p in run.planned if isinstance(p, PlannedValue)
        ]
        answer = self._call(
            "register",
            run.id,
            run.flow,
            version,
            secrets.token_hex(8),
            run.units,
            run.options.get("priority") or 0,
            run.created_by,
            len(planned.ranges),
            len(values),
            *ends,
            *values,
            *run_fields(run),
            repeat=True,
        )
        if answer < 0:
            raise StoreError(f"There is a run {run.id} already; give the new one another id.")
        return bool(answer)

    def run(self, run_id: str) -> Run | None:
        """Return a run, or None if there is none of that id (any more)."""
        fields = self._ask(lambda: self._client.hgetall(self._key("run", run_id)), repeat=True)
        with readable(f"run {run_id}"):
            return run_of([text for pair in fields.items() for text in pair]) if fields else None

    def runs(self, flow: str | None = None, limit: int = 100) -> list[Run]:
        """Return runs, newest first; those that ended are kept for 90 days."""
        rows = self._call("runs", flow or "", limit, repeat=True)
        with readable("the runs"):
            return [run_of(row) for row in rows]

    def set_status(self, run_id: str, status: RunStatus) -> bool:
        """Pause, resume, cancel or interrupt a run; returns whether anything changed."""
        if status not in _BY_HAND:
            raise UsageError(
                f"Run {run_id} cannot be set to {status}: that comes with its last unit."
            )
        return bool(self._call_told("set_status", run_id, str(status)))

    def feed(
        self, run_id: str, units: Sequence[PlannedUnit], cursor: str, next_cursor: str
    ) -> bool:
        """Queue units of an active run; False if another feeder was faster.

        It publishes nothing: ``due`` says for which units a message is needed.
        """
        args = [text for planned in units for text in (planned.unit.key, plan_text(planned))]
        return bool(self._call("feed", run_id, cursor, next_cursor, *args, repeat=True))

    def window(self, run_id: str) -> int:
        """Return how many fed units of a run are queued or running."""
        key = self._key("run", run_id)
        return int(self._ask(lambda: self._client.hget(key, "live"), repeat=True) or 0)

    def counts(self, run_id: str) -> Counts:
        """Return a run's counts, in constant time."""
        key = self._key("run", run_id)
        values = self._ask(lambda: self._client.hmget(key, COUNT_FIELDS), repeat=True)
        with readable(f"run {run_id}"):
            return counts_of(values)

    def records(
        self, run_id: str, status: UnitStatus | None = None, limit: int = 1000
    ) -> list[UnitRecord]:
        """Return unit records of a run, in the order in which they were fed."""
        flow, *rows = self._call("records", run_id, str(status or ""), limit, repeat=True) or [""]
        with readable(f"run {run_id}"):
            return [record_of(run_id, flow, row) for row in rows]

    def events(self, run_id: str, after: str = "", limit: int = 1000) -> list[Event]:
        """Return a run's events after an event's id, oldest first.

        Raises:
            UsageError: ``after`` is not an event's id.
        """
        if after and not _EVENT_ID.fullmatch(after):
            raise UsageError(f"{after!r} is not the id of an event of run {run_id}.")
        first = f"({after}" if after else "-"
        key = self._key("events", run_id)
        rows = self._ask(lambda: self._client.xrange(key, first, "+", count=limit), repeat=True)
        with readable(f"the events of run {run_id}"):
            return [event_of(event_id, fields) for event_id, fields in rows]
