"""``seeknal run`` where workers share a Redis: launch, watch, and leave whenever you like."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress

from seeknal.cli import text
from seeknal.cli.asked import Asked
from seeknal.cli.outcome import conclude, report_json
from seeknal.cli.running import Watcher
from seeknal.cli.task import Task
from seeknal.cli.workspace import Workspace
from seeknal.coordinator import Coordinator, Launch, Report
from seeknal.errors import ConflictError, SeeknalError
from seeknal.executors.celery import Publisher
from seeknal.executors.dispatch import CeleryExecutor, Dispatcher
from seeknal.executors.remote import ask_data
from seeknal.flow import Flow
from seeknal.plan import Data
from seeknal.project import Project
from seeknal.resolve import Prepared, outline
from seeknal.stores.base import Store
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_fleet import slots_of
from seeknal.workflow.state import Counts, Run

_INTERRUPTED = 130
# For so long nobody may have told of himself, because the project is new to the workers.
_NOBODY = 12.0


def ask_worker(project: Project, store: Store, flow: Flow) -> tuple[Prepared, Data]:
    """Have a worker say what the data of a flow hold, which this machine cannot see.

    Raises:
        DataUnavailableError: no worker answers, or none can see them.
        ConflictError: the worker runs another version of Seeknal, or of the flow.
        SeeknalError: what the worker found wrong with the flow.
    """
    prepared = outline(flow)
    text.say(f"The data of {flow.name} are not here; a worker is asked what they hold.")
    publisher = Publisher(_url(project))
    try:
        data, fingerprint = ask_data(
            _redis(store), publisher, project.home.snapshot(), prepared.spec
        )
    finally:
        publisher.close()
    if fingerprint != prepared.fingerprint:
        raise ConflictError(
            f"The worker reads the SQL of flow {flow.name!r} in another way: it runs another "
            "version of Seeknal. Use the same version everywhere."
        )
    return prepared, data


def run_shared(space: Workspace, asked: Asked, tasks: Sequence[Task], now: float) -> int:
    """Launch runs that workers execute, and watch them; return the exit code."""
    store = _redis(space.store)
    store.announce()
    space.touch()
    publisher = Publisher(_url(space.project))
    owner = f"{space.actor} {os.getpid()}"
    executor = CeleryExecutor(Dispatcher(store, publisher, space.project.name, owner))
    try:
        if asked.detach:
            return _launch_all(space, asked, tasks, now, executor)
        if asked.estimate:
            return _estimate(space, asked, tasks, now, executor)
        return _run_all(space, asked, tasks, now, executor)
    finally:
        with suppress(SeeknalError):
            executor.stop()
        publisher.close()


def _launch_all(
    space: Workspace, asked: Asked, tasks: Sequence[Task], now: float, executor: CeleryExecutor
) -> int:
    launched: list[tuple[Task, Launch]] = []
    for task in tasks:
        watcher = _Watcher(task, asked, _redis(space.store))
        launch = _coordinator(space, asked, executor, watcher).launch(
            task.prepared, task.data, task.window, now
        )
        launched.append((task, launch))
        if launch.run is not None:
            executor.launch(launch.run.id)
        if launch.plan.held:
            watcher.waiting(launch.plan.theirs, launch.holders)
        if launch.run is not None and not asked.as_json:
            text.show(f"Launched run {launch.run.id}; watch it with: {_watch(launch.run.id)}")
    if asked.as_json:
        shown = [
            {
                **text.plan_json(launch.plan, task.zone),
                "runs": [launch.run.id] if launch.run else [],
            }
            for task, launch in launched
        ]
        text.show_json({"flows": shown})
    return 0


def _run_all(
    space: Workspace, asked: Asked, tasks: Sequence[Task], now: float, executor: CeleryExecutor
) -> int:
    reports = []
    for task in tasks:
        report = _run_one(space, asked, task, now, executor)
        reports.append((task, report))
        if not asked.as_json:
            conclude(task, report, asked)
    if asked.as_json:
        text.show_json({"flows": [report_json(task, report) for task, report in reports]})
    return 0 if all(report.complete for _, report in reports) else 1


def _run_one(
    space: Workspace, asked: Asked, task: Task, now: float, executor: CeleryExecutor
) -> Report:
    """Run one flow; Ctrl-C leaves its run to the workers, and ends the command."""
    watcher = _Watcher(task, asked, _redis(space.store))
    try:
        return _coordinator(space, asked, executor, watcher).run(
            task.prepared, task.data, task.window, now
        )
    except KeyboardInterrupt:
        watcher.close()
        _say_detached(watcher.run)
        raise SystemExit(_INTERRUPTED) from None
    finally:
        watcher.close()


def _estimate(
    space: Workspace, asked: Asked, tasks: Sequence[Task], now: float, executor: CeleryExecutor
) -> int:
    from seeknal.cli.estimating import estimate_flows

    store = _redis(space.store)
    return estimate_flows(
        store,
        asked,
        tasks,
        now,
        slots_of(store.workers()),
        lambda task: _run_one(space, asked, task, now, executor),
    )


class _Watcher(Watcher):
    """Shows one flow's run; says when nobody is there to execute it."""

    def __init__(self, task: Task, asked: Asked, store: RedisStore) -> None:
        super().__init__(task, asked)
        self._store = store
        self._since = time.monotonic()
        self._moved = -1
        self._warned = False
        self.run: Run | None = None

    def progress(self, run: Run, counts: Counts) -> None:
        """Move the bar."""
        super().progress(run, counts)
        self.run = run
        moved = counts.done + counts.failed + counts.running
        if moved != self._moved:
            self._moved, self._since = moved, time.monotonic()
        elif not self._warned and time.monotonic() - self._since > _NOBODY:
            self._warned = True
            self._say_who_is_there()

    def _say_who_is_there(self) -> None:
        workers = self._store.workers()
        if not workers:
            text.say("No worker is alive; start one with: seeknal worker")
        for worker in workers:
            if worker.detail.get("lacks"):
                text.say(f"Worker {worker.name} stands aside: {worker.detail['lacks']}")


def _say_detached(run: Run | None) -> None:
    if run is None:
        text.say("Interrupted; nothing was started.")
        return
    text.say(
        f"Detached; run {run.id} goes on without us. Watch it with: {_watch(run.id)}; "
        f"end it with: seeknal runs cancel {run.id}"
    )


def _watch(run_id: str) -> str:
    return f"seeknal runs watch {run_id}"


def _coordinator(
    space: Workspace, asked: Asked, executor: CeleryExecutor, watcher: _Watcher
) -> Coordinator:
    options = {**asked.options(), "project": space.project.home.snapshot()}
    return Coordinator(space.store, executor, watcher, actor=space.actor, owner="", options=options)


def _url(project: Project) -> str:
    url = project.redis_url
    assert url is not None  # whoever calls this has a shared store
    return url


def _redis(store: Store) -> RedisStore:
    assert isinstance(store, RedisStore)
    return store
