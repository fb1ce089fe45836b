"""What ``seeknal run --explain`` prints: one unit's SQL, what it reads, and where it goes."""

from __future__ import annotations

from typing import Any, Final

from seeknal.cli import text
from seeknal.cli.asked import Asked
from seeknal.cli.located import Located
from seeknal.cli.workspace import Workspace
from seeknal.engine.render import render
from seeknal.engine.scans import Scan, scans
from seeknal.errors import UsageError
from seeknal.flow import Flow
from seeknal.plan import Exclusion, Window
from seeknal.resolve import namer, output_of
from seeknal.workflow.instants import format_interval
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.units import Unit

_LEFT_OUT: Final = {Exclusion.NO_DATA: "no data yet", Exclusion.NOT_DUE: "not due"}


def explain(space: Workspace, asked: Asked, typed: str, now: float) -> int:
    """Print how one unit would be run; nothing is run. Returns the exit code.

    Raises:
        SeeknalError: there is no such unit, or its input cannot be read here.
    """
    flow = space.one(asked.flows, "explain a unit of")
    unit = _unit(space, flow, typed)
    prepared = space.prepare(flow)
    sql = render(prepared.query, unit, namer(flow)(unit))
    with space.engine.session(prepared.query) as session:
        read = scans(session, sql)
    output = output_of(space.project, flow)
    goes = None if output is None else str(output.path(unit))
    there = None if output is None else output.published(unit)
    reason = _reason(space, flow, unit, now)
    if asked.as_json:
        text.show_json(
            {
                "flow": flow.name,
                "unit": unit.key,
                **text.unit_json(unit, flow.timezone),
                "reason": reason,
                "sql": sql,
                "scans": [_json(scan) for scan in read],
                "output": goes,
                "published": there,
            }
        )
        return 0
    text.show(f"Unit {text.unit_name(unit, flow.timezone)} of {flow.name}: {reason}")
    text.show(f"Input: {flow.input.kind} {text.listed(prepared.query.source.paths)}")
    for scan in read:
        for line in _lines(scan):
            text.show(f"  {line}")
    text.show(f"Output: {goes or 'none'}")
    if there is not None:
        text.show(f"  published by run {there.get('seeknal_run', 'unknown')}")
    text.show(f"SQL:\n{sql}")
    return 0


def _unit(space: Workspace, flow: Flow, typed: str) -> Unit:
    """Read a unit that the flow has as it is now."""
    unit = Located(flow, space.project).unit(typed)
    schedule = flow.interval_schedule
    if schedule is None:
        return unit
    start = schedule.floor(unit.start)
    end = schedule.next(start)
    if (start, end) == (unit.start, unit.end):
        return unit
    where = format_interval(start, end, flow.timezone)
    raise UsageError(
        f"{typed!r} is not one interval of flow {flow.name!r}; name one, for example '{where}'."
    )


def _reason(space: Workspace, flow: Flow, unit: Unit, now: float) -> str:
    """Return why a backfill would run a unit, or why it would not."""
    if unit.value is None:
        window = Window(ranges=IntervalSet([(unit.start, unit.end)]), backfill=True)
    else:
        window = Window(values=(unit.value,), backfill=True)
    prepared, data = space.ready(flow)
    plan = prepared.plan(space.store, data, window, now)
    if plan.parts:
        return str(plan.parts[0].reason)
    return next((_LEFT_OUT[why] for why in plan.excluded if why in _LEFT_OUT), "done")


def _lines(scan: Scan) -> list[str]:
    about = "" if scan.rows is None else f", about {text.plural(scan.rows, 'row')}"
    columns = f"columns {text.listed(scan.columns)}" if scan.columns else "no columns"
    filters = scan.filters or "none: all of it is read for every unit"
    return [f"scan of {scan.what}: {columns}{about}", f"  filter: {filters}"]


def _json(scan: Scan) -> dict[str, Any]:
    return {
        "what": scan.what,
        "filters": scan.filters,
        "columns": list(scan.columns),
        "rows": scan.rows,
    }
