"""The embedded store's verbs of a run: register, hold, feed, pause, count."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

from seeknal.errors import StoreError, UsageError
from seeknal.stores.base import Holds
from seeknal.stores.owners import owner_alive
from seeknal.stores.sqlite_core import Core, Note, drop_failed, new_version
from seeknal.stores.sqlite_ranges import UNFINISHED
from seeknal.stores.sqlite_rows import (
    COUNT_COLUMNS,
    RUN_COLUMNS,
    STATES,
    UNIT_COLUMNS,
    counts_of,
    planned_text,
    record_of,
    run_of,
    value_text,
)
from seeknal.stores.sqlite_schema import FAILED
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Counts, Event, Run, RunStatus, UnitRecord, UnitStatus
from seeknal.workflow.units import Planned, PlannedRange, PlannedUnit, PlannedValue, Unit

_OPEN: Final = (RunStatus.ACTIVE, RunStatus.PAUSED)
_BY_HAND: Final = {
    RunStatus.PAUSED: (RunStatus.ACTIVE,),
    RunStatus.ACTIVE: (RunStatus.PAUSED,),
    RunStatus.CANCELLED: _OPEN,
    RunStatus.INTERRUPTED: _OPEN,
}

_VERSION = "SELECT version FROM flows WHERE name = ?"
_OWNERS = """
SELECT id, owner FROM runs
WHERE status IN ('active', 'paused') AND owner <> '' AND (?1 IS NULL OR flow = ?1)
"""
_SELECT_RUNS = f"SELECT {RUN_COLUMNS} FROM runs JOIN run_specs ON run = id"
_HOLDING = f"""
{_SELECT_RUNS} WHERE flow = ? AND (status = 'active' OR running > 0) ORDER BY seq
"""
_THE_RUN = f"{_SELECT_RUNS} WHERE id = ?"
_ALL_RUNS = f"{_SELECT_RUNS} ORDER BY seq DESC LIMIT ?"
_FLOW_RUNS = f"{_SELECT_RUNS} WHERE flow = ? ORDER BY seq DESC LIMIT ?"
_KNOWN = "SELECT 1 FROM runs WHERE id = ?"
_NEW_RUN = """
INSERT INTO runs (id, flow, status, owner, priority, max_active, units, created, last_event)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)
"""
_NEW_SPEC = """
INSERT INTO run_specs (run, spec, fingerprint, planned, options, created_by)
VALUES (?, ?, ?, ?, ?, ?)
"""
_PLAN_VALUE = "INSERT OR IGNORE INTO unfinished_values (flow, value) VALUES (?, ?)"
_STATUS = "SELECT flow, status FROM runs WHERE id = ?"
_SET_STATUS = """
UPDATE runs SET status = ?, last_event = last_event + 1 WHERE id = ? RETURNING last_event
"""
_DROP_LIVE = f"DELETE FROM units WHERE run = ? AND state <> {FAILED}"
_NOTHING_LIVE = "UPDATE runs SET live = 0, running = 0 WHERE id = ?"

_CURSOR = "SELECT cursor FROM runs WHERE id = ? AND status = 'active'"
_FEED = """
INSERT OR IGNORE INTO units (run, flow, start, end, value, origin, schedule)
VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_FED = "UPDATE runs SET cursor = ?, live = live + ? WHERE id = ?"
_WIDEST = "UPDATE flows SET widest = max(widest, ?) WHERE name = ?"
_WINDOW = "SELECT live FROM runs WHERE id = ?"
_COUNTS = f"SELECT {COUNT_COLUMNS} FROM runs WHERE id = ?"
_EVENTS = """
SELECT id, at, kind, unit, worker, detail FROM events WHERE run = ? AND id > ? ORDER BY id LIMIT ?
"""


