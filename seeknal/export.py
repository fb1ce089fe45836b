"""Writes what became of each unit of a run to a file: a row per unit, whatever their number.

Three sources tell of a unit, each of a part: its record, while it is not done; the run's events,
of which the latest 10,000 are kept; and the file that it published, where this machine sees it.
Of a unit that none of them tells of, the state says whether it is done, and no more.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, Final

from seeknal.engine.provenance import Published, describe
from seeknal.engine.sheet import to_parquet
from seeknal.errors import UsageError
from seeknal.feed import planned_units
from seeknal.files import replacing
from seeknal.outputs.parquet import ParquetOutput
from seeknal.stores.base import Store
from seeknal.workflow.state import Event, Run, RunStatus, UnitRecord, UnitStatus
from seeknal.workflow.units import Unit

# A row's fields, with DuckDB's types for them.
COLUMNS: Final = {
    "run": "VARCHAR",
    "flow": "VARCHAR",
    "unit": "VARCHAR",
    "start": "TIMESTAMPTZ",
    "end": "TIMESTAMPTZ",
    "partition": "VARCHAR",
    "status": "VARCHAR",
    "attempts": "INTEGER",
    "worker": "VARCHAR",
    "started": "TIMESTAMPTZ",
    "finished": "TIMESTAMPTZ",
    "seconds": "DOUBLE",
    "rows": "BIGINT",
    "bytes": "BIGINT",
    "error": "VARCHAR",
}
_ENDINGS: Final = (".parquet", ".json", ".jsonl")
_AT_ONCE: Final = 1000
_ALL: Final = 10_000_000
_OPEN: Final = (RunStatus.ACTIVE, RunStatus.PAUSED)
_DONE: Final = ("completed", "skipped")
_TOLD: Final = tuple(COLUMNS)[7:]  # what is told of a unit beside its status

Row = dict[str, Any]


def ending_of(path: Path) -> str:
    """Return what kind of file a path names: ``.parquet``, ``.json`` or ``.jsonl``.

    Raises:
        UsageError: it is none of these.
    """
    if path.suffix not in _ENDINGS:
        raise UsageError(
            f"{path.name!r} is neither Parquet nor JSON by its name; end it in .parquet, .json "
            "(one array) or .jsonl (a line for each unit)."
        )
    return path.suffix


def export(store: Store, run: Run, output: ParquetOutput | None, path: Path) -> int:
    """Write a row for each unit of a run, in one step; return how many.

    ``output`` is where the run's files are, or None if this machine does not see them.

    Raises:
        UsageError: the name does not say which kind of file it shall be.
        ConfigError: it cannot be written.
    """
    ending = ending_of(path)
    found = rows(store, run, output)
    with replacing(path) as staged:
        if ending != ".parquet":
            return _write(staged, found, array=ending == ".json")
        with NamedTemporaryFile(dir=staged.parent, prefix=f"{staged.name}.") as lines:
            count = _write(Path(lines.name), found, array=False)
            to_parquet(Path(lines.name), staged, COLUMNS)
            return count


def rows(store: Store, run: Run, output: ParquetOutput | None) -> Iterator[Row]:
    """Yield a row, of :data:`COLUMNS`, for each unit of a run in the order of its plan."""
    known = _Known(store, run)
    units = (planned.unit for planned in planned_units(run.flow, run.planned))
    while some := list(islice(units, _AT_ONCE)):
        files = _files(output, run, some)
        for unit in some:
            yield {
                "run": run.id,
                "flow": run.flow,
                "unit": unit.key,
                "start": None if unit.value is not None else _moment(unit.start),
                "end": None if unit.value is not None else _moment(unit.end),
                "partition": unit.value,
                **known.told(unit, files.get(unit.key)),
            }


class _Known:
    """What the store knows of a run's units, by their keys: read once, and in this order.

    A unit that ends meanwhile may have its record still, so an event that tells of its end counts
    for more.
    """

    def __init__(self, store: Store, run: Run) -> None:
        self._store, self._run = store, run
        self._records = {r.unit.key: r for r in store.records(run.id, limit=_ALL)}
        self._ends: dict[str, Event] = {}
        self._retries: Counter[str] = Counter()
        self._whole = False
        self._read_events()
        counts = store.counts(run.id)
        state = store.state(run.flow)
        self._completed = state.completed - state.restated
        self._values = {v.value for v in state.values}.difference(state.restated_values)
        failed = sum(r.status is UnitStatus.FAILED for r in self._records.values())
        failed += sum(e.kind == "failed" for k, e in self._ends.items() if k not in self._records)
        # Units that failed here, and whose record went when a later run took them up.
        self._others_failed = counts.failed > failed

    def told(self, unit: Unit, file: Published | None) -> Row:
        """Return the fields of a unit's row that say what became of it."""
        event, record = self._ends.get(unit.key), self._records.get(unit.key)
        if event is None and record is None and file is None and self._others_failed:
            event = next((e for e in self._log(unit) if e.kind == "failed"), None)
        if event is not None and event.kind == "failed":
            return _failed(event, record.attempts if record else self._attempts(unit))
        if event is not None or file is not None:
            return _done(event, file, self._attempts(unit))
        return _going_on(record) if record else _row(self._status(unit))

    def _read_events(self) -> None:
        after = ""
        while events := self._store.events(self._run.id, after):
            after = events[-1].id
            for event in events:
                if event.kind == "registered":
                    self._whole = True
                elif event.kind == "retry":
                    self._retries[event.unit] += 1
                elif event.unit and event.kind in (*_DONE, "failed"):
                    self._ends[event.unit] = event

    def _attempts(self, unit: Unit) -> int | None:
        """Return how often an ended unit was tried, where the events go back far enough."""
        return self._retries[unit.key] + 1 if self._whole else None

    def _log(self, unit: Unit) -> Iterator[Event]:
        return (event for event in self._store.log(unit.flow, unit) if event.run == self._run.id)

    def _status(self, unit: Unit) -> str:
        """Return how a unit stands of which nothing tells but what is done of the flow."""
        if unit.value is not None:
            done = unit.value in self._values
        else:
            done = self._completed.covers(unit.start, unit.end)
        if done or self._run.status in (RunStatus.DONE, RunStatus.FAILED):
            return "done"
        return str(UnitStatus.QUEUED if self._run.status in _OPEN else self._run.status)


