"""What ``seeknal logs`` and ``seeknal runs export`` do: tell what became of units."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seeknal.attempts import UnitLog, unit_log
from seeknal.cli import text
from seeknal.cli.located import Located, locate
from seeknal.cli.reach import Where, reached
from seeknal.cli.runtext import clock, event_json, moment, running_json, worker_name
from seeknal.engine.provenance import Published
from seeknal.errors import UnknownNameError, UsageError
from seeknal.export import ending_of, export
from seeknal.workflow.instants import format_interval
from seeknal.workflow.intervals import IntervalSet, count_units
from seeknal.workflow.state import Event

_OUTCOMES = {
    "retry": "failed for now",
    "failed": "failed for good",
    "reaped": "lost with its worker",
    "released": "handed back",
    "skipped": "done by then",
}


def show_logs(
    where: Where, typed: str, names: Sequence[str], run_id: str | None, *, as_json: bool
) -> None:
    """Print the attempts at a unit, and what its published file says of itself.

    Raises:
        UnknownNameError: nothing is known of such a unit.
    """
    with reached(where) as found:
        run = None if run_id is None else found.run(run_id)
        here = locate(found, names, run)
        unit = here.unit(typed)
        log = unit_log(found.store, unit, here.output(), run_id)
        at = found.store.now()
    if not log.is_known:
        _refuse_unknown(here, log, typed)
    if as_json:
        text.show_json(_json(here, log, at))
        return
    text.show(f"{text.unit_name(unit, here.flow.timezone)} of {unit.flow}: {_standing(log)}")
    for event in log.attempts:
        _show_attempt(event)
    if log.running is not None:
        record = log.running
        since = text.duration(max(0.0, at - record.since))
        text.show(f"  {clock(record.since)}  runs for {since} on {worker_name(record.worker)}")
    if log.published is not None:
        _show_file(log.published)


def export_run(where: Where, run_id: str | None, file: Path) -> None:
    """Write a row for each unit of a run to a file."""
    ending_of(file)
    with reached(where) as found:
        run = found.run(run_id)
        output = locate(found, (), run).output()
        count = export(found.store, run, output, file)
    of = "" if run_id is not None else f" of run {run.id}"
    text.show(f"Wrote {text.plural(count, 'row')}{of} to {file}.")
    if output is None:
        text.say(
            "The run's output is not in sight here: of units that completed before the latest "
            "10,000 events there is no more than that they are done."
        )


def _refuse_unknown(here: Located, log: UnitLog, typed: str) -> None:
    """Refuse a stretch of several units, and one that nobody has tried.

    Raises:
        UsageError: it is several.
        UnknownNameError: nothing has become of it yet.
    """
    unit, schedule = log.unit, here.flow.interval_schedule
    if schedule is not None:
        many = count_units(schedule, IntervalSet([(unit.start, unit.end)]))
        if many != 1:
            first = schedule.floor(unit.start)
            name = format_interval(first, schedule.next(first), here.flow.timezone)
            raise UsageError(
                f"{typed!r} is {text.plural(many, 'interval')} of {schedule.cron!r}; name one of "
                f"them, for example {name!r}."
            )
    if not log.done:
        raise UnknownNameError(
            f"Nobody has tried '{text.unit_name(unit, here.flow.timezone)}' of flow {unit.flow!r} "
            "yet, as far as is remembered; see what is done with: seeknal intervals show "
            f"--flow {unit.flow}"
        )


def _standing(log: UnitLog) -> str:
    latest = log.attempts[-1].kind if log.attempts else ""
    if log.running is not None:
        return "running"
    if log.done:
        return "restated, pending" if log.restated else "completed"
    return {"failed": "failed", "retry": "waiting to be tried again"}.get(latest, "not done")


def _show_attempt(event: Event) -> None:
    parts = [_OUTCOMES.get(event.kind, event.kind)]
    if event.seconds:
        parts.append(f"after {text.duration(event.seconds)}")
    if event.worker:
        parts.append(f"on {worker_name(event.worker)}")
    made = ""
    if event.kind == "completed":
        made = f": {text.plural(event.rows, 'row')}, {text.size(event.bytes)}"
    text.show(f"  {clock(event.at)}  {' '.join(parts)}, run {event.run}{made}")
    if event.detail:
        text.show(f"    {event.detail}")


def _show_file(file: Published) -> None:
    said = file.said
    text.show(f"Published: {file.path}")
    text.show(
        f"  {text.plural(file.rows, 'row')}, {text.size(file.bytes)}, written {clock(file.at)} "
        f"by run {said.get('seeknal_run', '?')}, token {said.get('seeknal_token', '?')}"
    )


def _json(here: Located, log: UnitLog, at: float) -> dict[str, Any]:
    zone = here.flow.timezone
    file = log.published
    return {
        "flow": log.unit.flow,
        "unit": log.unit.key,
        **text.unit_json(log.unit, zone),
        "status": _standing(log),
        "attempts": [{**event_json(event, zone), "run": event.run} for event in log.attempts],
        "running": running_json(log.running, at, zone) if log.running else None,
        "published": file
        and {
            "path": str(file.path),
            "rows": file.rows,
            "bytes": file.bytes,
            "written": moment(file.at),
            "provenance": file.said,
        },
    }
