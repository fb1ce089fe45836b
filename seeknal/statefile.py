"""The file that ``seeknal state export`` writes: a project's state, readable and whole.

It is JSON with one range, value or failure a line, and times in UTC. ``seeknal_state`` is the
version of this form: a reader refuses one that is newer than itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from seeknal.errors import ConfigError, ScheduleError, TimeError
from seeknal.files import write_atomic
from seeknal.home import Name
from seeknal.spec import RefusedError, Spec, describe, problems, sentence
from seeknal.workflow.instants import parse_instant, to_datetime
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import (
    CompletedValue,
    Completion,
    FlowState,
    Origin,
    Restatement,
    UnitRecord,
)

VERSION: Final = 1
#: Stores count tokens exactly below this.
TOKENS: Final = 2**53
_MARK: Final = "seeknal_state"
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Flow:
    """What a file holds of one flow; ``failed`` is to be read by people only."""

    state: FlowState
    failed: tuple[UnitRecord, ...] = ()


@dataclass(frozen=True, slots=True)
class StateFile:
    """What a file holds: whose state, as of when (ISO text), the last token, and the flows."""

    project: str
    exported: str
    token: int
    flows: Mapping[str, Flow]


def write_state(path: Path, state: StateFile) -> None:
    """Write a file, replacing an earlier export of that name in one step.

    Raises:
        ConfigError: the file cannot be written, or there is one that is no export.
    """
    if path.exists() and not path.is_dir() and not _is_export(path):
        raise ConfigError(
            f"{path} exists, and is not a state file of Seeknal; give another name, or remove it."
        )
    write_atomic(path, _text(state))


def read_state(path: Path) -> StateFile:
    """Read a file, all of it or nothing.

    Raises:
        ConfigError: it cannot be read, is cut off, of a newer Seeknal, or not a state file.
    """
    content = _parsed(path)
    if not isinstance(content, dict) or _MARK not in content:
        raise ConfigError(
            f"{path} is not a state file of Seeknal; give one that 'seeknal state export' wrote."
        )
    version = content[_MARK]
    if isinstance(version, int) and version > VERSION:
        raise ConfigError(
            f"{path} was written by a newer Seeknal (its form is {version}, this one knows "
            f"{VERSION}); upgrade Seeknal on this machine."
        )
    if version != VERSION:
        raise ConfigError(f"{path}: {describe(version)} is no version of a state file.")
    try:
        document = _Document.model_validate(content)
    except ValidationError as error:
        raise ConfigError(_mistakes(path, error)) from None
    flows = {name: Flow(flow.state()) for name, flow in document.flows.items()}
    return StateFile(document.project, document.exported, document.token, flows)


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"Cannot read {path}: {reason}; correct the path.") from None
    except (ValueError, RecursionError):
        raise ConfigError(
            f"{path} is not a state file of Seeknal, or was cut off: it is not whole JSON. Copy it "
            "again, or export anew."
        ) from None


def _is_export(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8") as file:
            return f'"{_MARK}"' in file.read(100)
    except (OSError, ValueError):
        return False


def _mistakes(path: Path, error: ValidationError) -> str:
    found = problems(_Document, error)
    shown = [sentence(f"{path}: {problem.text}") for problem in found[:_SHOWN]]
    if len(found) > _SHOWN:
        shown.append(f"There are {len(found) - _SHOWN:,} more mistakes.")
    return "\n".join([*shown, "Nothing was changed; export anew, or correct the file."])


# -- the form --------------------------------------------------------------------------------


def _read_instant(value: object) -> int:
    try:
        return parse_instant(value if isinstance(value, str) else "", "UTC", computed=True)
    except TimeError:
        raise RefusedError(
            f"{describe(value)} is not a time such as 2024-01-31T05:00:00Z"
        ) from None


def _read_schedule(value: object) -> str:
    try:
        return str(Schedule.parse(value if isinstance(value, str) else ""))
    except ScheduleError:
        raise RefusedError(
            f"{describe(value)} is not a schedule with its zone, such as '0 0 * * * UTC'"
        ) from None


_Instant = Annotated[int, BeforeValidator(_read_instant)]
_Schedule = Annotated[str, BeforeValidator(_read_schedule)]


class _Range(Spec):
    start: _Instant
    end: _Instant

    @model_validator(mode="after")
    def _ordered(self) -> _Range:
        if self.start >= self.end:
            raise RefusedError("the range ends before it starts", at=("end",))
        return self


class _Completion(_Range):
    origin: Origin
    schedule: _Schedule
    fingerprint: str


class _Restatement(_Range):
    schedule: _Schedule
    reason: str


class _Value(Spec):
    value: str
    origin: Origin
    fingerprint: str


class _Failure(Spec):
    unit: str
    run: str
    attempts: int
    error: str


class _FlowDocument(Spec):
    completions: tuple[_Completion, ...] = ()
    values: tuple[_Value, ...] = ()
    restatements: tuple[_Restatement, ...] = ()
    restated_values: dict[str, str] = Field(default_factory=dict)
    unfinished: tuple[_Range, ...] = ()
    unfinished_values: tuple[str, ...] = ()
    failed: tuple[_Failure, ...] = ()

    @model_validator(mode="after")
    def _apart(self) -> _FlowDocument:
        _refuse_overlaps("completions", self.completions)
        _refuse_overlaps("restatements", self.restatements)
        return self

    def state(self) -> FlowState:
        """Return the flow's state."""
        return FlowState(
            completions=tuple(
                sorted(
                    Completion(c.start, c.end, c.origin, c.schedule, c.fingerprint)
                    for c in self.completions
                )
            ),
            values=tuple(
                sorted(CompletedValue(v.value, v.origin, v.fingerprint) for v in self.values)
            ),
            restatements=tuple(
                sorted(Restatement(r.start, r.end, r.schedule, r.reason) for r in self.restatements)
            ),
            restated_values=dict(self.restated_values),
            unfinished=IntervalSet((u.start, u.end) for u in self.unfinished),
            unfinished_values=frozenset(self.unfinished_values),
        )


