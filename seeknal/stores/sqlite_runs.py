"""The embedded store's verbs of a run: register, hold, feed, pause, steer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from seeknal.stores.base import Again, Change, Holds
from seeknal.stores.owners import owner_alive
from seeknal.stores.plans import planned_text
from seeknal.stores.refusals import check_status, check_steered, run_exists
from seeknal.stores.sqlite_core import Core, drop_failed, new_version
from seeknal.stores.sqlite_events import Note, tell, tidy
from seeknal.stores.sqlite_ranges import COMPLETIONS, RESTATEMENTS, UNFINISHED
from seeknal.stores.sqlite_rows import (
    PLANNED_COLUMNS,
    RUN_COLUMNS,
    mapping_of,
    planned_row,
    planned_unit_of,
    run_of,
    unit_key,
)
from seeknal.stores.sqlite_schema import FAILED, READY
from seeknal.workflow.cursor import next_turn
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Run, RunStatus
from seeknal.workflow.units import Planned, PlannedRange, PlannedUnit, PlannedValue, Unit

_OPEN: Final = (RunStatus.ACTIVE, RunStatus.PAUSED)
_FROM: Final = {
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
INSERT INTO runs (id, flow, status, owner, priority, max_active, units, created, ended, last_event)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
"""
_NEW_SPEC = """
INSERT INTO run_specs (run, spec, fingerprint, planned, options, created_by)
VALUES (?, ?, ?, ?, ?, ?)
"""
_LATEST_SPEC = "INSERT OR REPLACE INTO specs (flow, fingerprint, run) VALUES (?, ?, ?)"
_PLAN_VALUE = "INSERT OR IGNORE INTO unfinished_values (flow, value) VALUES (?, ?)"
_STATUS = "SELECT flow, status FROM runs WHERE id = ?"
_AGAIN_VALUE = """
INSERT OR IGNORE INTO restated_values (flow, value, reason)
SELECT flow, value, ? FROM completed_values WHERE flow = ? AND value = ?
"""
_FAIL_TRIED = f"""
UPDATE units SET state = {FAILED}, ready = 0, token = 0, worker = '', until = 0
WHERE run = ? AND state <> {FAILED} AND attempts > 0
"""
_COUNT_FAILED = "UPDATE runs SET failed = failed + ? WHERE id = ?"
_DROP_LIVE = f"DELETE FROM units WHERE run = ? AND state <> {FAILED}"
_NOTHING_LIVE = "UPDATE runs SET live = 0, running = 0 WHERE id = ?"

_STEERED = "SELECT flow, status, options, cursor FROM runs JOIN run_specs ON run = id WHERE id = ?"
_STEER = "UPDATE runs SET priority = ?, max_active = ?, cursor = ?, live = live - ? WHERE id = ?"
_OPTIONS = "UPDATE run_specs SET options = ? WHERE run = ?"
_UNTRIED = f"FROM units WHERE run = ? AND state = {READY} AND since = 0"
_RETURN = f"""
INSERT INTO returned (run, {PLANNED_COLUMNS}) SELECT run, {PLANNED_COLUMNS} {_UNTRIED}
"""
_UNFEED = f"DELETE {_UNTRIED}"
_RETURNED = f"SELECT {PLANNED_COLUMNS} FROM returned WHERE run = ? ORDER BY start, end, value"
_NONE_RETURNED = "DELETE FROM returned WHERE run = ?"
_FEED_RETURNED = """
DELETE FROM returned WHERE run = ? AND flow = ? AND start = ? AND end = ? AND value = ?
"""

_CURSOR = """
SELECT cursor, EXISTS (SELECT 1 FROM returned WHERE run = id) FROM runs
WHERE id = ? AND status = 'active'
"""
_FEED = f"INSERT OR IGNORE INTO units (run, {PLANNED_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
_FED = "UPDATE runs SET cursor = ?, live = live + ? WHERE id = ?"
_WIDEST = "UPDATE flows SET widest = max(widest, ?) WHERE name = ?"


