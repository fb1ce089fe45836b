"""The embedded store's verbs of one unit: claim, renew, prepare, complete, fail, reap."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from seeknal.stores.base import NO_OVERLAP, Overlap
from seeknal.stores.owners import owner_alive
from seeknal.stores.ranges import Stretch
from seeknal.stores.refusals import lost
from seeknal.stores.sqlite_core import (
    Core,
    drop_failed,
    held,
    is_done,
    must_hold,
    new_version,
)
from seeknal.stores.sqlite_events import Note
from seeknal.stores.sqlite_ranges import COMPLETIONS, FORGOTTEN, RESTATEMENTS, UNFINISHED
from seeknal.stores.sqlite_rows import (
    UNIT_COLUMNS,
    completions_of,
    record_of,
    unit_key,
    unit_of,
    value_text,
)
from seeknal.stores.sqlite_schema import FAILED, READY, RUNNING, WAITING
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Claim, RunStatus, UnitRecord, UnitResult, UnitStatus
from seeknal.workflow.units import PlannedUnit, Unit

_BATCH: Final = 16

_WAKE = f"UPDATE units SET state = {READY}, ready = 0 WHERE state = {WAITING} AND ready <= ?"
_OPEN_RUNS = """
SELECT id FROM runs
WHERE status = 'active' AND live > running AND (max_active IS NULL OR running < max_active)
ORDER BY priority DESC, running, seq
"""
_RUN_OPEN = """
SELECT max_active IS NULL OR running < max_active FROM runs WHERE id = ? AND status = 'active'
"""
_ROW = "seq, flow, start, end, value, origin, schedule, attempts, state, until"
_SAME_UNIT = """
flow = this.flow AND start = this.start AND end = this.end AND value = this.value
"""
_READY_UNITS = f"""
SELECT {_ROW}, EXISTS (SELECT 1 FROM units WHERE {_SAME_UNIT} AND run <> this.run),
    this.value <> '' OR start < ifnull((
        SELECT end FROM completions WHERE flow = this.flow AND start <= this.start
        ORDER BY start DESC LIMIT 1
    ), start)
FROM units AS this WHERE run = ? AND state = {READY} AND seq > ? ORDER BY seq LIMIT ?
"""
_THE_UNIT = f"""
SELECT {_ROW}, 1, 1 FROM units
WHERE flow = ? AND start = ? AND end = ? AND value = ? AND run = ?
"""
_ELSEWHERE = """
SELECT seq, run, state, token, until FROM units
WHERE flow = ? AND start = ? AND end = ? AND value = ? AND run <> ?
"""
_REVOKE = f"""
UPDATE units SET token = 0, worker = '', until = 0,
    state = CASE WHEN state = {RUNNING} THEN {READY} ELSE state END
WHERE seq = ?
"""
_TOKEN = "UPDATE tokens SET last = max(last + 1, ?) RETURNING last"
_RAISE_TOKEN = "UPDATE tokens SET last = max(last, ?) RETURNING last"
_LEASE = f"""
UPDATE units SET state = {RUNNING}, token = ?, worker = ?, until = ?, since = ? WHERE seq = ?
"""
_COUNT_RUNNING = "UPDATE runs SET running = running + ? WHERE id = ? RETURNING flow, status"
_RENEW = f"""
UPDATE units SET state = {RUNNING}, worker = ?, until = ?, ready = 0 WHERE seq = ?
"""
_DROP = "DELETE FROM units WHERE seq = ?"
_DROP_HELD = """
DELETE FROM units WHERE flow = ? AND start = ? AND end = ? AND value = ? AND run = ? AND token = ?
RETURNING state
"""
_RETRY = """
UPDATE units SET state = ?, ready = ?, attempts = attempts + 1, error = ?, token = 0,
    worker = '', until = 0
WHERE seq = ?
"""
_OTHER_FAILURES = f"""
DELETE FROM units WHERE state = {FAILED} AND flow = ? AND start = ? AND end = ? AND value = ?
    AND run <> ?
