"""What ``seeknal init`` and ``seeknal flows`` do: projects and flows as they are declared."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seeknal.cli import text
from seeknal.cli.workspace import Workspace
from seeknal.engine.analysis import advice
from seeknal.errors import ConfigError, SeeknalError
from seeknal.flow import Flow
from seeknal.project import FlowFile, Project

_BROKEN = 2


def make_project(name: str | None, path: Path) -> None:
    """Make a project, or open the one that is there."""
    root = path.resolve()
    existed = (root / "seeknal_project.yml").exists()
    if name is None:
        name = Project.find(root).name if existed else re.sub(r"[^A-Za-z0-9_-]+", "_", root.name)
    if not root.is_dir():
        raise ConfigError(f"There is no folder {root}; make it first.")
    project = Project(name=name).get_or_create(root)
    if existed:
        text.show(f"Project {project.name} is already there, in {project.root}.")
        return
    text.show(f"Made project {project.name} in {project.root}.")
    text.show("Declare a flow in flows/<name>.yml, or in Python, and run it with: seeknal run")


def list_flows(path: Path | None, *, as_json: bool) -> int:
    """Print the project's flows, one a line; a broken file hides no other."""
    with Workspace.open(path) as space:
        flows, errors = space.project.check_flows()
        if as_json:
            text.show_json(
                {"flows": [_summary(flow) for flow in flows], "errors": [str(e) for e in errors]}
            )
        elif not flows and not errors:
            text.show(f"No flows yet; declare one in {space.project.root / 'flows'}.")
        else:
            width = max((len(flow.name) for flow in flows), default=0)
            for flow in flows:
                text.show(f"{flow.name:<{width}}  {_cut(flow)}")
        for said in dict.fromkeys(map(str, errors)):
            text.say(f"Error: {said}")
        return _BROKEN if errors else 0


def show_flow(path: Path | None, name: str, *, as_json: bool) -> None:
    """Print one flow: what it is, and how far it is."""
    with Workspace.open(path) as space:
        flow = space.project.flow(name)
        state = space.store.state(name)
        if as_json:
            text.show_json({**_summary(flow), "spec": flow.to_spec()})
            return
        output = "none" if flow.output.kind == "none" else str(space.project.output_path(flow))
        rows = {
            "Flow": flow.name,
            "About": flow.description,
            "Runs": _cut(flow),
            "Input": f"{flow.input.kind} {text.listed(flow.input.paths)}",
            "Output": output,
            "Completed": text.span(state.completed, flow.timezone) if state.completions else None,
            "Partitions": text.listed([v.value for v in state.values]) or None,
            "Restated": text.span(state.restated, flow.timezone) if state.restatements else None,
        }
        for label, value in rows.items():
            if value:
                text.show(f"{label + ':':<11} {value}")
        for task in flow.tasks:
            for step in task.sql:
                text.show("\n" + step.rstrip())


def validate_flows(path: Path | None, names: Sequence[str], *, as_json: bool) -> int:
    """Check flows as a run would; print what is wrong with each; return the exit code."""
    with Workspace.open(path) as space:
        files = space.project.flow_files()
        if names:
            for name in names:
                space.project.flow(name)
            files = [file for file in files if file.name in names]
        found = [(file.name, *_problems(space, file)) for file in files]
    if not found:
        text.say("There are no flows to check.")
    if as_json:
        text.show_json({"flows": [{"flow": n, "errors": e, "warnings": w} for n, e, w in found]})
    for name, errors, warnings in found:
        if not as_json:
            text.show(f"{name}: {'; '.join(errors) or 'ok'}")
            for warning in warnings:
                text.say(f"{name}: warning: {warning}")
    return _BROKEN if any(errors for _, errors, _ in found) else 0


def _problems(space: Workspace, file: FlowFile) -> tuple[list[str], list[str]]:
    try:
        prepared = space.prepare(file.load())
        prepared.data(space.engine)
        return [], advice(prepared.query)
    except SeeknalError as error:
        return [str(error)], []


def _cut(flow: Flow) -> str:
    """Say what cuts a flow into units."""
    if flow.by_value:
        return f"per value of {flow.partition_column}"
    if flow.schedule is None:
        return "without a schedule"
    named = f", partitions {flow.partition_format}" if flow.partition_format else ""
    return f"{flow.schedule} in {flow.timezone}{named}"


def _summary(flow: Flow) -> dict[str, Any]:
    return {
        "flow": flow.name,
        "schedule": flow.schedule,
        "timezone": flow.timezone,
        "partition_column": flow.partition_column,
        "partition_format": flow.partition_format,
        "input": flow.input.kind,
        "description": flow.description,
    }