class RunVerbs(Core):
    """Runs, from their registration to their end."""

    def holds(self, flow: str) -> Holds:
        """Return who holds units of a flow, after ending the runs whose process is gone."""
        self._end_orphans(flow)
        with self._db.read() as db:
            rows = db.execute(_HOLDING, (flow,)).fetchall()
            return Holds(_version(db, flow), tuple(_run(db, row) for row in rows))

    def register(self, run: Run, version: int, again: Again | None = None) -> bool:
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
                raise run_exists(run.id)
            status = RunStatus.ACTIVE if run.units else RunStatus.DONE
            now = self.now()
            tidy(db, now)
            place = run.options.get("priority") or 0, run.options.get("max_active")
            ended = 0.0 if run.units else now
            new = (run.id, run.flow, status, run.owner, *place, run.units, now, ended)
            db.execute(_NEW_RUN, new)
            db.execute(_NEW_SPEC, spec)
            if run.fingerprint:
                db.execute(_LATEST_SPEC, (run.flow, run.fingerprint, run.id))
            tell(db, run.id, 1, now, Note("registered", detail=run.created_by))
            _plan(db, run.flow, run.planned)
            if again is not None:
                self._restate(db, run.flow, again)
            new_version(db, run.flow)
            return True

    def _restate(self, db: sqlite3.Connection, flow: str, again: Again) -> None:
        """Restate what is done and not restated yet."""
        for r in again.restatements:
            for low, high, _ in COMPLETIONS.within(db, flow, r.start, r.end):
                RESTATEMENTS.fill(db, flow, low, high, (r.schedule, r.reason))
        for value, reason in again.values.items():
            db.execute(_AGAIN_VALUE, (reason, flow, value))
        if again.change is not None:
            self._audit(db, flow, again.change)

    def run(self, run_id: str) -> Run | None:
        """Return a run, or None if there is none of that id."""
        with self._db.read() as db:
            row = db.execute(_THE_RUN, (run_id,)).fetchone()
            return None if row is None else _run(db, row)

    def runs(self, flow: str | None = None, limit: int = 100) -> list[Run]:
        """Return runs, newest first, after ending those whose process is gone."""
        self._end_orphans(flow)
        with self._db.read() as db:
            if flow is None:
                rows = db.execute(_ALL_RUNS, (limit,)).fetchall()
            else:
                rows = db.execute(_FLOW_RUNS, (flow, limit)).fetchall()
            return [_run(db, row) for row in rows]

    def set_status(self, run_id: str, status: RunStatus, change: Change | None = None) -> bool:
        """Pause, resume, cancel or interrupt a run; returns whether anything changed."""
        check_status(run_id, status)
        with self._db.write() as db:
            flow = self._set_status(db, run_id, status)
            if flow is not None and change is not None:
                self._audit(db, flow, change)
            return flow is not None

    def _set_status(
        self, db: sqlite3.Connection, run_id: str, status: RunStatus, detail: str = ""
    ) -> str | None:
        """Change a run's status; return its flow, or None if that cannot be."""
        row = db.execute(_STATUS, (run_id,)).fetchone()
        if row is None or row[1] not in _FROM[status]:
            return None
        flow: str = row[0]
        ends = status not in _OPEN
        if ends:
            db.execute(_COUNT_FAILED, (db.execute(_FAIL_TRIED, (run_id,)).rowcount, run_id))
            for statement in (_DROP_LIVE, _NONE_RETURNED, _NOTHING_LIVE):
                db.execute(statement, (run_id,))
        self._put_status(db, run_id, Note(status, detail=detail), ends=ends)
        new_version(db, flow)
        return flow

    def steer(self, run_id: str, options: Mapping[str, Any], change: Change | None = None) -> bool:
        """Change the order, the priority or the cap of an active or paused run."""
        check_steered(run_id, options)
        with self._db.write() as db:
            row = db.execute(_STEERED, (run_id,)).fetchone()
            if row is None or row[1] not in _OPEN:
                return False
            flow, _, text, cursor = row
            before = mapping_of(text)
            after = {k: v for k, v in (before | dict(options)).items() if v is not None}
            taken = 0
            if bool(before.get("newest_first")) != bool(after.get("newest_first")):
                taken = db.execute(_RETURN, (run_id,)).rowcount
                db.execute(_UNFEED, (run_id,))
                cursor = next_turn(cursor)
            place = after.get("priority") or 0, after.get("max_active")
            db.execute(_STEER, (*place, cursor, taken, run_id))
            db.execute(_OPTIONS, (json.dumps(after), run_id))
            if change is not None:
                self._audit(db, flow, change)
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
            found = db.execute(_CURSOR, (run_id,)).fetchone()
            if found is None or found[0] != cursor:
                return False
            fed = 0
            if units:
                fed = db.executemany(_FEED, [(run_id, *planned_row(p)) for p in units]).rowcount
                if found[1]:
                    keys = [(run_id, *unit_key(p.unit)) for p in units]
                    db.executemany(_FEED_RETURNED, keys)
                widest = max(p.unit.end - p.unit.start for p in units)
                db.execute(_WIDEST, (widest, units[0].unit.flow))
            db.execute(_FED, (next_cursor, fed, run_id))
            return True


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


def _run(db: sqlite3.Connection, row: Sequence[Any]) -> Run:
    returned = db.execute(_RETURNED, (row[0],))
    return run_of(row, tuple(planned_unit_of(unit) for unit in returned))