"""
_HAND_BACK = f"""
UPDATE units SET state = {READY}, ready = 0, token = 0, worker = '', until = 0 WHERE seq = ?
"""
# The token stays: whoever held the unit may take it up again until somebody claims it.
_REQUEUE = f"UPDATE units SET state = {READY}, ready = 0, worker = '', until = 0 WHERE seq = ?"
# Runs of another status have no units under lease.
_LEASED = f"""
state = {RUNNING} AND run IN (SELECT id FROM runs WHERE status IN ('active', 'paused'))
"""
_WORKERS = f"SELECT DISTINCT worker FROM units WHERE {_LEASED}"
_RUNNING = f"SELECT seq, {UNIT_COLUMNS} FROM units WHERE {_LEASED} ORDER BY until"

_PUBLISH = """
INSERT OR REPLACE INTO publishing (flow, value, start, end)
SELECT flow, value, start, end FROM units
WHERE flow = ? AND start = ? AND end = ? AND value = ? AND run = ? AND token = ?
"""
_PUBLISHING = """
FROM publishing WHERE flow = ?1 AND value = '' AND start < ?3 AND end > ?2
    AND NOT (start = ?2 AND end = ?3)
    AND start > ?2 - (SELECT widest FROM flows WHERE name = ?1)
"""
# Ranges of a table do not overlap: of those that start before a time the last one ends last.
_OVERLAPPING = """
FROM {0} WHERE flow = ?1 AND start < ?3 AND end > ?2
    AND start >= ifnull((SELECT max(start) FROM {0} WHERE flow = ?1 AND start <= ?2), ?2)
"""
_OVERLAP = f"""
SELECT start, end, origin, schedule, fingerprint {_OVERLAPPING.format("completions")}
UNION ALL SELECT start, end, origin, schedule, fingerprint {_OVERLAPPING.format("forgotten")}
UNION ALL SELECT start, end, '', '', '' {_PUBLISHING}
ORDER BY 1, 2
"""
_PUBLISHED = "DELETE FROM publishing WHERE flow = ? AND value = ? AND start = ? AND end = ?"

# Most units have nothing of this around them.
_TO_SETTLE = f"""
SELECT EXISTS (SELECT 1 FROM forgotten WHERE flow = ?1)
    OR EXISTS (SELECT 1 FROM restatements WHERE flow = ?1)
    OR EXISTS (SELECT 1 FROM units WHERE state = {FAILED} AND flow = ?1)
    OR EXISTS (SELECT 1 {_PUBLISHING})