def _files(output: ParquetOutput | None, run: Run, units: Sequence[Unit]) -> dict[str, Published]:
    """Return the published files of units that this very run made, by the units' keys."""
    if output is None:
        return {}
    paths = {path: unit.key for unit in units if (path := output.path(unit)).exists()}
    return {
        paths[file.path]: file for file in describe(paths) if file.said.get("seeknal_run") == run.id
    }


def _done(event: Event | None, file: Published | None, attempts: int | None) -> Row:
    if event is not None and event.kind == "skipped":
        return _row("done", finished=_moment(event.at))
    said = file.said if file else {}
    started = _read_moment(said.get("seeknal_started", ""))
    attempts = int(said["seeknal_attempt"]) if "seeknal_attempt" in said else attempts
    if event is not None:
        return _row(
            "done", attempts=attempts, **_of_event(event), rows=event.rows, bytes=event.bytes
        )
    assert file is not None
    return _row(
        "done",
        attempts=attempts,
        worker=said.get("seeknal_worker"),
        started=None if started is None else _moment(started),
        finished=_moment(file.at),
        seconds=None if started is None else round(max(0.0, file.at - started), 3),
        rows=file.rows,
        bytes=file.bytes,
    )


def _failed(event: Event, attempts: int | None) -> Row:
    return _row("failed", attempts=attempts, **_of_event(event), error=event.detail)


def _of_event(event: Event) -> Row:
    return {
        "worker": event.worker or None,
        "started": _moment(event.at - event.seconds),
        "finished": _moment(event.at),
        "seconds": round(event.seconds, 3),
    }


def _going_on(record: UnitRecord) -> Row:
    """Return what a record tells of a unit that is not done."""
    running = record.status is UnitStatus.RUNNING
    return _row(
        str(record.status),
        attempts=record.attempts + running,
        worker=record.worker or None,
        started=_moment(record.since) if running and record.since else None,
        error=record.error or None,
    )


def _row(status: str, **told: Any) -> Row:
    """Return the fields that say what became of a unit; what is not told is null."""
    return {"status": status, **dict.fromkeys(_TOLD), **told}


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _read_moment(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None


def _write(path: Path, found: Iterable[Row], *, array: bool) -> int:
    """Write rows as JSON, a line each, or as one array of them; return how many."""
    count = 0
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in found:
            before = ("[\n" if not count else ",\n") if array else ""
            file.write(before + json.dumps(row, ensure_ascii=False) + ("" if array else "\n"))
            count += 1
        if array:
            file.write("\n]\n" if count else "[]\n")
    return count
