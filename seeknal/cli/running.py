"""What ``seeknal run`` does, flow by flow."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from seeknal.cli import text
from seeknal.cli.interrupts import Interrupts
from seeknal.cli.progress import Progress
from seeknal.cli.workspace import Workspace, window_of
from seeknal.coordinator import Coordinator, Report
from seeknal.engine.machine import processors
from seeknal.errors import InterruptedRunError, UnknownNameError, UsageError
from seeknal.execute import MAX_ATTEMPTS, Workbench
from seeknal.executors.local import LocalExecutor
from seeknal.flow import Flow
from seeknal.plan import Data, Part, Plan, Window
from seeknal.resolve import Prepared, load_job, output_of
from seeknal.spec import sentence, suggest
from seeknal.stores.owners import process_owner
from seeknal.workflow.instants import format_instant
from seeknal.workflow.state import Counts, Run, RunStatus

_ERRORS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of ``seeknal run``."""

    project_path: Path | None
    flows: list[str]
    start_date: str | None
    end_date: str | None
    partitions: str | None
    backfill: bool
    include_empty: bool
    workers: int | None
    dry_run: bool
    every: bool
    as_json: bool
    redis: str | None = None
    detach: bool = False


@dataclass(frozen=True, slots=True)
class Task:
    """One flow, with what is asked of it and what its data holds; ``alone`` is the only one."""

    prepared: Prepared
    window: Window
    data: Data
    alone: bool = True

    @property
    def zone(self) -> str:
        """The flow's time zone."""
        return self.prepared.timezone


def run_flows(asked: Asked) -> int:
    """Run the flows asked for, one after the other; return the exit code.

    Every flow is checked before the first one starts.
    """
    with Interrupts().caught() as interrupts:
        try:
            return _run_all(asked, interrupts)
        except (KeyboardInterrupt, InterruptedRunError):
            end = f"what was running is handed back. {interrupts.advice}"
            if not interrupts.advice:
                end = "nothing was started."
            raise InterruptedRunError(f"Interrupted; {end}") from None


def _run_all(asked: Asked, interrupts: Interrupts) -> int:
    with Workspace.open(asked.project_path, asked.redis) as space:
        now = time.time()
        shared = is_shared(space, asked)
        names = space.names(asked.flows)
        tasks = [_task(space, asked, name, alone=len(names) == 1) for name in names]
        if asked.dry_run:
            return _dry_run(space, asked, tasks, now)
        if shared:
            from seeknal.cli.shared import run_shared

            return run_shared(space, asked, tasks, now)
        return _run(space, asked, tasks, now, interrupts)


def is_shared(space: Workspace, asked: Asked) -> bool:
    """Return whether workers that share the store execute the run.

    Raises:
        UsageError: an option is for the other kind of run.
    """
    shared = space.project.redis_url is not None
    if asked.detach and not shared:
        raise UsageError(
            "--detach leaves a run to workers that share a Redis; give its address with --redis."
        )
    if asked.workers is not None and shared:
        raise UsageError(
            "--workers is for runs on this machine. Who works on a shared Redis is said where "
            "workers are started: seeknal worker --concurrency N."
        )
    return shared


def _task(space: Workspace, asked: Asked, name: str, *, alone: bool) -> Task:
    flow = space.project.flow(name)
    window = window_of(
        flow,
        asked.start_date,
        asked.end_date,
        asked.partitions,
        backfill=asked.backfill,
        include_empty=asked.include_empty,
    )
    prepared, data = space.ready(flow)
    _refuse_unknown(space, flow, window, data)
    return Task(prepared, window, data, alone)


def _refuse_unknown(space: Workspace, flow: Flow, window: Window, data: Data) -> None:
    """Refuse partitions that were named, and that neither the input nor the state knows."""
    if not flow.by_value or window.values is None or window.include_empty:
        return
    done = {v.value for v in space.store.state(flow.name).values}
    for value in window.values:
        if value not in done.union(data.values):
            hint = sentence(suggest(value, data.values, "partitions"))
            raise UnknownNameError(
                f"The input of flow {flow.name!r} has no partition {value!r}; {hint} "
                "With --include-empty it is run all the same."
            )


def _dry_run(space: Workspace, asked: Asked, tasks: Sequence[Task], now: float) -> int:
    plans = [(t, t.prepared.plan(space.store, t.data, t.window, now)) for t in tasks]
    if asked.as_json:
        text.show_json({"flows": [text.plan_json(plan, t.zone) for t, plan in plans]})
        return 0
    for task, plan in plans:
        if plan.parts:
            text.show(f"Would process {text.what(plan, plan.flow)}:")
            text.show_lines(text.plan_lines(plan, task.zone), every=asked.every)
        else:
            text.show(f"Nothing to do for {plan.flow}.")
        _say_left_out(task, plan, asked)
    return 0


def _run(
    space: Workspace, asked: Asked, tasks: Sequence[Task], now: float, interrupts: Interrupts
) -> int:
    for task in tasks:
        output = output_of(space.project, space.project.flow(task.prepared.name))
        if output is not None:
            output.check()
    owner = process_owner()
    bench = Workbench(
        space.store,
        space.engine,
        lambda run: load_job(space.project, run),
        worker=owner,
        lease=space.settings.lease,
    )
    interrupts.hand_back = bench.hand_back
    space.touch()
    reports: list[tuple[Task, Report]] = []
    try:
        workers = asked.workers or processors()
        with LocalExecutor(space.store, bench, workers) as executor:
            for task in tasks:
                interrupts.advice = f"Go on with: {_command(asked, asked.flows)}"
                report = _run_one(space, asked, task, executor, owner, now)
                reports.append((task, report))
                if not asked.as_json:
                    conclude(task, report, asked)
    finally:
        bench.close()
    if asked.as_json:
        text.show_json({"flows": [report_json(task, report) for task, report in reports]})
    return 0 if all(report.complete for _, report in reports) else 1


