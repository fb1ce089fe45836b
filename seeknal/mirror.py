"""``target/run_state.json``: the state as a file that people can read and grep. Nothing reads it.

It stays small: contiguous time is one pair, contiguous partitions are ``first..last``.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seeknal.errors import SeeknalError
from seeknal.files import write_atomic
from seeknal.flow import Flow
from seeknal.project import Project
from seeknal.workflow.instants import to_datetime
from seeknal.workflow.interval_set import IntervalSet
from seeknal.workflow.intervals import count_units
from seeknal.workflow.partitions import partition_runs
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import FlowState, Origin

FILE = "run_state.json"


def write_mirror(project: Project, states: Mapping[str, FlowState]) -> Path:
    """Write the state of flows, by name, in one step; returns the file's path.

    Times are ISO text with the offset of the flow's zone, or UTC where its file is gone or broken.

    Raises:
        ConfigError: the file cannot be written.
    """
    flows = {name: _flow(project, name, states[name]) for name in sorted(states)}
    path = project.target / FILE
    write_atomic(path, _text(project.name, flows), durable=False)
    return path


def _text(project: str, flows: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the JSON with each field on a line of its own, so that a grep shows its value."""
    blocks = []
    for name, fields in flows.items():
        lines = (f"      {_json(key)}: {_json(value)}" for key, value in fields.items())
        blocks.append(f"    {_json(name)}: {{\n" + ",\n".join(lines) + "\n    }")
    inside = "{\n" + ",\n".join(blocks) + "\n  }" if blocks else "{}"
    return f'{{\n  "project": {_json(project)},\n  "flows": {inside}\n}}\n'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _flow(project: Project, name: str, state: FlowState) -> dict[str, Any]:
    try:
        flow: Flow | None = project.flow(name)
    except SeeknalError:
        flow = None
    zone = flow.timezone if flow else "UTC"
    return {
        "timezone": zone,
        "completed_intervals": _pairs(state.completed, zone),
        "completed_partitions": _partitions(flow, state),
        "restatement_intervals": _pairs(state.restated, zone),
        "restatement_partitions": sorted(state.restated_values),
        "counts": _counts(state),
    }


def _pairs(ranges: IntervalSet, zone: str) -> list[list[str]]:
    return [[to_datetime(instant, zone).isoformat() for instant in pair] for pair in ranges]


def _partitions(flow: Flow | None, state: FlowState) -> list[str]:
    values = sorted(done.value for done in state.values)
    if flow is None or flow.partition is None or flow.partition.format is None:
        return values
    runs = partition_runs(state.completed, flow.partition.format, flow.timezone)
    return values + [first if first == last else f"{first}..{last}" for first, last in runs]


def _counts(state: FlowState) -> dict[str, int]:
    """Return how many units are completed, in all and by origin."""
    stretches: dict[tuple[Origin, str], list[tuple[int, int]]] = {}
    for done in state.completions:
        stretches.setdefault((done.origin, done.schedule), []).append((done.start, done.end))
    counts = Counter(value.origin.value for value in state.values)
    for (origin, schedule), pairs in stretches.items():
        counts[origin.value] += count_units(Schedule.parse(schedule), IntervalSet(pairs))
    return {"completed": counts.total(), **dict(sorted(counts.items()))}
