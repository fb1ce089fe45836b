"""What the verbs of the embedded store share: its clock, its file, and a run's tally."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple

from seeknal.stores.base import Change
from seeknal.stores.refusals import lost
from seeknal.stores.sqlite_db import Database
from seeknal.stores.sqlite_events import Note, log, tell
from seeknal.stores.sqlite_ranges import COMPLETIONS, RESTATEMENTS
from seeknal.stores.sqlite_rows import unit_of, value_text
from seeknal.stores.sqlite_schema import FAILED, RUNNING
from seeknal.workflow.state import Claim, RunStatus, UnitResult
from seeknal.workflow.units import Unit

NOTHING: Final = UnitResult()

_SEE_FLOW = "INSERT OR IGNORE INTO flows (name) VALUES (?)"
_NEW_VERSION = "UPDATE flows SET version = version + 1 WHERE name = ?"
_AUDIT = "INSERT INTO audit (at, actor, action, flow, what, reason) VALUES (?, ?, ?, ?, ?, ?)"
_TALLY = """
UPDATE runs SET done = done + ?, failed = failed + ?, running = running + ?, live = live + ?,
    retries = retries + ?, rows = rows + ?, bytes = bytes + ?, busy = busy + ?,
    last_event = last_event + 1
WHERE id = ? RETURNING flow, status, units, done, failed, last_event
"""
_SET_STATUS = """
UPDATE runs SET status = ?, ended = ?, last_event = last_event + 1 WHERE id = ?
RETURNING last_event
"""
_HELD = """
SELECT seq, state, token, since FROM units
WHERE flow = ? AND start = ? AND end = ? AND value = ? AND run = ?
"""
_VALUE_DONE = """
SELECT 1 FROM completed_values WHERE flow = ?1 AND value = ?2
    AND NOT EXISTS (SELECT 1 FROM restated_values WHERE flow = ?1 AND value = ?2)
"""
_FAILED_NEAR = f"""
SELECT seq, start, end FROM units
WHERE state = {FAILED} AND flow = ?1 AND value = '' AND start < ?2 AND end > ?3
    AND start > ?3 - (SELECT widest FROM flows WHERE name = ?1)
"""
_FAILED_VALUE = f"DELETE FROM units WHERE state = {FAILED} AND flow = ? AND value = ?"
_DROP_UNIT = "DELETE FROM units WHERE seq = ?"


class Held(NamedTuple):
    """A claimed unit's row, whether it runs, and since when."""

    seq: int
    running: bool
    since: float


class Core:
    """The embedded store's file and clock."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """Open the state file, or make it.

        ``clock`` returns seconds since the epoch; processes that share a file share a machine.

        Raises:
            StoreError: the file is damaged, of a newer version, or cannot be written.
        """
        self._clock = clock
        self._db = Database(Path(path))

    def now(self) -> float:
        """Return the store's time in seconds since the epoch."""
        return self._clock()

    def close(self) -> None:
        """Close the file; later calls raise StoreError."""
        self._db.close()

    def together(self) -> AbstractContextManager[None]:
        """Make what this thread asks for within the block one transaction."""
        return self._db.together()

    def verify(self) -> None:
        """Read the whole file.

        Raises:
            StoreError: it is damaged.
        """
        self._db.verify()

    def _audit(self, db: sqlite3.Connection, flow: str, change: Change) -> None:
        db.execute(_SEE_FLOW, (flow,))
        db.execute(
            _AUDIT,
            (self.now(), change.actor, change.action, flow, change.what, change.reason),
        )

    def _put_status(self, db: sqlite3.Connection, run: str, note: Note, *, ends: bool) -> None:
        """Give a run the status that a note names, and tell of it."""
        now = self.now()
        number = db.execute(_SET_STATUS, (note.kind, now if ends else 0.0, run)).fetchone()[0]
        tell(db, run, number, now, note)

    def _tally(
        self,
        db: sqlite3.Connection,
        run: str,
        note: Note,
        *,
        done: int = 0,
        failed: int = 0,
        running: int = 0,
        live: int = 0,
        retries: int = 0,
        result: UnitResult = NOTHING,
    ) -> None:
        """Count what became of a unit, tell of it, and end the run with its last unit."""
        made = (result.rows, result.bytes, result.seconds)
        row: Any = db.execute(_TALLY, (done, failed, running, live, retries, *made, run)).fetchone()
        flow, status, units, all_done, all_failed, number = row
        now = self.now()
        tell(db, run, number, now, note)
        log(db, flow, run, number, now, note)
        is_open = status in (RunStatus.ACTIVE, RunStatus.PAUSED)
        if is_open and all_done + all_failed >= units:
            end = RunStatus.FAILED if all_failed else RunStatus.DONE
            self._put_status(db, run, Note(end), ends=True)
            new_version(db, flow)
        elif running and status != RunStatus.ACTIVE:
            new_version(db, flow)


def new_version(db: sqlite3.Connection, flow: str) -> None:
    """Note that the set of runs that hold a flow's units may have changed."""
    db.execute(_SEE_FLOW, (flow,))
    db.execute(_NEW_VERSION, (flow,))


def is_done(db: sqlite3.Connection, unit: Unit) -> bool:
    """Say whether a unit's time, or value, is completed and nothing of it restated."""
    if unit.value is not None:
        return db.execute(_VALUE_DONE, (unit.flow, unit.value)).fetchone() is not None
    if not COMPLETIONS.covers(db, unit.flow, unit.start, unit.end):
        return False
    return not RESTATEMENTS.within(db, unit.flow, unit.start, unit.end)


def drop_failed(db: sqlite3.Connection, unit: Unit) -> None:
    """Drop the failed records within a unit's time, and those whose time is done with it."""
    if unit.value is not None:
        db.execute(_FAILED_VALUE, (unit.flow, value_text(unit.value)))
        return
    for seq, start, end in db.execute(_FAILED_NEAR, (unit.flow, unit.end, unit.start)).fetchall():
        inside = unit.start <= start and end <= unit.end
        if inside or is_done(db, unit_of(unit.flow, start, end, "")):
            db.execute(_DROP_UNIT, (seq,))


def held(db: sqlite3.Connection, claim: Claim) -> Held | None:
    """Return what a claim holds; None if its token is not current."""
    unit = claim.unit
    key = (unit.flow, unit.start, unit.end, value_text(unit.value), claim.run)
    row = db.execute(_HELD, key).fetchone()
    if row is None or row[2] != claim.token:
        return None
    return Held(row[0], row[1] == RUNNING, row[3])


def must_hold(db: sqlite3.Connection, claim: Claim) -> Held:
    """Return what :func:`held` does.

    Raises:
        LeaseLostError: the token is not current.
    """
    found = held(db, claim)
    if found is None:
        raise lost(claim)
    return found
