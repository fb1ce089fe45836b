"""What ``seeknal run`` does, flow by flow."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from seeknal.cli import text
from seeknal.cli.asked import Asked
from seeknal.cli.changed import warn_mixed
from seeknal.cli.here import Here, executing
from seeknal.cli.interrupts import Interrupts
from seeknal.cli.leftout import say_left_out
from seeknal.cli.outcome import conclude, report_json, since
from seeknal.cli.preview import preview_json, show_preview
from seeknal.cli.progress import Progress
from seeknal.cli.task import Task
from seeknal.cli.workspace import Workspace
from seeknal.coordinator import Coordinator, Report, preview
from seeknal.errors import InterruptedRunError, UnknownNameError, UsageError
from seeknal.flow import Flow
from seeknal.plan import Data, Part, Plan, Window
from seeknal.resolve import output_of
from seeknal.spec import sentence, suggest
from seeknal.workflow.state import Counts, Run


def run_flows(asked: Asked) -> int:
    """Run the flows asked for, one after the other; return the exit code.

    Every flow is checked before the first one starts.
    """
    asked.check()
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
        if asked.explain is not None:
            from seeknal.cli.explaining import explain

            return explain(space, asked, asked.explain, now)
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
    window = asked.window(flow)
    prepared, data = space.ready(flow)
    warn_mixed(space, flow, asked.project_path)
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
    plans = [(t, preview(space.store, t.prepared, t.data, t.window, now)) for t in tasks]
    if asked.as_json:
        text.show_json({"flows": [preview_json(plan, t.zone) for t, plan in plans]})
        return 0
    for task, plan in plans:
        show_preview(plan, task.zone, every=asked.every)
        say_left_out(task, plan, asked)
    return 0


def _run(
    space: Workspace, asked: Asked, tasks: Sequence[Task], now: float, interrupts: Interrupts
) -> int:
    for task in tasks:
        output = output_of(space.project, space.project.flow(task.prepared.name))
        if output is not None:
            output.check()
    if asked.estimate:
        return _estimate(space, asked, tasks, now, interrupts)
    reports: list[tuple[Task, Report]] = []
    with executing(space, interrupts, asked.workers) as here:
        for number, task in enumerate(tasks):
            watcher = Watcher(task, asked, _Advice(asked, tasks, number, interrupts))
            report = _run_one(space, asked, task, here, watcher, now)
            reports.append((task, report))
            if not asked.as_json:
                conclude(task, report, asked)
    if asked.as_json:
        text.show_json({"flows": [report_json(task, report) for task, report in reports]})
    return 0 if all(report.complete for _, report in reports) else 1


def _estimate(
    space: Workspace, asked: Asked, tasks: Sequence[Task], now: float, interrupts: Interrupts
) -> int:
    from seeknal.cli.estimating import estimate_flows

    interrupts.advice = "What the sample did stays done."
    # One thread: what a unit takes is not blurred by what others of its process do.
    with executing(space, interrupts, workers=1) as here:
        return estimate_flows(
            space.store,
            asked,
            tasks,
            now,
            None,
            lambda task: _run_one(space, asked, task, here, Watcher(task, asked), now),
        )


def _run_one(
    space: Workspace, asked: Asked, task: Task, here: Here, watcher: Watcher, now: float
) -> Report:
    coordinator = Coordinator(
        space.store,
        here.executor,
        watcher,
        actor=space.actor,
        owner=here.owner,
        options=asked.options(),
    )
    try:
        return coordinator.run(task.prepared, task.data, task.window, now)
    finally:
        watcher.close()


class _Advice:
    """How to go on, should the command be interrupted: what is launched needs no force any more."""

    def __init__(
        self, asked: Asked, tasks: Sequence[Task], number: int, interrupts: Interrupts
    ) -> None:
        self._asked, self._interrupts = asked, interrupts
        self._task = tasks[number]
        self._names = [task.prepared.name for task in tasks]
        self._launched = number
        self._give("")

    def __call__(self, plan: Plan) -> None:
        """Note that the flow's run is launched."""
        self._launched += 1
        self._give(since(self._task, plan, self._asked))

    def _give(self, since_when: str) -> None:
        asked = self._asked
        names, rest = self._names[: self._launched], self._names[self._launched :]
        if not (asked.force or asked.lookback):
            commands = [asked.going_on(asked.flows)]
        else:
            commands = [asked.going_on(names, since_when)] if names else []
            commands += [asked.again(rest)] if rest else []
        self._interrupts.advice = f"Go on with: {' && '.join(commands)}"


class Watcher:
    """Shows one flow's run as it goes."""

    def __init__(
        self, task: Task, asked: Asked, launched: Callable[[Plan], None] | None = None
    ) -> None:
        self._task = task
        self._asked = asked
        self._launched = launched
        self._progress = Progress(task.prepared.name, quiet=asked.as_json)
        self._waited: set[str] = set()

    def planned(self, plan: Plan) -> None:
        """Say what will be run, and what will not, and why."""
        if self._launched is not None:
            self._launched(plan)
        if self._asked.as_json:
            return
        if plan.parts:
            where = text.parts_span(plan.parts, self._task.zone)
            whose = "" if self._task.alone else plan.flow
            text.show(f"Processing {text.what(plan, whose)} ({where})")
        elif not plan.held:
            text.show(f"Nothing to do for {plan.flow}.")
        say_left_out(self._task, plan, self._asked)

    def progress(self, run: Run, counts: Counts) -> None:
        """Move the bar."""
        self._progress.update(run, counts)

    def waiting(self, theirs: tuple[Part, ...], runs: tuple[Run, ...]) -> None:
        """Say once whom this run waits for."""
        for run in runs:
            if run.id not in self._waited and not self._asked.as_json:
                where = text.parts_span(theirs, self._task.zone)
                if self._asked.detach:
                    text.say(f"Run {run.id} of {run.created_by} holds {where}, and does that.")
                else:
                    text.say(f"Waiting for run {run.id} of {run.created_by}, which holds {where}.")
            self._waited.add(run.id)

    def close(self) -> None:
        """Leave the bar as it stands."""
        self._progress.close()