"""
_OTHERS_PUBLISHING = f"SELECT start, end {_PUBLISHING}"
_SETTLE_VALUE = (
    "DELETE FROM restated_values WHERE flow = ? AND value = ?",
    "DELETE FROM unfinished_values WHERE flow = ? AND value = ?",
)
_COMPLETE_VALUE = """
INSERT OR REPLACE INTO completed_values (flow, value, origin, fingerprint) VALUES (?, ?, ?, ?)
"""


class _Candidate(NamedTuple):
    """A unit's record that may be claimed.

    That it is ``contested``, or ``perhaps_done``, is to be looked into.
    """

    run: str
    seq: int
    unit: Unit
    origin: str
    schedule: str
    attempts: int
    state: int
    until: float
    contested: int
    perhaps_done: int


class UnitVerbs(Core):
    """Units under lease."""

    def claim(
        self, worker: str, lease: float, run_id: str | None = None, unit: Unit | None = None
    ) -> Claim | None:
        """Lease a unit to a worker, or return None if none is to be had."""
        with self._db.write() as db:
            now = self.now()
            db.execute(_WAKE, (now,))
            if run_id is not None and unit is not None:
                candidates = _the_unit(db, run_id, unit, now)
            else:
                candidates = _ready_units(db, run_id)
            for candidate in candidates:
                if candidate.perhaps_done and is_done(db, candidate.unit):
                    self._skip(db, candidate)
                elif _take(db, candidate, now):
                    return _lease(db, candidate, worker, now, lease)
            return None

    def _skip(self, db: sqlite3.Connection, candidate: _Candidate) -> None:
        """Count a unit that somebody else completed as done."""
        db.execute(_DROP, (candidate.seq,))
        note = Note("skipped", candidate.unit.key)
        running = -1 if candidate.state == RUNNING else 0
        self._tally(db, candidate.run, note, done=1, live=-1, running=running)

    def renew(self, claim: Claim, lease: float) -> bool:
        """Extend a lease; False if the token is no longer current."""
        with self._db.write() as db:
            found = held(db, claim)
            if found is None:
                return False
            db.execute(_RENEW, (claim.worker, self.now() + lease, found.seq))
            if not found.running:
                _count_running(db, claim.run, 1)
            return True

    def prepare(self, claim: Claim) -> Overlap:
        """Fence the publication, and return what else lies within the unit's time."""
        unit = claim.unit
        with self._db.write() as db:
            if not db.execute(_PUBLISH, (*unit_key(unit), claim.run, claim.token)).rowcount:
                raise lost(claim)
            if unit.value is not None:
                return NO_OVERLAP
            rows = db.execute(_OVERLAP, (unit.flow, unit.start, unit.end)).fetchall()
            return _overlap(unit.flow, rows) if rows else NO_OVERLAP

    def forget(self, claim: Claim, spans: IntervalSet) -> None:
        """Take back completions within spans, whose output this unit is about to remove."""
        flow = claim.unit.flow
        with self._db.write() as db:
            must_hold(db, claim)
            for start, end in spans.ranges:
                for low, high, label in COMPLETIONS.within(db, flow, start, end):
                    FORGOTTEN.paint(db, flow, low, high, label)
                    UNFINISHED.paint(db, flow, low, high)
                COMPLETIONS.erase(db, flow, start, end)
                RESTATEMENTS.erase(db, flow, start, end)

    def complete(self, claim: Claim, fingerprint: str, result: UnitResult) -> None:
        """Make the unit complete; its record goes, and with its last unit the run ends."""
        unit = claim.unit
        with self._db.write() as db:
            row = db.execute(_DROP_HELD, (*unit_key(unit), claim.run, claim.token)).fetchone()
            if row is None:
                raise lost(claim)
            if unit.value is None:
                self._complete_time(db, claim, fingerprint)
            else:
                self._complete_value(db, claim, fingerprint)
            made = (result.seconds, result.rows, result.bytes)
            note = Note("completed", unit.key, claim.worker, "", *made)
            self._tally(
                db,
                claim.run,
                note,
                done=1,
                running=-1 if row[0] == RUNNING else 0,
                live=-1,
                result=result,
            )

    def _complete_time(self, db: sqlite3.Connection, claim: Claim, fingerprint: str) -> None:
        unit = claim.unit
        span = (unit.flow, unit.start, unit.end)
        label = (str(claim.planned.origin), claim.planned.schedule, fingerprint)
        COMPLETIONS.paint(db, *span, label)
        UNFINISHED.erase(db, *span)
        db.execute(_PUBLISHED, (unit.flow, "", unit.start, unit.end))
        if db.execute(_TO_SETTLE, span).fetchone()[0]:
            _settle(db, unit)

    def _complete_value(self, db: sqlite3.Connection, claim: Claim, fingerprint: str) -> None:
        unit = claim.unit
        origin = str(claim.planned.origin)
        db.execute(_COMPLETE_VALUE, (unit.flow, unit.value, origin, fingerprint))
        for statement in _SETTLE_VALUE:
            db.execute(statement, (unit.flow, unit.value))
        drop_failed(db, unit)
        db.execute(_PUBLISHED, (unit.flow, value_text(unit.value), 0, 0))

    def fail(self, claim: Claim, error: str, retry_in: float | None) -> None:
        """End an attempt: tried again in so many seconds, or failed for good if None."""
        unit = claim.unit
        with self._db.write() as db:
            row, now = must_hold(db, claim), self.now()
            final = retry_in is None
            state = FAILED if final else WAITING
            ready = 0.0 if retry_in is None else now + retry_in
            db.execute(_RETRY, (state, ready, error, row.seq))
            if final:
                db.execute(_OTHER_FAILURES, (*unit_key(unit), claim.run))
            kind = "failed" if final else "retry"
            note = Note(kind, unit.key, claim.worker, error, now - row.since)
            self._tally(
                db,
                claim.run,
                note,
                failed=int(final),
                retries=int(not final),
                running=-1 if row.running else 0,
                live=-1 if final else 0,
            )

    def release(self, claim: Claim) -> None:
        """Hand a unit back, ready at once, without an attempt; nothing if the token is stale."""
        with self._db.write() as db:
            found = held(db, claim)
            if found is None:
                return
            db.execute(_HAND_BACK, (found.seq,))
            seconds = self.now() - found.since
            note = Note("released", claim.unit.key, claim.worker, seconds=seconds)
            self._tally(db, claim.run, note, running=-1 if found.running else 0)

    def raise_token(self, least: int) -> int:
        """Let every later token be greater than ``least``; return the greatest one so far."""
        with self._db.write() as db:
            token: int = db.execute(_RAISE_TOKEN, (least,)).fetchone()[0]
            return token

    def reap(self, limit: int = 500) -> list[UnitRecord]:
        """Queue again the running units whose lease expired, or whose worker process is dead."""
        with self._db.read() as db:
            workers = [worker for (worker,) in db.execute(_WORKERS)]
        if not workers:
            return []
        dead = {worker for worker in workers if not owner_alive(worker)}
        with self._db.write() as db:
            now = self.now()
            rows = db.execute(_RUNNING).fetchall()
            lost = [(seq, record_of(row)) for seq, *row in rows]
            lost = [(seq, r) for seq, r in lost if r.until < now or r.worker in dead][:limit]
            return [self._requeue(db, seq, record, now) for seq, record in lost]

    def _requeue(
        self, db: sqlite3.Connection, seq: int, record: UnitRecord, now: float
    ) -> UnitRecord:
        db.execute(_REQUEUE, (seq,))
        why = "the lease expired" if record.until < now else "the worker's process is gone"
        note = Note("reaped", record.unit.key, record.worker, why, now - record.since)
        self._tally(db, record.run, note, running=-1)
        return UnitRecord(
            record.run,
            record.planned,
            UnitStatus.QUEUED,
            record.attempts,
            worker=record.worker,
            error=record.error,
        )


