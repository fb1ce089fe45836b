"""What ``seeknal runs list`` and ``show`` print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from seeknal.alike import Group, groups
from seeknal.cli import text
from seeknal.cli.reach import Where, reached
from seeknal.cli.runtext import (
    clock,
    in_force,
    lately,
    made,
    progress,
    run_json,
    running_json,
    worker_name,
    zone_of,
)
from seeknal.failing import why_paused
from seeknal.lookout import Lookout
from seeknal.view import View
from seeknal.workflow.instants import format_interval
from seeknal.workflow.state import Run, RunStatus, UnitStatus
from seeknal.workflow.units import PlannedRange

# Of how many failed units the errors are read, and how many kinds of them are printed.
_LOOKED_AT: Final = 2000
_KINDS: Final = 10


def list_runs(where: Where, flow: str | None, limit: int, *, as_json: bool) -> None:
    """Print runs, newest first."""
    with reached(where) as found:
        runs = [(run, found.store.counts(run.id)) for run in found.store.runs(flow, limit)]
    if as_json:
        text.show_json({"runs": [run_json(run, counts) for run, counts in runs]})
        return
    if not runs:
        text.say("There are no runs.")
    width = max((len(run.flow) for run, _ in runs), default=0)
    for run, counts in runs:
        text.show(f"{run.id}  {run.flow:<{width}}  {run.status!s:<11}  {progress(counts)}")


def show_run(where: Where, run_id: str | None, *, as_json: bool) -> None:
    """Print how a run stands, or came out, and its failures by their kind."""
    with reached(where) as found:
        view = Lookout(found.store, found.run(run_id)).look()
        failed = found.store.records(view.run.id, UnitStatus.FAILED, _LOOKED_AT)
        why = why_paused(found.store, view.run)
    kinds = groups(failed)
    retry = where.command(f"seeknal runs retry {view.run.id}")
    if as_json:
        text.show_json(_json(view, kinds, len(failed), why, retry))
        return
    text.show(f"Run {view.run.id} of {view.run.flow}: {view.run.status}")
    for line in _summary(view):
        text.show(f"  {line}")
    if why:
        text.show(f"  It paused itself, because {why}")
    _show_running(view)
    _show_failures(view, kinds, len(failed), retry)


def _summary(view: View) -> list[str]:
    run, counts = view.run, view.counts
    by = run.created_by or "somebody"
    lines = [f"launched {clock(run.created)} by {by}"]
    if run.ended:
        lines.append(f"ended    {clock(run.ended)}, after {text.duration(view.elapsed)}")
    lines.append(_planned(run))
    if force := in_force(run):
        lines.append(f"with {force}")
    states = f"{counts.failed:,} failed, {counts.running:,} running, {counts.queued:,} waiting"
    lines.append(f"{counts.done:,} of {counts.units:,} done, {states}")
    lines.append(f"{made(counts)}; {_rate(view)}")
    return lines


def _rate(view: View) -> str:
    """Return the rate of the last minute while a run is active, else that of the whole run."""
    if view.run.status is RunStatus.ACTIVE:
        return lately(view)
    return f"{text.rate(_average(view))} on average"


def _average(view: View) -> float:
    return view.counts.done / view.elapsed if view.elapsed else 0.0


def _planned(run: Run) -> str:
    ranges = [p for p in run.planned if isinstance(p, PlannedRange)]
    if not ranges:
        values = text.planned_span(run.planned, zone_of(run))
        return f"{text.plural(run.units, 'partition')}: {values}"
    first, last = min(r.start for r in ranges), max(r.end for r in ranges)
    where = format_interval(first, last, zone_of(run))
    return f"{text.plural(run.units, 'interval')} ({where})"


def _show_running(view: View) -> None:
    if not view.running:
        return
    text.show("Running:")
    for record in view.running:
        name = text.unit_name(record.unit, zone_of(view.run))
        since = text.duration(max(0.0, view.at - record.since))
        text.show(f"  {name} for {since} on {worker_name(record.worker)}")
    if view.counts.running > len(view.running):
        text.show(f"  ... and {view.counts.running - len(view.running):,} more")


def _show_failures(view: View, kinds: Sequence[Group], looked_at: int, retry: str) -> None:
    if kinds:
        text.show("Failed:")
    for kind in kinds[:_KINDS]:
        example = kind.example
        name = text.unit_name(example.unit, zone_of(view.run))
        text.show(
            f"  {text.plural(kind.count, 'unit')}, for example {name} after "
            f"{text.plural(example.attempts, 'attempt')}: {example.error}"
        )
        text.show(f"    run them again: {retry} --failure {kind.id}")
    if len(kinds) > _KINDS:
        text.show(f"  ... and {len(kinds) - _KINDS:,} more kinds of failure (--json shows all)")
    if looked_at == _LOOKED_AT:
        text.show(f"  These are the first {looked_at:,} of {view.counts.failed:,} that failed.")
    elif looked_at < view.counts.failed:
        gone = view.counts.failed - looked_at
        text.show(f"  {text.plural(gone, 'failed unit')} taken up by later runs.")


def _json(
    view: View, kinds: Sequence[Group], looked_at: int, why: str, retry: str
) -> dict[str, Any]:
    zone = zone_of(view.run)
    shown = {
        **run_json(view.run, view.counts),
        "options": {k: v for k, v in view.run.options.items() if k != "project"},
        "elapsed_seconds": round(view.elapsed, 3),
        "rate": round(view.rate or _average(view), 3),
        "seconds_left": None if view.left is None else round(view.left, 1),
        "now_running": [running_json(record, view.at, zone) for record in view.running],
        "failures": [
            {
                "id": kind.id,
                "count": kind.count,
                "example": text.record_json(kind.example, zone),
                "retry": f"{retry} --failure {kind.id}",
            }
            for kind in kinds
        ],
        "failures_looked_at": looked_at,
    }
    return {**shown, "paused_because": why} if why else shown
