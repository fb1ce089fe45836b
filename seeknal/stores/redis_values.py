"""What Redis holds, and the values it stands for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Final

from seeknal.errors import StoreError
from seeknal.stores.plans import planned_of, planned_text
from seeknal.stores.refusals import STEERED
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import (
    Claim,
    CompletedValue,
    Completion,
    Counts,
    Event,
    FlowState,
    Origin,
    Restatement,
    Run,
    RunStatus,
    UnitRecord,
    UnitStatus,
)
from seeknal.workflow.units import PlannedUnit, Unit

COUNT_FIELDS: Final = ("units", "done", "failed", "running", "retries", "rows", "bytes", "busy")
MICRO: Final = 1_000_000


@contextmanager
def readable(what: str) -> Iterator[None]:
    """Turn what cannot be read into an error that says so.

    Raises:
        StoreError: the block met what no Seeknal of this version wrote.
    """
    try:
        yield
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise StoreError(
            f"What Redis holds of {what} cannot be read ({error}). It was written by another "
            f"version of Seeknal, or changed by hand."
        ) from error


@lru_cache(maxsize=256)  # all units of a run have one label
def text_of(*parts: object) -> str:
    """Write a label: ranges merge if theirs are equal, to the letter."""
    return json.dumps([str(part) for part in parts], separators=(",", ":"))


def json_of(value: object) -> str:
    """Write a JSON value."""
    return json.dumps(value, separators=(",", ":"))


def seconds_of(micros: str | float) -> float:
    """Read a time that Redis holds."""
    return float(micros) / MICRO


def pairs(flat: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Yield what comes by turns, two by two."""
    yield from zip(flat[::2], flat[1::2], strict=True)


def unit_span(unit: Unit) -> tuple[str, str]:
    """Return a unit's start and end for a script: '' for those of a value."""
    if unit.value is not None:
        return "", ""
    return str(unit.start), str(unit.end)


def value_key(value: str) -> str:
    """Return what names a value partition's unit, of whichever flow."""
    return Unit("", value=value).key


def restatement_args(restatements: Iterable[Restatement]) -> list[str]:
    """Return start, end and label of each restatement, for a script."""
    return [
        text
        for r in restatements
        for text in (str(r.start), str(r.end), text_of(r.schedule, r.reason))
    ]


# -- units --------------------------------------------------------------------------------------


def plan_text(planned: PlannedUnit) -> str:
    """Write what never changes of a fed unit, as scripts read it."""
    return "|".join((*unit_span(planned.unit), str(planned.origin), planned.schedule))


def _planned_unit(flow: str, key: str, text: str) -> PlannedUnit:
    start, end, origin, schedule = text.split("|", 3)
    unit = Unit(flow, int(start), int(end)) if start else Unit.from_key(flow, key)
    return PlannedUnit(unit, origin, schedule)


def claim_of(reply: Sequence[Any], worker: str) -> Claim:
    """Return the claim that a script gave."""
    run, flow, key, text, token, until, attempts = reply
    planned = _planned_unit(flow, key, text)
    return Claim(run, planned, int(token), seconds_of(until), worker, int(attempts))


def record_of(run: str, flow: str, row: Sequence[Any]) -> UnitRecord:
    """Return a record of unit, planned, state, attempts, ready, worker, until, error, since."""
    key, text, state, attempts, ready, worker, until, error, since = row
    return UnitRecord(
        run,
        _planned_unit(flow, key, text),
        UnitStatus(state),
        int(attempts),
        seconds_of(ready),
        worker,
        seconds_of(until),
        error,
        seconds_of(since),
    )


def reaped_of(row: Sequence[Any]) -> UnitRecord:
    """Return the record of a unit that was just queued again."""
    run, flow, key, text, attempts, worker, error = row
    return record_of(run, flow, (key, text, "queued", attempts, 0, worker, 0, error, 0))


def failure_of(flow: str, row: Sequence[Any]) -> UnitRecord:
    """Return a failed record of run, unit, planned, attempts, error."""
    run, key, text, attempts, error = row
    return record_of(run, flow, (key, text, "failed", attempts, 0, "", 0, error, 0))


# -- flows --------------------------------------------------------------------------------------


def completion_of(start: str | float, end: str | float, label: str) -> Completion:
    """Return a completion of its ends and its label."""
    origin, schedule, fingerprint = json.loads(label)
    return Completion(int(start), int(end), Origin(origin), schedule, fingerprint)