def _candidate(run: str, row: Any) -> _Candidate:
    return _Candidate(run, row[0], unit_of(*row[1:5]), *row[5:])


def _overlap(flow: str, rows: list[Any]) -> Overlap:
    """Return what is completed, or was, by rows with an origin, and what is being published."""
    return Overlap(
        completions_of(Stretch(row[0], row[1], row[2:]) for row in rows if row[2]),
        tuple(Unit(flow, row[0], row[1]) for row in rows if not row[2]),
    )


def _settle(db: sqlite3.Connection, unit: Unit) -> None:
    """Settle what a completed unit leaves without meaning within its time."""
    span = (unit.flow, unit.start, unit.end)
    FORGOTTEN.erase(db, *span)
    RESTATEMENTS.erase(db, *span)
    drop_failed(db, unit)
    for start, end in db.execute(_OTHERS_PUBLISHING, span).fetchall():
        inside = unit.start <= start and end <= unit.end
        if inside or is_done(db, Unit(unit.flow, start, end)):
            db.execute(_PUBLISHED, (unit.flow, "", start, end))


def _the_unit(db: sqlite3.Connection, run: str, unit: Unit, now: float) -> Iterator[_Candidate]:
    below_cap = db.execute(_RUN_OPEN, (run,)).fetchone()
    row = db.execute(_THE_UNIT, (*unit_key(unit), run)).fetchone()
    if below_cap is None or row is None:
        return
    found = _candidate(run, row)
    expired = found.state == RUNNING and found.until < now
    if expired or (found.state == READY and below_cap[0]):
        yield found


def _ready_units(db: sqlite3.Connection, only: str | None) -> Iterator[_Candidate]:
    """Yield ready units in the order of claiming, a few at a time: they may be deleted."""
    for (run,) in db.execute(_OPEN_RUNS).fetchall():
        if only not in (None, run):
            continue
        after, size = 0, 1
        while rows := db.execute(_READY_UNITS, (run, after, size)).fetchall():
            yield from (_candidate(run, row) for row in rows)
            after, size = rows[-1][0], _BATCH


def _take(db: sqlite3.Connection, candidate: _Candidate, now: float) -> bool:
    """Take the unit from other runs' expired leases; False if one of them holds it."""
    if not candidate.contested:
        return True
    key = unit_key(candidate.unit)
    others = db.execute(_ELSEWHERE, (*key, candidate.run)).fetchall()
    if any(state == RUNNING and until >= now for _, _, state, _, until in others):
        return False
    for seq, run, state, token, _ in others:
        if token:
            db.execute(_REVOKE, (seq,))
        if state == RUNNING:
            _count_running(db, run, -1)
    return True


def _lease(
    db: sqlite3.Connection, candidate: _Candidate, worker: str, now: float, seconds: float
) -> Claim:
    token = db.execute(_TOKEN, (int(now * 1_000_000),)).fetchone()[0]
    until = now + seconds
    db.execute(_LEASE, (token, worker, until, now, candidate.seq))
    if candidate.state != RUNNING:
        _count_running(db, candidate.run, 1)
    planned = PlannedUnit(candidate.unit, candidate.origin, candidate.schedule)
    return Claim(candidate.run, planned, token, until, worker, candidate.attempts)


def _count_running(db: sqlite3.Connection, run: str, change: int) -> None:
    flow, status = db.execute(_COUNT_RUNNING, (change, run)).fetchone()
    if status != RunStatus.ACTIVE:
        new_version(db, flow)
