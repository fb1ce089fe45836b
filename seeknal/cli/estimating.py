"""What ``seeknal run --estimate`` does: runs a sample of a backfill, and judges the rest by it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from seeknal.cli import text
from seeknal.cli.asked import Asked
from seeknal.cli.task import Task
from seeknal.coordinator import Report, preview
from seeknal.estimate import Estimate, Spread, estimate, sample
from seeknal.plan import Window
from seeknal.stores.base import Store
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Event
from seeknal.workflow.units import Unit

_WORKERS = (1, 4, 16, 64)
# Units of a sample, and how many of them are run before the rest; more where many work at once.
_SIZE, _FIRST = 24, 6
_A_SLOT = 4
# The rest of a sample is left out when its first units took longer, in seconds.
_PATIENCE = 20.0
_EVENTS = 10_000


def estimate_flows(
    store: Store,
    asked: Asked,
    tasks: Sequence[Task],
    now: float,
    slots: int | None,
    run: Callable[[Task], Report],
) -> int:
    """Estimate each flow's backfill; return the exit code.

    ``run`` runs a task; ``slots`` is how many of its units workers run at once, None if it runs
    them in this process, on one thread.
    """
    shown, code, at_once = [], 0, slots or 1
    for task in tasks:
        plan = preview(store, task.prepared, task.data, task.window, now)
        total = plan.count()
        chosen = [p.unit for p in sample(plan.flow, plan.planned, max(_SIZE, _A_SLOT * at_once))]
        reports = _run_sample(task, chosen, max(_FIRST, at_once), run) if chosen else []
        found = estimate(_events(store, reports), total, together=slots is None)
        failed = sum(len(report.failed) for report in reports)
        code = max(code, 1 if total and (failed or found is None) else 0)
        if asked.as_json:
            shown.append(_estimate_json(plan.flow, total, failed, found))
        elif not total:
            text.show(f"Nothing to do for {plan.flow}.")
        else:
            _show(plan.flow, total, failed, found, asked)
    if asked.as_json:
        text.show_json({"flows": shown})
    return code


def _run_sample(
    task: Task, units: Sequence[Unit], first: int, run: Callable[[Task], Report]
) -> list[Report]:
    """Run a sample's first units, and the others unless those took long."""
    started = time.monotonic()
    reports = [run(_of(task, units[:first]))]
    quick = time.monotonic() - started < _PATIENCE
    if quick and len(units) > first and reports[0].stopped is None:
        reports.append(run(_of(task, units[first:])))
    return reports


def _of(task: Task, units: Iterable[Unit]) -> Task:
    """Return a task for these units alone."""
    window: Window = replace(task.window, start=None, end=None, lookback=0, limit=None)
    if task.prepared.schedule is None:
        values = tuple(unit.value for unit in units if unit.value is not None)
        return replace(task, window=replace(window, values=values))
    ranges = IntervalSet((unit.start, unit.end) for unit in units)
    return replace(task, window=replace(window, ranges=ranges))


def _events(store: Store, reports: Iterable[Report]) -> list[Event]:
    return [
        event
        for report in reports
        for run in report.runs
        for event in store.recent(run.id, _EVENTS)
    ]


def _show(flow: str, total: int, failed: int, found: Estimate | None, asked: Asked) -> None:
    if found is None:
        where = text.command(f"seeknal intervals failed --flow {flow}", asked.project_path)
        text.say(
            f"No estimate of {flow}: no unit of the sample was completed; what failed is shown by: "
            f"{where}"
        )
        return
    rest = f"; {failed:,} of it failed" if failed else ""
    text.show(
        f"Sample of {flow}: {found.sampled:,} of {total:,} units are done, and stay done{rest}."
    )
    low, high = (text.duration(seconds) for seconds in found.usual)
    text.show(
        f"A unit takes a worker {text.duration(found.seconds.mean)} (eight in ten: {low} to "
        f"{high}) and makes {text.plural(round(found.rows.mean), 'row')}, "
        f"{text.size(round(found.bytes.mean))}."
    )
    if not found.left:
        return
    rows, size = found.rows.times(found.left), found.bytes.times(found.left)
    text.show(
        f"The other {text.plural(found.left, 'unit')} would make about {round(rows.mean):,} rows "
        f"({round(rows.low):,} to {round(rows.high):,}), {text.size(round(size.mean))} "
        f"({text.size(round(size.low))} to {text.size(round(size.high))}), and take"
    )
    for workers in _WORKERS:
        wall = found.wall(workers)
        text.show(
            f"  {text.plural(workers, 'worker'):>10}  {text.duration(wall.mean):<7} "
            f"({text.duration(wall.low)} to {text.duration(wall.high)})"
        )
    text.say(
        "That is with a processor for each worker. Run them with: "
        f"{replace(asked, estimate=False).again([flow])}"
    )


def _estimate_json(flow: str, total: int, failed: int, found: Estimate | None) -> dict[str, Any]:
    """Return an estimate as JSON; times in seconds."""
    shown: dict[str, Any] = {"flow": flow, "units": total, "failed": failed}
    if found is None:
        return {**shown, "sampled": 0}
    return {
        **shown,
        "sampled": found.sampled,
        "left": found.left,
        "unit_seconds": _json(found.seconds),
        "unit_seconds_usual": list(found.usual),
        "unit_seconds_longest": found.longest,
        "rows": _json(found.rows.times(found.left)),
        "bytes": _json(found.bytes.times(found.left)),
        "seconds": {str(workers): _json(found.wall(workers)) for workers in _WORKERS},
    }


def _json(spread: Spread) -> dict[str, float]:
    return {"mean": spread.mean, "low": spread.low, "high": spread.high}