class RunVerbs(Core):
    """Runs, from their registration to their end."""

    def holds(self, flow: str) -> Holds:
        """Return who holds units of a flow, after ending the runs whose process is gone."""
        self._end_orphans(flow)
        with self._db.read() as db:
            rows = db.execute(_HOLDING, (flow,)).fetchall()
            return Holds(_version(db, flow), tuple(run_of(row) for row in rows))

    def register(self, run: Run, version: int) -> bool:
        """Start a run; False, changing nothing, if the version is not the current one."""
        spec = (
            run.id,
            json.dumps(dict(run.spec)),
            run.fingerprint,
            planned_text(run.planned),
            json.dumps(dict(run.options)),
            run.created_by,
        )
        with self._db.write() as db:
            if _version(db, run.flow) != version:
                return False
            if db.execute(_KNOWN, (run.id,)).fetchone():
                raise StoreError(f"There is a run {run.id} already; give the new one another id.")
            status = RunStatus.ACTIVE if run.units else RunStatus.DONE
            now = self.now()
            db.execute(
                _NEW_RUN,
                (
                    run.id,
                    run.flow,
                    status,
                    run.owner,
                    run.options.get("priority") or 0,
                    run.options.get("max_active"),
                    run.units,
                    now,
                ),
            )
            db.execute(_NEW_SPEC, spec)
            self._event(db, run.id, 1, Note("registered", detail=run.created_by))
            _plan(db, run.flow, run.planned)
            new_version(db, run.flow)
            return True

    def run(self, run_id: str) -> Run | None:
        """Return a run, or None if there is none of that id."""
        with self._db.read() as db:
            row = db.execute(_THE_RUN, (run_id,)).fetchone()
            return None if row is None else run_of(row)

    def runs(self, flow: str | None = None, limit: int = 100) -> list[Run]:
        """Return runs, newest first, after ending those whose process is gone."""
        self._end_orphans(flow)
        with self._db.read() as db:
            if flow is None:
                rows = db.execute(_ALL_RUNS, (limit,)).fetchall()
            else:
                rows = db.execute(_FLOW_RUNS, (flow, limit)).fetchall()
            return [run_of(row) for row in rows]

    def set_status(self, run_id: str, status: RunStatus) -> bool:
        """Pause, resume, cancel or interrupt a run; returns whether anything changed."""
        if status not in _BY_HAND:
            raise UsageError(
                f"Run {run_id} cannot be set to {status}: that comes with its last unit."
            )
        with self._db.write() as db:
            return self._set_status(db, run_id, status)

    def _set_status(
        self, db: sqlite3.Connection, run_id: str, status: RunStatus, detail: str = ""
    ) -> bool:
        row = db.execute(_STATUS, (run_id,)).fetchone()
        if row is None or row[1] not in _BY_HAND[status]:
            return False
        number = db.execute(_SET_STATUS, (status, run_id)).fetchone()[0]
        if status not in _OPEN:
            db.execute(_DROP_LIVE, (run_id,))
            db.execute(_NOTHING_LIVE, (run_id,))
        self._event(db, run_id, number, Note(status, detail=detail))
        new_version(db, row[0])
        return True

    def _end_orphans(self, flow: str | None) -> None:
        with self._db.read() as db:
            owners = db.execute(_OWNERS, (flow,)).fetchall()
        dead = {owner for owner in {o for _, o in owners} if not owner_alive(owner)}
        if not dead:
            return
        with self._db.write() as db:
            for run_id, owner in owners:
                if owner in dead:
                    self._set_status(
                        db, run_id, RunStatus.INTERRUPTED, "the process that started it is gone"
                    )

    def feed(
        self, run_id: str, units: Sequence[PlannedUnit], cursor: str, next_cursor: str
    ) -> bool:
        """Queue units of an active run; False if another feeder was faster."""
        with self._db.write() as db:
            if db.execute(_CURSOR, (run_id,)).fetchone() != (cursor,):
                return False
            fed = 0
            if units:
                fed = db.executemany(_FEED, (_unit_row(run_id, p) for p in units)).rowcount
                widest = max(p.unit.end - p.unit.start for p in units)
                db.execute(_WIDEST, (widest, units[0].unit.flow))
            db.execute(_FED, (next_cursor, fed, run_id))
            return True

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
            raise UsageError(f"{after!r} is not the id of an event of run {run_id}.")
        with self._db.read() as db:
            rows = db.execute(_EVENTS, (run_id, int(after or 0), limit))
            return [Event(str(row[0]), *row[1:]) for row in rows]


def _version(db: sqlite3.Connection, flow: str) -> int:
    row = db.execute(_VERSION, (flow,)).fetchone()
    return 0 if row is None else int(row[0])


def _plan(db: sqlite3.Connection, flow: str, planned: Iterable[Planned]) -> None:
    """Add what a run plans to the flow's unfinished, and drop the failures that it covers."""
    ranges = IntervalSet((p.start, p.end) for p in planned if isinstance(p, PlannedRange))
    for start, end in ranges.ranges:
        UNFINISHED.paint(db, flow, start, end)
        drop_failed(db, Unit(flow, start, end))
    for part in planned:
        if isinstance(part, PlannedValue):
            db.execute(_PLAN_VALUE, (flow, part.value))
            drop_failed(db, Unit(flow, value=part.value))


def _unit_row(run_id: str, planned: PlannedUnit) -> tuple[str, str, int, int, str, str, str]:
    unit = planned.unit
    return (
        run_id,
        unit.flow,
        unit.start,
        unit.end,
        value_text(unit.value),
        str(planned.origin),
        planned.schedule,
    )
