"""What happened to the embedded store's runs, and to their units: written, trimmed, read."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from seeknal.workflow.state import Event

EVENTS_KEPT: Final = 10_000
ATTEMPTS_KEPT: Final = 20
HISTORY_KEPT: Final = 90 * 86_400.0  # seconds after a run's end, or a unit's last attempt
_EVENTS_SLACK: Final = 500  # trimmed in bulk, so that an event seldom costs a deletion
_TROUBLE: Final = frozenset({"retry", "failed", "reaped", "released"})

_COLUMNS = "id, at, kind, unit, worker, detail, seconds, rows, bytes, run"  # as in Event
_EVENT = f"INSERT INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OLD_EVENTS = "DELETE FROM events WHERE run = ? AND id <= ?"
_AFTER = f"SELECT {_COLUMNS} FROM events WHERE run = ? AND id > ? ORDER BY id LIMIT ?"
_LATEST = f"SELECT {_COLUMNS} FROM events WHERE run = ? ORDER BY id DESC LIMIT ?"

_LOG = f"INSERT INTO log ({_COLUMNS}, flow) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_LOGGED = "SELECT 1 FROM log WHERE flow = ? AND unit = ? LIMIT 1"
_OLD_ATTEMPTS = f"""
DELETE FROM log WHERE flow = ?1 AND unit = ?2 AND seq <= (
    SELECT seq FROM log WHERE flow = ?1 AND unit = ?2
    ORDER BY seq DESC LIMIT 1 OFFSET {ATTEMPTS_KEPT}
)
"""
_ATTEMPTS = f"SELECT {_COLUMNS} FROM log WHERE flow = ? AND unit = ? ORDER BY seq"

# A run that ended has no more events, and one that has none has no last one.
_PAST = """
UPDATE runs SET last_event = 0 WHERE ended > 0 AND ended < ? AND last_event > 0 RETURNING id
"""
_ALL_EVENTS = "DELETE FROM events WHERE run = ?"
_PAST_ATTEMPTS = """
DELETE FROM log WHERE at < ?1 AND NOT EXISTS (
    SELECT 1 FROM log AS later
    WHERE later.flow = log.flow AND later.unit = log.unit AND later.at >= ?1
)
"""


class Note(NamedTuple):
    """What an event says: a unit's if it has a unit, else the run's."""

    kind: str
    unit: str = ""
    worker: str = ""
    detail: str = ""
    seconds: float = 0.0
    rows: int = 0
    bytes: int = 0


def tell(db: sqlite3.Connection, run: str, number: int, at: float, note: Note) -> None:
    """Add an event to a run's."""
    db.execute(_EVENT, (number, at, *note, run))
    if number > EVENTS_KEPT and number % _EVENTS_SLACK == 0:
        db.execute(_OLD_EVENTS, (run, number - EVENTS_KEPT))


def log(db: sqlite3.Connection, flow: str, run: str, number: int, at: float, note: Note) -> None:
    """Add an attempt to its unit's log; one that went well only where others did not."""
    if note.kind in _TROUBLE or (note.kind == "completed" and _has_log(db, flow, note.unit)):
        db.execute(_LOG, (number, at, *note, run, flow))
        db.execute(_OLD_ATTEMPTS, (flow, note.unit))


def _has_log(db: sqlite3.Connection, flow: str, unit: str) -> bool:
    return db.execute(_LOGGED, (flow, unit)).fetchone() is not None


def tidy(db: sqlite3.Connection, now: float) -> None:
    """Drop the events and attempts that were kept for long enough."""
    for (run,) in db.execute(_PAST, (now - HISTORY_KEPT,)).fetchall():
        db.execute(_ALL_EVENTS, (run,))
    db.execute(_PAST_ATTEMPTS, (now - HISTORY_KEPT,))


def events_after(db: sqlite3.Connection, run: str, number: int, limit: int) -> list[Event]:
    """Return a run's events after one of them, oldest first."""
    return _events(db.execute(_AFTER, (run, number, limit)))


def latest_events(db: sqlite3.Connection, run: str, limit: int) -> list[Event]:
    """Return a run's latest events, newest first."""
    return _events(db.execute(_LATEST, (run, limit)))


def attempts_at(db: sqlite3.Connection, flow: str, unit: str) -> list[Event]:
    """Return a unit's logged attempts, oldest first."""
    return _events(db.execute(_ATTEMPTS, (flow, unit)))


def _events(rows: Iterable[Any]) -> list[Event]:
    return [Event(str(row[0]), *row[1:]) for row in rows]