class _Document(Spec):
    seeknal_state: int
    project: Name
    exported: str
    token: int = Field(ge=0, lt=TOKENS)
    flows: dict[Name, _FlowDocument]


def _refuse_overlaps(field: str, ranges: Sequence[_Range]) -> None:
    order = sorted(range(len(ranges)), key=lambda number: ranges[number].start)
    for before, after in pairwise(order):
        if ranges[before].end > ranges[after].start:
            raise RefusedError("it overlaps another one", at=(field, after))


# -- writing ---------------------------------------------------------------------------------


def _text(state: StateFile) -> str:
    """Return the JSON: a line for each range, value and failure."""
    head = {
        _MARK: VERSION,
        "project": state.project,
        "exported": state.exported,
        "token": state.token,
    }
    lines = [f"  {_json(key)}: {_json(value)}," for key, value in head.items()]
    flows = [_flow_text(name, state.flows[name]) for name in sorted(state.flows)]
    inside = "{\n" + ",\n".join(flows) + "\n  }" if flows else "{}"
    return "\n".join(["{", *lines, f'  "flows": {inside}', "}", ""])


def _flow_text(name: str, flow: Flow) -> str:
    fields = [f"      {_json(key)}: {_block(value)}" for key, value in _fields(flow)]
    return f"    {_json(name)}: {{\n" + ",\n".join(fields) + "\n    }"


def _fields(flow: Flow) -> Iterator[tuple[str, Any]]:
    state = flow.state
    yield (
        "completions",
        [
            _range(c.start, c.end, origin=c.origin, schedule=c.schedule, fingerprint=c.fingerprint)
            for c in state.completions
        ],
    )
    yield (
        "values",
        [
            {"value": v.value, "origin": v.origin, "fingerprint": v.fingerprint}
            for v in sorted(state.values)
        ],
    )
    yield (
        "restatements",
        [_range(r.start, r.end, schedule=r.schedule, reason=r.reason) for r in state.restatements],
    )
    yield "restated_values", dict(sorted(state.restated_values.items()))
    yield "unfinished", [_range(start, end) for start, end in state.unfinished]
    yield "unfinished_values", sorted(state.unfinished_values)
    yield (
        "failed",
        [
            {"unit": r.unit.key, "run": r.run, "attempts": r.attempts, "error": r.error}
            for r in flow.failed
        ],
    )


def _range(start: int, end: int, **more: str) -> dict[str, str]:
    return {"start": _write_instant(start), "end": _write_instant(end), **more}


def _write_instant(value: int) -> str:
    return to_datetime(value, "UTC").isoformat().replace("+00:00", "Z")


def _block(value: Any) -> str:
    """Return a list or mapping with a line for each thing in it."""
    if isinstance(value, dict):
        lines = [f"{_json(key)}: {_json(each)}" for key, each in value.items()]
        opened, closed = "{", "}"
    else:
        lines = [_json(each) for each in value]
        opened, closed = "[", "]"
    if not lines:
        return opened + closed
    inside = ",\n".join(f"        {line}" for line in lines)
    return f"{opened}\n{inside}\n      {closed}"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