def state_of(reply: Sequence[Sequence[Any]]) -> FlowState:
    """Return a flow's state as ``state.lua`` tells it."""
    completions, restatements, unfinished, values, restated, planned, failures, failed = reply
    return FlowState(
        completions=tuple(completion_of(*stretch) for stretch in _stretches(completions)),
        values=tuple(sorted(_value_of(unit, label) for unit, label in pairs(values))),
        restatements=tuple(
            Restatement(start, end, *json.loads(label))
            for start, end, label in _stretches(restatements)
        ),
        restated_values={_value(unit): reason for unit, reason in sorted(pairs(restated))},
        unfinished=IntervalSet((start, end) for start, end, _ in _stretches(unfinished)),
        unfinished_values=frozenset(map(_value, planned)),
        failed=IntervalSet((start, end) for start, end, _ in _stretches(failures)),
        failed_values=frozenset(_value(key) for key in failed[::2] if key.startswith("value=")),
    )


def _stretches(flat: Sequence[Any]) -> Iterator[tuple[int, int, str]]:
    for member, start in pairs(flat):
        end, _, label = member.partition("|")
        yield int(start), int(end), label


def _value(key: str) -> str:
    return Unit.from_key("", key).value or ""


def _value_of(key: str, label: str) -> CompletedValue:
    origin, fingerprint = json.loads(label)
    return CompletedValue(_value(key), Origin(origin), fingerprint)


# -- runs ---------------------------------------------------------------------------------------


def run_fields(run: Run) -> list[str]:
    """Return what a run's hash holds beside its counters: fields and texts by turns.

    Options that change while it goes on have fields of their own, which scripts read.
    """
    fields = {
        "fingerprint": run.fingerprint,
        "owner": run.owner,
        "spec": json_of(dict(run.spec)),
        "options": json_of({k: v for k, v in run.options.items() if k not in STEERED}),
        "planned": planned_text(run.planned),
    }
    steered = {name: option_text(run.options.get(name)) for name in STEERED}
    fields |= {name: text for name, text in steered.items() if text}
    return [text for pair in fields.items() for text in pair]


def option_text(value: Any) -> str:
    """Write an option that scripts read: '' for its default."""
    return "" if value is None else json_of(value)


def run_of(reply: Sequence[Sequence[Any]]) -> Run:
    """Return a run of its hash and its returned units, each as fields and texts by turns."""
    flat, returned = reply
    fields = dict(pairs(flat))
    flow = fields["flow"]
    steered = {name: json.loads(fields[name]) for name in STEERED if fields.get(name)}
    return Run(
        id=fields["id"],
        flow=flow,
        spec=json.loads(fields["spec"]),
        fingerprint=fields["fingerprint"],
        planned=planned_of(fields["planned"]),
        units=int(fields["units"]),
        options=json.loads(fields["options"]) | steered,
        created_by=fields["created_by"],
        owner=fields["owner"],
        status=RunStatus(fields["status"]),
        created=seconds_of(fields["created"]),
        cursor=fields["cursor"],
        ended=seconds_of(fields["ended"]),
        returned=tuple(_planned_unit(flow, key, text) for key, text in sorted(pairs(returned))),
    )


def counts_of(values: Sequence[Any]) -> Counts:
    """Return a run's counts of the values of ``COUNT_FIELDS``; none of an unknown run."""
    if values[0] is None:
        return Counts(0)
    *whole, busy = values
    units, done, failed, running, retries, rows, size = map(int, whole)
    return Counts(units, done, failed, running, retries, rows, size, float(busy))


def event_of(run: str, event_id: str, fields: Mapping[str, str]) -> Event:
    """Return an event of a run's stream."""
    kind, unit, worker, detail, seconds, rows, size = (fields[name] for name in "kuwdsrb")
    made = float(seconds), int(rows), int(size)
    return Event(event_id, _at(event_id), kind, unit, worker, detail, *made, run)


def attempt_of(unit: Unit, line: str) -> Event:
    """Return an event of a line of a unit's log."""
    event_id, run, kind, worker, seconds, rows, size, detail = line.split("\n", 7)
    made = float(seconds), int(rows), int(size)
    return Event(event_id, _at(event_id), kind, unit.key, worker, detail, *made, run)


def _at(event_id: str) -> float:
    return int(event_id.partition("-")[0]) / 1000
