"""What ``seeknal run`` prints when a flow's run is over."""

from __future__ import annotations

from collections import Counter
from typing import Any

from seeknal.cli import text
from seeknal.cli.asked import Asked
from seeknal.cli.leftout import fill
from seeknal.cli.task import Task
from seeknal.coordinator import Report
from seeknal.plan import Plan, start_of
from seeknal.workflow.instants import format_instant
from seeknal.workflow.state import RunStatus

_ERRORS_SHOWN = 5


def conclude(task: Task, report: Report, asked: Asked) -> None:
    """Print how a flow's run came out."""
    if report.counts:
        text.show(_summary(report))
    if report.taken_back:
        text.say(
            f"Taken back: {text.span(report.taken_back, task.zone)}, which was done in longer "
            f"intervals that were partly done again; fill with: {fill(task, asked)}"
        )
    go_on = asked.going_on([task.prepared.name], since(task, report.plan, asked))
    if not report.complete:
        _say_stopped(report)
        _say_failures(task, report, asked)
        resumed = f"seeknal runs resume {report.runs[-1].id}" if _is_resumable(report) else go_on
        text.say(f"Left to do: {_what(task, report.left)}. Go on with: {resumed}")
    if report.later.parts:
        text.say(f"Past the limit: {_what(task, report.later)}. Go on with: {go_on}")


def since(task: Task, plan: Plan, asked: Asked) -> str:
    """Return from when on to go on, where look-back reached to before the date asked for."""
    first = min((start_of(part) for part in plan.parts), default=None)
    if not asked.start_date or not asked.lookback or first is None or task.window.start is None:
        return ""
    return format_instant(first, task.zone) if first < task.window.start else ""


def _what(task: Task, plan: Plan) -> str:
    return f"{text.what(plan)} ({text.parts_span(plan.parts, task.zone)})"


def _is_resumable(report: Report) -> bool:
    """Whether others go on with a run once it is resumed: not if it ends with this command."""
    return report.stopped is RunStatus.PAUSED and not report.runs[-1].owner


def _say_stopped(report: Report) -> None:
    if report.stopped is None:
        return
    run = report.runs[-1].id
    if report.stopped is not RunStatus.PAUSED:
        text.say(f"Run {run} was {report.stopped} by somebody else.")
    elif report.because:
        text.say(f"Run {run} paused itself, because {report.because}")
    else:
        text.say(f"Run {run} was paused by somebody else.")


def _summary(report: Report) -> str:
    total = Counter[str]()
    for counts in report.counts:
        total.update(
            done=counts.done,
            failed=counts.failed,
            rows=counts.rows,
            bytes=counts.bytes,
            retries=counts.retries,
        )
    busy = sum(counts.busy for counts in report.counts)
    run = report.runs[-1]
    extra = f", {text.plural(total['retries'], 'retry')}" if total["retries"] else ""
    failed = f", {total['failed']:,} failed" if total["failed"] else ""
    return (
        f"Run {run.id}: {total['done']:,} done{failed}, {text.plural(total['rows'], 'row')}, "
        f"{text.size(total['bytes'])}, {busy:.1f} s of work{extra}."
    )


def _say_failures(task: Task, report: Report, asked: Asked) -> None:
    for record in report.failed[:_ERRORS_SHOWN]:
        text.say(
            f"Failed: {text.unit_name(record.unit, task.zone)} after "
            f"{text.plural(record.attempts, 'attempt')}: {record.error}"
        )
    if len(report.failed) > _ERRORS_SHOWN:
        words = f"seeknal intervals failed --flow {task.prepared.name}"
        more = len(report.failed) - _ERRORS_SHOWN
        text.say(f"... and {more:,} more: {text.command(words, asked.project_path)}")


def report_json(task: Task, report: Report) -> dict[str, Any]:
    """Return how a flow's run came out, as JSON."""
    return {
        **text.plan_json(report.plan, task.zone),
        "complete": report.complete,
        "runs": [run.id for run in report.runs],
        "done": sum(c.done for c in report.counts),
        "rows": sum(c.rows for c in report.counts),
        "bytes": sum(c.bytes for c in report.counts),
        "failed": [text.record_json(record, task.zone) for record in report.failed],
        "left": report.left.count(),
        "past_limit": report.later.count(),
        **({"stopped": str(report.stopped), "because": report.because} if report.stopped else {}),
    }
