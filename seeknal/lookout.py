"""Looks at a run again and again, at a cost that its number of units does not change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from seeknal.stores.base import Store
from seeknal.view import NAMED, Crew, Picture, View
from seeknal.workflow.state import Counts, Event, Run, RunStatus, UnitRecord, UnitStatus

# How many events are read at once; of what happens faster only the latest are.
_EVENTS: Final = 1000
# Among how many units that run, in the order of feeding, the longest are looked for.
_RUNNING: Final = 50
# How many seconds what seldom changes counts as known: the run itself, and who works.
_RUN_KNOWN: Final = 10.0
_CREW_KNOWN: Final = 3.0


class Lookout:
    """Looks at one run. ``crew`` tells of the workers, where some share the store."""

    def __init__(self, store: Store, run: Run, crew: Callable[[], Crew] | None = None) -> None:
        self._store, self._run, self._ask_crew = store, run, crew
        self._picture = Picture()
        self._latest = ""
        self._looked = self._asked = float("-inf")
        self._crew: Crew | None = None

    def look(self) -> View:
        """Return how the run stands.

        A run that the store has lost, as it may with its last second, counts as cancelled.
        """
        events = self._events()
        counts = self._store.counts(self._run.id)
        if not self._latest:
            self._picture.add(self._failed_before(counts, events))
            self._picture.begin(counts, events[::-1])
        else:
            self._picture.add(events)
        if events:
            self._latest = events[-1].id
        at = self._store.now()
        self._look_again(at, counts, events)
        return self._picture.view(at, self._run, counts, self._running(counts), self._workers(at))

    def _events(self) -> list[Event]:
        """Return what happened since the last look, oldest first."""
        if self._latest:
            events = self._store.events(self._run.id, self._latest, _EVENTS)
            if len(events) < _EVENTS:
                return events
        return self._store.recent(self._run.id, _EVENTS)[::-1]

    def _failed_before(self, counts: Counts, events: list[Event]) -> list[Event]:
        """Return some failures of which the events do not tell any more, without their time."""
        if not counts.failed or any(event.kind == "failed" for event in events):
            return []
        records = self._store.records(self._run.id, UnitStatus.FAILED, NAMED)
        return [Event("", 0.0, "failed", r.unit.key, detail=r.error) for r in records]

    def _look_again(self, at: float, counts: Counts, events: list[Event]) -> None:
        """Read the run again when it may have changed: it is large, where counts are not."""
        changed = any(not event.unit for event in events) or counts.done + counts.failed >= (
            counts.units
        )
        if not changed and at - self._looked < _RUN_KNOWN:
            return
        self._looked = at
        found = self._store.run(self._run.id)
        self._run = found or replace(self._run, status=RunStatus.CANCELLED)

    def _running(self, counts: Counts) -> list[UnitRecord]:
        if not counts.running:
            return []
        return self._store.records(self._run.id, UnitStatus.RUNNING, _RUNNING)

    def _workers(self, at: float) -> Crew | None:
        if self._ask_crew is not None and at - self._asked >= _CREW_KNOWN:
            self._crew, self._asked = self._ask_crew(), at
        return self._crew
