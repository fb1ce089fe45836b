"""What ``seeknal runs retry`` does: by workers where some share the store, else here."""

from __future__ import annotations

import os
from collections.abc import Sequence

from seeknal.cli import text
from seeknal.cli.here import Here, executing
from seeknal.cli.interrupts import Interrupts
from seeknal.cli.progress import Progress
from seeknal.cli.reach import Reached, Where, actor, reached
from seeknal.cli.runtext import made, progress, run_json
from seeknal.cli.workspace import Workspace
from seeknal.coordinator import Coordinator
from seeknal.errors import InterruptedRunError
from seeknal.plan import Part, Plan
from seeknal.retry import register_failed
from seeknal.stores.base import Store
from seeknal.stores.redis import RedisStore
from seeknal.workflow.state import Counts, Run, RunStatus


def retry_run(where: Where, run_id: str, failures: Sequence[str], *, as_json: bool) -> int:
    """Run failed units of a run again, in a new run; return the exit code.

    Raises:
        UsageError: nothing of it is failed, or not in that way.
        ConflictError: other runs keep starting and ending.
        InterruptedRunError: it was interrupted, and what ran is handed back.
    """
    with reached(where) as found:
        old = found.run(run_id)
        if found.url is not None:
            new = register_failed(found.store, old, failures, actor=actor(), owner="")
            _leave_to_workers(found, new)
            counts = found.store.counts(new.id)
    if found.url is None:
        with Interrupts().caught() as interrupts:
            return _run_here(where, old, failures, interrupts, as_json=as_json)
    if as_json:
        text.show_json(run_json(new, counts))
    else:
        text.show(f"Launched run {new.id}: {progress(counts)}.")
        text.say(f"Watch it with: {where.command(f'seeknal runs watch {new.id}')}")
    return 0


def _leave_to_workers(found: Reached, run: Run) -> None:
    from seeknal.executors.celery import Publisher
    from seeknal.executors.dispatch import Dispatcher

    assert isinstance(found.store, RedisStore)
    assert found.url is not None
    publisher = Publisher(found.url)
    try:
        owner = f"{actor()} {os.getpid()}"
        Dispatcher(found.store, publisher, found.project, owner).prime(run.id)
    finally:
        publisher.close()


def _run_here(
    where: Where, old: Run, failures: Sequence[str], interrupts: Interrupts, *, as_json: bool
) -> int:
    interrupts.advice = f"Go on with: {where.command(f'seeknal run --flow {old.flow}')}"
    with Workspace.open(where.path) as space:
        try:
            with executing(space, interrupts, None) as here:
                new = register_failed(
                    space.store, old, failures, actor=space.actor, owner=here.owner
                )
                if not as_json:
                    many = text.plural(new.units, "failed unit")
                    text.show(f"Retrying {many} of run {old.id} ({old.flow})")
                _finish(space, here, new, quiet=as_json)
        except (KeyboardInterrupt, InterruptedRunError):
            end = f"Interrupted; what was running is handed back. {interrupts.advice}"
            raise InterruptedRunError(end) from None
        return _conclude(space.store, where, new, as_json=as_json)


def _finish(space: Workspace, here: Here, run: Run, *, quiet: bool) -> None:
    shown = _Shown(Progress(run.flow, quiet=quiet))
    coordinator = Coordinator(
        space.store, here.executor, shown, actor=space.actor, owner=here.owner
    )
    try:
        coordinator.finish(run)
    finally:
        shown.bar.close()


class _Shown:
    """Shows a run that is driven here; it plans nothing, and waits for nobody."""

    def __init__(self, bar: Progress) -> None:
        self.bar = bar

    def planned(self, plan: Plan) -> None: ...

    def progress(self, run: Run, counts: Counts) -> None:
        self.bar.update(run, counts)

    def waiting(self, theirs: tuple[Part, ...], runs: tuple[Run, ...]) -> None: ...


def _conclude(store: Store, where: Where, run: Run, *, as_json: bool) -> int:
    counts, now = store.counts(run.id), store.run(run.id) or run
    if as_json:
        text.show_json(run_json(now, counts))
    else:
        text.show(f"Run {run.id} is {now.status}: {progress(counts)}, {made(counts)}.")
        if now.status is not RunStatus.DONE:
            text.say(f"See why with: {where.command(f'seeknal runs show {run.id}')}")
    return 0 if now.status is RunStatus.DONE else 1
