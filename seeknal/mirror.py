"""``target/run_state.json``: the state as a file that people can read and grep. Nothing reads it.

It stays small: contiguous time is one pair, contiguous partitions are ``first..last``.
"""

from __future__ import annotations

import json
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
from seeknal.workflow.state import FlowState

FILE = "run_state.json"


def write_mirror(project: Project, states: Mapping[str, FlowState]) -> Path:
    """Write the state of flows, by name, in one step; returns the file's path.

    Times are ISO text with the offset of the flow's zone, or UTC where its file is gone or broken.

    Raises:
        ConfigError: the file cannot be written.
    """
    flows = {name: _flow(project, name, states[name]) for name in sorted(states)}
    text = json.dumps({"project": project.name, "flows": flows}, indent=2, ensure_ascii=False)
    path = project.target / FILE
    write_atomic(path, text + "\n", durable=False)
    return path


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
    by_origin: dict[str, int] = {}
    for done in state.completions:
        units = count_units(Schedule.parse(done.schedule), IntervalSet([(done.start, done.end)]))
        by_origin[done.origin.value] = by_origin.get(done.origin.value, 0) + units
    for value in state.values:
        by_origin[value.origin.value] = by_origin.get(value.origin.value, 0) + 1
    return {"completed": sum(by_origin.values()), **dict(sorted(by_origin.items()))}
