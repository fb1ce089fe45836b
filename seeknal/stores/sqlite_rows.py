"""Rows of the state file, and the values they stand for."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final

from seeknal.stores.plans import planned_of
from seeknal.stores.ranges import Stretch
from seeknal.stores.sqlite_schema import FAILED, READY, RUNNING, WAITING
from seeknal.workflow.state import (
    Completion,
    Counts,
    Origin,
    Run,
    RunStatus,
    UnitRecord,
    UnitStatus,
)
from seeknal.workflow.units import PlannedUnit, Unit

PLANNED_COLUMNS: Final = "flow, start, end, value, origin, schedule"
UNIT_COLUMNS: Final = f"run, {PLANNED_COLUMNS}, state, attempts, ready, worker, until, error, since"
RUN_COLUMNS: Final = (
    "id, flow, spec, fingerprint, planned, units, options, created_by, owner, status, created, "
    "cursor, ended"
)
COUNT_COLUMNS: Final = "units, done, failed, running, retries, rows, bytes, busy"

STATES: Final = {
    UnitStatus.QUEUED: (READY, WAITING),
    UnitStatus.RUNNING: (RUNNING,),
    UnitStatus.FAILED: (FAILED,),
}
_STATUS: Final = {state: status for status, states in STATES.items() for state in states}


def value_text(value: str | None) -> str:
    """Return what stands for a unit's value in its key: '' for an interval."""
    return "" if value is None else f"={value}"


def unit_of(flow: str, start: int, end: int, text: str) -> Unit:
    """Return the unit of a row's flow, start, end and value."""
    return Unit(flow, start, end, text[1:] if text else None)


def record_of(row: Sequence[Any]) -> UnitRecord:
    """Return the record of a row of ``UNIT_COLUMNS``."""
    run, *planned, state, attempts, ready, worker, until, error, claimed = row
    since = claimed if state == RUNNING else 0.0
    unit, status = planned_unit_of(planned), _STATUS[state]
    return UnitRecord(run, unit, status, attempts, ready, worker, until, error, since)


def planned_unit_of(row: Sequence[Any]) -> PlannedUnit:
    """Return the planned unit of a row of ``PLANNED_COLUMNS``."""
    return PlannedUnit(unit_of(*row[:4]), *row[4:])


def planned_row(planned: PlannedUnit) -> tuple[str, int, int, str, str, str]:
    """Return a planned unit as a row of ``PLANNED_COLUMNS``."""
    return (*unit_key(planned.unit), str(planned.origin), planned.schedule)


def unit_key(unit: Unit) -> tuple[str, int, int, str]:
    """Return a unit as a row's flow, start, end and value."""
    return unit.flow, unit.start, unit.end, value_text(unit.value)


def completions_of(stretches: Iterable[Stretch]) -> tuple[Completion, ...]:
    """Return stretches labelled with origin, schedule and fingerprint as completions."""
    return tuple(
        Completion(start, end, origin_of(label[0]), label[1], label[2])
        for start, end, label in stretches
    )


def origin_of(text: str) -> Origin:
    """Return an origin by name.

    Raises:
        sqlite3.DataError: there is none of that name.
    """
    try:
        return Origin(text)
    except ValueError as error:
        raise sqlite3.DataError(str(error)) from error


def run_of(row: Sequence[Any], returned: tuple[PlannedUnit, ...]) -> Run:
    """Return the run of a row of ``RUN_COLUMNS``, and of the units that were taken back.

    Raises:
        sqlite3.DataError: the row holds what no Seeknal of this version wrote.
    """
    run, flow, spec, fingerprint, planned, units, options, created_by, *rest = row
    owner, status, created, cursor, ended = rest
    try:
        return Run(
            run,
            flow,
            json.loads(spec),
            fingerprint,
            planned_of(planned),
            units,
            json.loads(options),
            created_by,
            owner,
            RunStatus(status),
            created,
            cursor,
            ended,
            returned,
        )
    except (ValueError, TypeError) as error:
        raise sqlite3.DataError(f"run {run}: {error}") from error


def mapping_of(text: str) -> dict[str, Any]:
    """Return the JSON object that a text holds.

    Raises:
        sqlite3.DataError: it holds none.
    """
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError) as error:
        raise sqlite3.DataError(str(error)) from error


def counts_of(row: Sequence[Any]) -> Counts:
    """Return the counts of a row of ``COUNT_COLUMNS``."""
    return Counts(*row)
