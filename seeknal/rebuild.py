"""Restores a flow's state from its published files, which say themselves what they are.

Nothing is restored that is not sure: a file that says nothing, that belongs to another flow or
another place, or whose time another file covers in another shape, is named and left alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from seeknal.engine import provenance
from seeknal.errors import OutputError, ScheduleError, TimeError, UsageError
from seeknal.outputs.parquet import TOKEN, ParquetOutput
from seeknal.statefile import TOKENS
from seeknal.stores.base import Change, Store
from seeknal.workflow.instants import format_interval
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import CompletedValue, Completion, FlowState, Origin
from seeknal.workflow.units import Unit

_MARKED_AT_ONCE: Final = 5000
_UNSAID: Final = "it does not say which unit of which flow it holds"


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """A file that nothing is restored from, and why."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """What a flow's published files tell: what can be restored, what is known already.

    ``token`` is the greatest one found, 0 if there is none; ``known`` counts the files whose unit
    is completed in the store already.
    """

    flow: str
    files: int = 0
    known: int = 0
    token: int = 0
    completions: tuple[Completion, ...] = ()
    values: tuple[CompletedValue, ...] = ()
    left_alone: tuple[LeftAlone, ...] = ()


@dataclass(frozen=True, slots=True)
class _Published:
    path: Path
    unit: Unit
    token: int
    origin: Origin
    schedule: str
    fingerprint: str


def survey(flow: str, output: ParquetOutput, state: FlowState, timezone: str = "UTC") -> Found:
    """Read what a flow's published files say of themselves, and change nothing.

    ``timezone`` is for the times in what is told.

    Raises:
        OutputError: the folder cannot be read.
    """
    published: list[_Published] = []
    left: list[LeftAlone] = []
    files = token = 0
    for path, said in provenance.read_many(_files(output.root)):
        files += 1
        if isinstance(said, OutputError):
            left.append(LeftAlone(path, "it cannot be read; remove it, its unit will run again"))
            continue
        token = max(token, _token(said))
        try:
            published.append(_read(flow, output, path, said))
        except _UnfitError as error:
            left.append(LeftAlone(path, str(error)))
    chosen, overlapping = _apart(published, timezone)
    fresh, known, crossing = _compare(chosen, state, timezone)
    left += overlapping + crossing
    return Found(
        flow,
        files,
        known,
        token,
        tuple(_completions(fresh)),
        tuple(_values(fresh)),
        tuple(sorted(left, key=lambda each: each.path)),
    )


def restore(store: Store, found: Found, change: Change) -> None:
    """Complete what a survey found; every later token is greater than those of the files."""
    if found.token:
        store.raise_token(found.token)
    for first in range(0, len(found.completions), _MARKED_AT_ONCE):
        some = found.completions[first : first + _MARKED_AT_ONCE]
        store.mark(found.flow, some, [], change)
    if found.values:
        store.mark(found.flow, [], found.values, change)


class _UnfitError(Exception):
    """Nothing can be restored from a file; the message says why."""


def _files(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.rglob("*.parquet") if path.is_file())
    except OSError as error:
        raise OutputError(
            f"Cannot read {error.filename or root}: {error.strerror or error}; check its "
            "permissions."
        ) from None


def _token(said: Mapping[str, str]) -> int:
    text = said.get(TOKEN, "")
    token = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    return token if token < TOKENS else 0


def _read(flow: str, output: ParquetOutput, path: Path, said: Mapping[str, str]) -> _Published:
    owner, key = said.get("seeknal_flow"), said.get("seeknal_unit")
    if owner is None or key is None:
        raise _UnfitError(_UNSAID)
    if owner != flow:
        raise _UnfitError(f"it belongs to the flow {owner!r}")
    token = _token(said)
    try:
        unit = Unit.from_key(flow, key)
        origin = Origin(said.get("seeknal_origin", ""))
        schedule = said.get("seeknal_schedule", "")
        fits = unit.value is not None or _is_interval(unit, schedule)
    except (UsageError, ScheduleError, TimeError, ValueError):
        fits = False
    if not fits or not token or "seeknal_fingerprint" not in said:
        raise _UnfitError("what it says of itself cannot be read, or is not whole")
    if path != output.path(unit):
        raise _UnfitError(f"it is not where its unit belongs ({output.path(unit)}); is it a copy?")
    return _Published(path, unit, token, origin, schedule, said["seeknal_fingerprint"])


def _is_interval(unit: Unit, schedule: str) -> bool:
    cron = Schedule.parse(schedule)
    return cron.floor(unit.start) == unit.start and cron.next(unit.start) == unit.end


def _apart(
    published: Iterable[_Published], timezone: str
) -> tuple[list[_Published], list[LeftAlone]]:
    """Choose, where files of several shapes cover the same time, those of the latest tokens."""
    chosen: list[_Published] = []
    left: list[LeftAlone] = []
    for cluster in _clusters(published):
        kept: list[_Published] = []
        for each in sorted(cluster, key=lambda one: one.token, reverse=True):
            other = next((one for one in kept if _overlap(each.unit, one.unit)), None)
            if other is None:
                kept.append(each)
                continue
            why = (
                f"it overlaps {other.path.name}, which was published after it; remove it unless "
                f"its time ({_span(each.unit, timezone)}) is to be read twice"
            )
            left.append(LeftAlone(each.path, why))
        chosen += kept
    return chosen, left


def _clusters(published: Iterable[_Published]) -> Iterator[list[_Published]]:
    """Yield files in groups that share no time with one another."""
    cluster: list[_Published] = []
    reach = 0
    for each in sorted(published, key=lambda one: (one.unit.value or "", one.unit.start)):
        if cluster and (each.unit.value is not None or each.unit.start >= reach):
            yield cluster
            cluster = []
        reach = each.unit.end if not cluster else max(reach, each.unit.end)
        cluster.append(each)
    if cluster:
        yield cluster


def _overlap(one: Unit, other: Unit) -> bool:
    return one.start < other.end and other.start < one.end


def _compare(
    chosen: Iterable[_Published], state: FlowState, timezone: str
) -> tuple[list[_Published], int, list[LeftAlone]]:
    """Split files into what is to be completed, what is, and what is in part, in another shape."""
    completed, values = state.completed, {v.value for v in state.values}
    fresh: list[_Published] = []
    crossing: list[LeftAlone] = []
    known = 0
    for each in chosen:
        unit = each.unit
        is_value = unit.value is not None
        if unit.value in values if is_value else completed.covers(unit.start, unit.end):
            known += 1
        elif is_value or not completed.overlaps(unit.start, unit.end):
            fresh.append(each)
        else:
            why = f"part of its time ({_span(unit, timezone)}) is completed in another shape"
            crossing.append(LeftAlone(each.path, why))
    return fresh, known, crossing


def _span(unit: Unit, timezone: str) -> str:
    return format_interval(unit.start, unit.end, timezone)


def _completions(fresh: Iterable[_Published]) -> list[Completion]:
    """Return completions, with those that touch and are alike as one."""
    merged: list[Completion] = []
    for each in sorted(
        Completion(f.unit.start, f.unit.end, f.origin, f.schedule, f.fingerprint)
        for f in fresh
        if f.unit.value is None
    ):
        if merged and _touch(merged[-1], each):
            merged[-1] = replace(merged[-1], end=each.end)
        else:
            merged.append(each)
    return merged


def _touch(one: Completion, other: Completion) -> bool:
    labels = [(c.origin, c.schedule, c.fingerprint) for c in (one, other)]
    return one.end == other.start and labels[0] == labels[1]


def _values(fresh: Iterable[_Published]) -> Iterator[CompletedValue]:
    for each in fresh:
        if each.unit.value is not None:
            yield CompletedValue(each.unit.value, each.origin, each.fingerprint)
