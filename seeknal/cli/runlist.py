"""What ``seeknal runs list`` and ``show`` print."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from seeknal.cli import text
from seeknal.cli.reach import Where, reached
from seeknal.failing import why_paused
from seeknal.workflow.instants import format_interval
from seeknal.workflow.state import Counts, Run, UnitRecord, UnitStatus
from seeknal.workflow.units import PlannedRange

_SHOWN = 10


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


def show_run(where: Where, run_id: str, *, as_json: bool) -> None:
    """Print one run."""
    with reached(where) as found:
        run = found.run(run_id)
        counts = found.store.counts(run_id)
        running = found.store.records(run_id, UnitStatus.RUNNING, _SHOWN)
        failed = found.store.records(run_id, UnitStatus.FAILED, _SHOWN)
        why = why_paused(found.store, run)
    if as_json:
        zone = zone_of(run)
        shown = {
            **run_json(run, counts),
            "now_running": [{**text.unit_json(r.unit, zone), "worker": r.worker} for r in running],
            "first_failed": [text.record_json(r, zone) for r in failed],
        }
        text.show_json({**shown, "paused_because": why} if why else shown)
        return
    text.show(f"Run {run.id} of {run.flow}: {run.status}")
    for line in _details(run, counts):
        text.show(f"  {line}")
    if why:
        text.show(f"  It paused itself, because {why}")
    _show_units("Running", running, counts.running, run)
    _show_units("Failed", failed, counts.failed, run)


def progress(counts: Counts) -> str:
    """Return how far a run has come, in a few words."""
    parts = [f"{counts.done:,} of {counts.units:,} done"]
    if counts.failed:
        parts.append(f"{counts.failed:,} failed")
    if counts.running:
        parts.append(f"{counts.running:,} running")
    return ", ".join(parts)


def run_json(run: Run, counts: Counts) -> dict[str, Any]:
    """Return a run as JSON."""
    return {
        "run": run.id,
        "flow": run.flow,
        "status": str(run.status),
        "created": datetime.fromtimestamp(run.created, UTC).isoformat(timespec="seconds"),
        "created_by": run.created_by,
        "units": counts.units,
        "done": counts.done,
        "failed": counts.failed,
        "running": counts.running,
        "queued": counts.queued,
        "retries": counts.retries,
        "rows": counts.rows,
        "bytes": counts.bytes,
        "busy_seconds": round(counts.busy, 3),
    }


def zone_of(run: Run) -> str:
    """Return the time zone of a run's flow."""
    return str(run.spec.get("timezone", "UTC"))


def _details(run: Run, counts: Counts) -> list[str]:
    created = datetime.fromtimestamp(run.created, UTC)
    made = f"{text.plural(counts.rows, 'row')}, {text.size(counts.bytes)}"
    return [
        f"launched {created:%Y-%m-%d %H:%M:%S} UTC by {run.created_by or 'somebody'}",
        f"{_planned(run)}",
        f"{progress(counts)}, {counts.queued:,} waiting",
        f"{made}, {counts.busy:.1f} s of work, {text.plural(counts.retries, 'retry')}",
    ]


def _planned(run: Run) -> str:
    ranges = [p for p in run.planned if isinstance(p, PlannedRange)]
    if not ranges:
        values = [p.value for p in run.planned if not isinstance(p, PlannedRange)]
        return f"{text.plural(run.units, 'partition')}: {text.listed(values)}"
    first, last = min(r.start for r in ranges), max(r.end for r in ranges)
    where = format_interval(first, last, zone_of(run))
    return f"{text.plural(run.units, 'interval')} ({where})"


def _show_units(what: str, records: Sequence[UnitRecord], total: int, run: Run) -> None:
    for record in records:
        name = text.unit_name(record.unit, zone_of(run))
        after = f" after {text.plural(record.attempts, 'attempt')}: {record.error}"
        text.show(f"  {what}: {name}{f' on {record.worker}' if record.worker else after}")
    if total > len(records) > 0:
        text.show(f"  ... and {total - len(records):,} more")
