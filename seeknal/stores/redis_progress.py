"""The Redis store's verbs of a run's progress: window, counts, records, events."""

from __future__ import annotations

import re
from typing import Final

from seeknal.stores.redis_core import Core
from seeknal.stores.redis_values import COUNT_FIELDS, counts_of, event_of, readable, record_of
from seeknal.stores.refusals import no_event
from seeknal.workflow.state import Counts, Event, UnitRecord, UnitStatus

_EVENT_ID: Final = re.compile(r"\d+-\d+")


class ProgressVerbs(Core):
    """How far runs have come."""

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
            raise no_event(run_id, after)
        first = f"({after}" if after else "-"
        key = self._key("events", run_id)
        rows = self._ask(lambda: self._client.xrange(key, first, "+", count=limit), repeat=True)
        with readable(f"the events of run {run_id}"):
            return [event_of(run_id, event_id, fields) for event_id, fields in rows]

    def recent(self, run_id: str, limit: int = 1000) -> list[Event]:
        """Return a run's latest events, newest first."""
        key = self._key("events", run_id)
        rows = self._ask(lambda: self._client.xrevrange(key, "+", "-", count=limit), repeat=True)
        with readable(f"the events of run {run_id}"):
            return [event_of(run_id, event_id, fields) for event_id, fields in rows]
