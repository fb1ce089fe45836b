"""The embedded store's verbs of a run's progress: window, counts, records, events."""

from __future__ import annotations

from typing import Final

from seeknal.stores.refusals import no_event
from seeknal.stores.sqlite_core import Core
from seeknal.stores.sqlite_events import events_after, latest_events
from seeknal.stores.sqlite_rows import COUNT_COLUMNS, STATES, UNIT_COLUMNS, counts_of, record_of
from seeknal.workflow.state import Counts, Event, UnitRecord, UnitStatus

_WINDOW: Final = "SELECT live FROM runs WHERE id = ?"
_COUNTS: Final = f"SELECT {COUNT_COLUMNS} FROM runs WHERE id = ?"


class ProgressVerbs(Core):
    """How far runs have come."""

    def window(self, run_id: str) -> int:
        """Return how many fed units of a run are queued or running."""
        with self._db.read() as db:
            row = db.execute(_WINDOW, (run_id,)).fetchone()
            return 0 if row is None else int(row[0])

    def counts(self, run_id: str) -> Counts:
        """Return a run's counts, in constant time."""
        with self._db.read() as db:
            row = db.execute(_COUNTS, (run_id,)).fetchone()
            return Counts(0) if row is None else counts_of(row)

    def records(
        self, run_id: str, status: UnitStatus | None = None, limit: int = 1000
    ) -> list[UnitRecord]:
        """Return unit records of a run, in the order in which they were fed."""
        states = STATES[status] if status else [s for many in STATES.values() for s in many]
        wanted = ", ".join(map(str, states))
        query = (
            f"SELECT {UNIT_COLUMNS} FROM units WHERE run = ? AND state IN ({wanted}) "
            f"ORDER BY seq LIMIT ?"
        )
        with self._db.read() as db:
            return [record_of(row) for row in db.execute(query, (run_id, limit))]

    def events(self, run_id: str, after: str = "", limit: int = 1000) -> list[Event]:
        """Return a run's events after an event's id, oldest first."""
        if after and not after.isdecimal():
            raise no_event(run_id, after)
        with self._db.read() as db:
            return events_after(db, run_id, int(after or 0), limit)

    def recent(self, run_id: str, limit: int = 1000) -> list[Event]:
        """Return a run's latest events, newest first."""
        with self._db.read() as db:
            return latest_events(db, run_id, limit)
