"""Compares two versions of a flow: is it other logic, and what about it is.

DuckDB's own syntax tree decides whether the logic is another one; what differs is said with
sqlglot. What is not part of the logic (input, output, schedule) makes notes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from seeknal.engine.analysis import logic
from seeknal.engine.selected import Columns, columns
from seeknal.errors import SeeknalError
from seeknal.flow import Flow


class Kind(StrEnum):
    """How a version of a flow differs from its present one."""

    SAME = "same"
    FORMATTING = "formatting"
    ADDED = "columns_added"
    COLUMNS = "columns_changed"
    DECLARED = "declared_column"
    LOGIC = "logic"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Difference:
    """What is other in the present version of a flow than in the one that it is compared with.

    ``summary`` is a line. ``details`` are the parts of the logic that differ, a line each, where
    they can be told; ``notes`` is what differs and is not part of the logic.
    """

    kind: Kind
    summary: str
    details: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> bool:
        """Whether the version is of other logic, so that its results may be others too."""
        return self.kind not in (Kind.SAME, Kind.FORMATTING)


UNCHANGED = Difference(Kind.SAME, "nothing changed")
UNKNOWN = Difference(Kind.UNKNOWN, "made by a version that is not kept here")


def compare(before: Mapping[str, Any], now: Mapping[str, Any]) -> Difference:
    """Compare the specs of an earlier version of a flow and of the present one.

    An earlier one that cannot be read any more is unknown.

    Raises:
        ConfigError: the present one is not the spec of a flow.
        PermanentQueryError: its SQL is not one SELECT a step.
    """
    new = Flow.from_spec(now)
    try:
        old = Flow.from_spec(before)
        differs = _steps(old) != _steps(new)
        trees = logic(_steps(old)) if differs else []
    except SeeknalError:
        return UNKNOWN
    present = logic(_steps(new)) if differs else []
    notes = tuple(_notes(old, new))
    declared = tuple(_declared(old, new))
    if trees != present:
        listed = None if declared else columns(trees, present)
        if listed is not None:
            kind = Kind.ADDED if _only_added(listed) else Kind.COLUMNS
            return Difference(kind, _columns(listed), (), notes)
        details = (*declared, *_explained(old, new))
        return Difference(Kind.LOGIC, "logic changed", details, notes)
    if declared:
        return Difference(Kind.DECLARED, "; ".join(declared), (), notes)
    if differs:
        return Difference(Kind.FORMATTING, "formatting only", (), notes)
    return Difference(Kind.SAME, "the logic is the same", (), notes) if notes else UNCHANGED


def _steps(flow: Flow) -> tuple[str, ...]:
    return tuple(step for task in flow.tasks for step in task.sql)


def _explained(old: Flow, new: Flow) -> tuple[str, ...]:
    from seeknal.engine.explain import explain  # sqlglot is slow to import

    return explain(_steps(old), _steps(new))


def _only_added(listed: Columns) -> bool:
    return not (listed.removed or listed.renamed or listed.moved)


def _columns(listed: Columns) -> str:
    found = []
    for verb, names in (("added", listed.added), ("removed", listed.removed)):
        if names:
            found.append(f"column{'s' if len(names) > 1 else ''} {verb}: {', '.join(names)}")
    if listed.renamed:
        pairs = ", ".join(f"{old} -> {new}" for old, new in listed.renamed)
        found.append(f"column{'s' if len(listed.renamed) > 1 else ''} renamed: {pairs}")
    if listed.moved:
        found.append("columns in another order")
    return "; ".join(found)


def _declared(old: Flow, new: Flow) -> list[str]:
    """Say which declared columns are others; they are part of the logic."""
    values = [flow.partition_column if flow.by_value else None for flow in (old, new)]
    pairs = {
        "time column": (old.time_column, new.time_column),
        "partition column": (values[0], values[1]),
    }
    return [
        f"{label} changed: {before or 'none'} -> {after or 'none'}"
        for label, (before, after) in pairs.items()
        if before != after
    ]


def _notes(old: Flow, new: Flow) -> list[str]:
    pairs = {
        "input": (
            _input(old),
            _input(new),
            "it is no part of the logic: restate what should be read anew",
        ),
        "output": (_output(old), _output(new), "files of what is done stay where they are"),
        "schedule": (_cut(old), _cut(new), "what is done stays done"),
    }
    return [
        f"{label} changed: {before} -> {after}; {what}"
        for label, (before, after, what) in pairs.items()
        if before != after
    ]


def _input(flow: Flow) -> str:
    given = flow.input
    named = f" as {given.name}" if given.name else ""
    options = f" with {given.options}" if given.options else ""
    return f"{given.kind} {', '.join(given.paths)}{named}{options}"


def _output(flow: Flow) -> str:
    return " ".join([flow.output.kind, *([flow.output.value] if flow.output.value else [])])


def _cut(flow: Flow) -> str:
    if flow.schedule is None:
        return "none"
    named = f", partitions {flow.partition_format}" if flow.partition_format else ""
    return f"{flow.schedule} in {flow.timezone}{named}"
