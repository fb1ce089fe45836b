"""The embedded store's verbs of a flow's state: read, mark, restate, failed, log, audit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from seeknal.stores.base import Change
from seeknal.stores.sqlite_core import Core, drop_failed
from seeknal.stores.sqlite_events import attempts_at
from seeknal.stores.sqlite_ranges import COMPLETIONS, RESTATEMENTS, UNFINISHED
from seeknal.stores.sqlite_rows import (
    UNIT_COLUMNS,
    completions_of,
    mapping_of,
    origin_of,
    record_of,
    unit_of,
)
from seeknal.stores.sqlite_schema import FAILED
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import (
    AuditEntry,
    CompletedValue,
    Completion,
    Event,
    FlowState,
    Restatement,
    UnitRecord,
)
from seeknal.workflow.units import Unit

_FLOWS = "SELECT name FROM flows ORDER BY name"
_VALUES = "SELECT value, origin, fingerprint FROM completed_values WHERE flow = ? ORDER BY value"
_RESTATED_VALUES = "SELECT value, reason FROM restated_values WHERE flow = ? ORDER BY value"
_UNFINISHED_VALUES = "SELECT value FROM unfinished_values WHERE flow = ?"

_MARK_VALUE = """
INSERT OR IGNORE INTO completed_values (flow, value, origin, fingerprint) VALUES (?, ?, ?, ?)
"""
_FINISH_VALUE = "DELETE FROM unfinished_values WHERE flow = ? AND value = ?"
_CLEAR_VALUE = "DELETE FROM restated_values WHERE flow = ? AND value = ?"
_RESTATE_VALUE = """
INSERT OR REPLACE INTO restated_values (flow, value, reason)
SELECT flow, value, ? FROM completed_values WHERE flow = ? AND value = ?
"""
_FAILURES = f"""
SELECT {UNIT_COLUMNS} FROM units WHERE state = {FAILED} AND flow = ? ORDER BY start, end, value
"""
# Of the index alone.
_FAILED_UNITS = f"SELECT flow, start, end, value FROM units WHERE state = {FAILED} AND flow = ?"
_SPECS = """
SELECT specs.fingerprint, spec FROM specs JOIN run_specs USING (run) WHERE flow = ?
"""
_AUDIT_COLUMNS = "at, actor, action, flow, what, reason"
_AUDIT_ALL = f"SELECT {_AUDIT_COLUMNS} FROM audit ORDER BY seq DESC LIMIT ?"
_AUDIT_FLOW = f"SELECT {_AUDIT_COLUMNS} FROM audit WHERE flow = ? ORDER BY seq DESC LIMIT ?"


class FlowVerbs(Core):
    """What is completed, restated, unfinished and failed of a flow."""

    def flows(self) -> list[str]:
        """Return the names of all flows that have state, sorted."""
        with self._db.read() as db:
            return [name for (name,) in db.execute(_FLOWS)]

    def state(self, flow: str) -> FlowState:
        """Return a consistent snapshot of a flow's state."""
        with self._db.read() as db:
            values = db.execute(_VALUES, (flow,)).fetchall()
            failed = [unit_of(*row) for row in db.execute(_FAILED_UNITS, (flow,))]
            return FlowState(
                completions=completions_of(COMPLETIONS.all(db, flow)),
                values=tuple(CompletedValue(v, origin_of(o), f) for v, o, f in values),
                restatements=tuple(
                    Restatement(s.start, s.end, s.label[0], s.label[1])
                    for s in RESTATEMENTS.all(db, flow)
                ),
                restated_values=dict(_pairs(db, _RESTATED_VALUES, flow)),
                unfinished=IntervalSet((s.start, s.end) for s in UNFINISHED.all(db, flow)),
                unfinished_values=frozenset(
                    value for (value,) in db.execute(_UNFINISHED_VALUES, (flow,))
                ),
                failed=IntervalSet((u.start, u.end) for u in failed if u.value is None),
                failed_values=frozenset(u.value for u in failed if u.value is not None),
            )

    def mark(
        self,
        flow: str,
        completions: Iterable[Completion],
        values: Iterable[CompletedValue],
        change: Change,
    ) -> None:
        """Complete by hand. Time that is already completed keeps its provenance."""
        completions, values = list(completions), list(values)
        with self._db.write() as db:
            for c in completions:
                label = (str(c.origin), c.schedule, c.fingerprint)
                COMPLETIONS.fill(db, flow, c.start, c.end, label)
                RESTATEMENTS.erase(db, flow, c.start, c.end)
                UNFINISHED.erase(db, flow, c.start, c.end)
                drop_failed(db, Unit(flow, c.start, c.end))
            for v in values:
                db.execute(_MARK_VALUE, (flow, v.value, str(v.origin), v.fingerprint))
                db.execute(_CLEAR_VALUE, (flow, v.value))
                db.execute(_FINISH_VALUE, (flow, v.value))
                drop_failed(db, Unit(flow, value=v.value))
            self._audit(db, flow, change)

    def restate(
        self,
        flow: str,
        restatements: Iterable[Restatement],
        values: Iterable[str],
        change: Change,
    ) -> None:
        """Ask for completed time, and completed values, to be done again."""
        restatements, values = list(restatements), list(values)
        with self._db.write() as db:
            for r in restatements:
                for low, high, _ in COMPLETIONS.within(db, flow, r.start, r.end):
                    RESTATEMENTS.paint(db, flow, low, high, (r.schedule, r.reason))
            for value in values:
                db.execute(_RESTATE_VALUE, (change.reason, flow, value))
            self._audit(db, flow, change)

    def clear_restatements(
        self, flow: str, within: IntervalSet, values: Iterable[str], change: Change
    ) -> None:
        """Withdraw what is restated within the given time, or of the given values."""
        values = list(values)
        with self._db.write() as db:
            for start, end in within.ranges:
                RESTATEMENTS.erase(db, flow, start, end)
            for value in values:
                db.execute(_CLEAR_VALUE, (flow, value))
            self._audit(db, flow, change)

    def failed(self, flow: str) -> list[UnitRecord]:
        """Return the flow's failed units in order of time (or value)."""
        with self._db.read() as db:
            return [record_of(row) for row in db.execute(_FAILURES, (flow,))]

    def log(self, flow: str, unit: Unit) -> list[Event]:
        """Return the latest attempts at a unit, in any run, oldest first."""
        with self._db.read() as db:
            return attempts_at(db, flow, unit.key)

    def specs(self, flow: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the spec of the latest run of each fingerprint that a flow was run with."""
        with self._db.read() as db:
            return {text: mapping_of(spec) for text, spec in db.execute(_SPECS, (flow,))}

    def audit(self, flow: str | None = None, limit: int = 1000) -> list[AuditEntry]:
        """Return the latest audited changes, newest first."""
        with self._db.read() as db:
            if flow is None:
                rows = db.execute(_AUDIT_ALL, (limit,)).fetchall()
            else:
                rows = db.execute(_AUDIT_FLOW, (flow, limit)).fetchall()
            return [AuditEntry(*row) for row in rows]


def _pairs(db: sqlite3.Connection, query: str, flow: str) -> list[tuple[Any, Any]]:
    return [(row[0], row[1]) for row in db.execute(query, (flow,))]