def _run_one(
    space: Workspace, asked: Asked, task: Task, executor: LocalExecutor, owner: str, now: float
) -> Report:
    watcher = Watcher(task, asked)
    coordinator = Coordinator(
        space.store,
        executor,
        watcher,
        actor=space.actor,
        owner=owner,
        options={"max_attempts": MAX_ATTEMPTS},
    )
    try:
        return coordinator.run(task.prepared, task.data, task.window, now)
    finally:
        watcher.close()


class Watcher:
    """Shows one flow's run as it goes."""

    def __init__(self, task: Task, asked: Asked) -> None:
        self._task = task
        self._asked = asked
        self._progress = Progress(task.prepared.name, quiet=asked.as_json)
        self._waited: set[str] = set()

    def planned(self, plan: Plan) -> None:
        """Say what will be run, and what will not, and why."""
        if self._asked.as_json:
            return
        if plan.parts:
            where = text.parts_span(plan.parts, self._task.zone)
            whose = "" if self._task.alone else plan.flow
            text.show(f"Processing {text.what(plan, whose)} ({where})")
        else:
            text.show(f"Nothing to do for {plan.flow}.")
        _say_left_out(self._task, plan, self._asked)

    def progress(self, run: Run, counts: Counts) -> None:
        """Move the bar."""
        self._progress.update(run, counts)

    def waiting(self, theirs: tuple[Part, ...], runs: tuple[Run, ...]) -> None:
        """Say once whom this run waits for."""
        for run in runs:
            if run.id not in self._waited and not self._asked.as_json:
                where = text.parts_span(theirs, self._task.zone)
                text.say(f"Waiting for run {run.id} of {run.created_by}, which holds {where}.")
            self._waited.add(run.id)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._progress.close()


def _say_left_out(task: Task, plan: Plan, asked: Asked) -> None:
    if plan.beyond and plan.schedule:
        where = text.span(plan.beyond, task.zone)
        latest = task.data.extent and format_instant(int(task.data.extent[1]), task.zone)
        why = f"the data ends at {latest}" if latest else "the input has no rows"
        text.say(
            f"Not run: {text.count(plan.schedule, plan.beyond)} ({where}), because {why}; "
            "--include-empty runs them."
        )
    if plan.cut and task.data.extent and plan.parts:
        latest = format_instant(int(task.data.extent[1]), task.zone)
        text.say(
            f"Note: the data ends at {latest}, within the last interval; if more of it is "
            "still to come, set data_lag in the flow, or restate the interval later."
        )
    if plan.absent:
        text.say(
            f"Not run: {text.plural(len(plan.absent), 'partition')} not in the data "
            f"({text.listed(plan.absent)}); --include-empty runs them."
        )
    if plan.gaps and plan.schedule:
        text.say(
            f"{text.count(plan.schedule, plan.gaps, 'older missing interval')} "
            f"({text.span(plan.gaps, task.zone)}); fill with: {_fill(task, asked)}"
        )
    if plan.waiting:
        text.say(
            f"{text.plural(plan.waiting, f'restated {plan.noun}')} left for a backfill; run with: "
            f"{_fill(task, asked)}"
        )


def _fill(task: Task, asked: Asked) -> str:
    return text.command(f"seeknal run --backfill --flow {task.prepared.name}", asked.project_path)


def _command(asked: Asked, flows: Sequence[str]) -> str:
    """The command that goes on where this one stopped."""
    words = ["seeknal run", *(f"--flow {name}" for name in flows)]
    if asked.backfill:
        words.append("--backfill")
    for option, value in (
        ("--start-date", asked.start_date),
        ("--end-date", asked.end_date),
        ("--partitions", asked.partitions),
    ):
        if value:
            words.append(f"{option} {quote(value)}")
    if asked.include_empty:
        words.append("--include-empty")
    if asked.redis is not None:
        from seeknal.stores.redis_errors import address_of

        words.append(f"--redis {quote(address_of(asked.redis))}")  # without its password
    return text.command(" ".join(words), asked.project_path)


def conclude(task: Task, report: Report, asked: Asked) -> None:
    """Print how a flow's run came out."""
    if report.counts:
        text.show(_summary(report))
    if report.taken_back:
        text.say(
            f"Taken back: {text.span(report.taken_back, task.zone)}, which was done in longer "
            f"intervals that were partly done again; fill with: {_fill(task, asked)}"
        )
    if report.complete:
        return
    if report.stopped is RunStatus.PAUSED:
        text.say(f"Run {report.runs[-1].id} is paused.")
    elif report.stopped is not None:
        text.say(f"Run {report.runs[-1].id} was {report.stopped} by somebody else.")
    _say_failures(task, report, asked)
    text.say(
        f"Left to do: {text.what(report.left)} "
        f"({text.parts_span(report.left.parts, task.zone)}). "
        f"Go on with: {_command(asked, [task.prepared.name])}"
    )


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
        "left": text.plan_json(report.left, task.zone)["units"],
    }
