"""What ``seeknal intervals`` does: reads and changes what is done, pending, failed, restated."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from seeknal.cli import text
from seeknal.cli.changed import other_versions, warn_mixed
from seeknal.cli.workspace import Workspace, window_of
from seeknal.flow import Flow
from seeknal.plan import count_shaped
from seeknal.workflow.instants import format_instant
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import CompletedValue, Completion, FlowState, Origin

_MARKS = {
    Origin.RUN: "",
    Origin.BACKFILL: " (backfilled)",
    Origin.RESTATE: " (restated)",
    Origin.MANUAL: " (marked by hand)",
}


def show_completed(path: Path | None, names: Sequence[str], *, every: bool, as_json: bool) -> None:
    """Print completed intervals or partitions of each flow."""
    with Workspace.open(path) as space:
        states = [(flow, space.store.state(flow.name)) for flow in space.flows(names)]
        found = [(flow, state, other_versions(space, flow, state)) for flow, state in states]
    if as_json:
        text.show_json({"flows": [_state_json(*each) for each in found]})
        return
    for each in found:
        _show_state(*each, every=every)


def _show_state(flow: Flow, state: FlowState, others: frozenset[str], *, every: bool) -> None:
    by_value = flow.interval_schedule is None
    text.show(f"Completed {'Partitions' if by_value else 'Intervals'} for {flow.name}:")
    if by_value:
        lines = _value_lines(state, others)
    else:
        lines = _completion_lines(flow, state, others, every=every)
    text.show_lines(lines or ["  none yet"], every=every)


def _mark(done: Completion | CompletedValue, others: frozenset[str]) -> str:
    other = " (other version)" if done.fingerprint in others else ""
    return f" ✓{_MARKS[done.origin]}{'' if done.origin is Origin.MANUAL else other}"


def _completion_lines(
    flow: Flow, state: FlowState, others: frozenset[str], *, every: bool
) -> list[str]:
    restated = state.restated
    total = count_shaped(state.completions)
    lines: list[str] = []
    for completion in state.completions:
        schedule = Schedule.parse(completion.schedule)
        whole = IntervalSet([(completion.start, completion.end)])
        pieces = [(s, e, _mark(completion, others)) for s, e in whole - restated]
        pieces += [(s, e, " ↻ (restated, pending)") for s, e in whole & restated]
        for start, end, mark in sorted(pieces):
            lines += text.interval_lines(
                schedule,
                IntervalSet([(start, end)]),
                flow.timezone,
                mark,
                every=every or total <= text.LINES,
            )
    return lines


def _value_lines(state: FlowState, others: frozenset[str]) -> list[str]:
    return [
        f"  {text.one_line(v.value)} ↻ (restated, pending)"
        if v.value in state.restated_values
        else f"  {text.one_line(v.value)}{_mark(v, others)}"
        for v in sorted(state.values)
    ]


def _state_json(flow: Flow, state: FlowState, others: frozenset[str]) -> dict[str, Any]:
    zone = flow.timezone
    return {
        "flow": flow.name,
        "timezone": zone,
        "completed": [
            {
                **text.interval_json(c.start, c.end, zone),
                "units": count_shaped([c]),
                "origin": str(c.origin),
                "schedule": c.schedule,
                "fingerprint": c.fingerprint,
            }
            for c in state.completions
        ],
        "completed_partitions": [
            {"partition": v.value, "origin": str(v.origin), "fingerprint": v.fingerprint}
            for v in sorted(state.values)
        ],
        "restated": [
            {**text.interval_json(r.start, r.end, zone), "reason": r.reason}
            for r in state.restatements
        ],
        "restated_partitions": dict(state.restated_values),
        "other_versions": sorted(others),
    }


def show_pending(
    path: Path | None,
    names: Sequence[str],
    start: str | None,
    end: str | None,
    schedule: str | None,
    *,
    every: bool,
    as_json: bool,
) -> None:
    """Print what a backfill of the window would run, flow by flow."""
    with Workspace.open(path) as space:
        now = time.time()
        plans = []
        for flow in space.flows(names):
            window = window_of(flow, start, end, None, backfill=True)
            prepared, data = space.ready(flow)
            warn_mixed(space, flow, path)
            if schedule is not None and prepared.schedule is not None:
                prepared = replace(prepared, schedule=Schedule(schedule, flow.timezone))
            plans.append((flow, prepared.plan(space.store, data, window, now)))
        if as_json:
            text.show_json({"flows": [text.plan_json(p, f.timezone) for f, p in plans]})
            return
        for flow, plan in plans:
            noun = "intervals" if plan.schedule else "partitions"
            of = f" for {flow.name}" if len(plans) > 1 else ""
            text.show(f"Pending {noun}{of} ({plan.count():,}):")
            text.show_lines(text.unit_lines(plan, flow.timezone, every=every), every=every)


def show_failed(path: Path | None, names: Sequence[str], *, every: bool, as_json: bool) -> None:
    """Print failed units with their errors."""
    with Workspace.open(path) as space:
        found = [(flow, space.store.failed(flow.name)) for flow in space.flows(names)]
        if as_json:
            text.show_json(
                {
                    "flows": [
                        {
                            "flow": flow.name,
                            "failed": [text.record_json(r, flow.timezone) for r in records],
                        }
                        for flow, records in found
                    ]
                }
            )
            return
        for flow, records in found:
            text.show(f"Failed for {flow.name} ({len(records):,}):")
            text.show_lines(
                [
                    f"  {text.unit_name(r.unit, flow.timezone)} "
                    f"({text.plural(r.attempts, 'attempt')}, run {r.run}): {r.error}"
                    for r in records
                ],
                every=every,
            )


def show_audit(
    path: Path | None, redis: str | None, names: Sequence[str], limit: int, *, as_json: bool
) -> None:
    """Print the latest changes by hand, oldest first."""
    with Workspace.open(path, redis) as space:
        flows: list[str | None] = [flow.name for flow in space.flows(names)] if names else [None]
        found = [entry for flow in flows for entry in space.store.audit(flow, limit)]
    found = sorted(found, key=lambda entry: entry.at)[-limit:]
    if as_json:
        text.show_json({"audit": [asdict(entry) for entry in found]})
        return
    for entry in found or ():
        at = format_instant(int(entry.at), "UTC")
        why = f": {entry.reason}" if entry.reason else ""
        line = f"{at}Z  {entry.actor}  {entry.action} {entry.flow} ({entry.what}){why}"
        text.show(text.one_line(line))
    if not found:
        text.say("Nothing was changed by hand yet.")
