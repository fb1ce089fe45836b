"""What ``seeknal runs watch``, ``cancel``, ``pause``, ``resume`` and ``retry`` do."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import replace
from uuid import uuid4

from seeknal.cli import text
from seeknal.cli.progress import Progress
from seeknal.cli.reach import Reached, Where, actor, reached
from seeknal.cli.runlist import progress, run_json
from seeknal.errors import ConflictError, StoreUnavailableError, UnknownNameError, UsageError
from seeknal.failing import why_paused
from seeknal.stores.redis import RedisStore
from seeknal.workflow.state import Run, RunStatus, UnitRecord
from seeknal.workflow.units import Planned, PlannedRange, PlannedValue, stamp

_EVERY = 0.25
_INTERRUPTED = 130
_TRIES = 20


def watch_run(where: Where, run_id: str | None, *, as_json: bool) -> int:
    """Show a run's progress until it ends or pauses; return the exit code."""
    with reached(where) as found:
        run = found.run(run_id) if run_id is not None else _newest(found)
        shown = Progress(run.flow, quiet=as_json)
        try:
            run = _follow(found, run, shown)
        except KeyboardInterrupt:
            text.say(f"No longer watching; run {run.id} goes on.")
            return _INTERRUPTED
        finally:
            shown.close()
        why = why_paused(found.store, run)
        _tell(found, run, f"Run {run.id} is {run.status}", as_json=as_json)
    if why:
        text.say(f"It paused itself, because {why} Go on with: {_going_on(run)}")
    return 0 if run.status is RunStatus.DONE else 1


def cancel_run(where: Where, run_id: str, *, as_json: bool) -> None:
    """End a run."""
    _set(where, run_id, RunStatus.CANCELLED, "Cancelled", as_json=as_json)


def pause_run(where: Where, run_id: str, *, as_json: bool) -> None:
    """Start no more units of a run."""
    _set(where, run_id, RunStatus.PAUSED, "Paused", as_json=as_json)


def resume_run(where: Where, run_id: str, *, as_json: bool) -> None:
    """Go on with a paused run.

    Raises:
        UsageError: it cannot go on: it is not paused, or ended with the command that ran it.
    """
    with reached(where) as found:
        found.store.runs(limit=1)  # ends those whose command is gone
        run = found.run(run_id)
        if run.owner and run.status is RunStatus.INTERRUPTED:
            raise UsageError(
                f"Run {run_id} ended with the command that ran it on its machine; what is left of "
                f"it is done by: {_going_on(run)}"
            )
    _set(where, run_id, RunStatus.ACTIVE, "Resumed", as_json=as_json)


def retry_run(where: Where, run_id: str, *, as_json: bool) -> None:
    """Launch a run of the failed units of another.

    Raises:
        UsageError: nothing of it is failed, or no workers share the store.
        ConflictError: other runs keep starting and ending.
    """
    with reached(where) as found:
        old = found.run(run_id)
        if found.url is None:
            raise UsageError(
                f"There are no workers to leave a run to; run what failed again with: seeknal run "
                f"--flow {old.flow}"
            )
        new = _register_failed(found, old)
        _feed(found, new)
        _tell(found, new, f"Launched run {new.id}", as_json=as_json)
    if not as_json:
        text.say(f"Watch it with: seeknal runs watch {new.id}")


def _going_on(run: Run) -> str:
    """Return the command that does what is left of a run that is paused, or was when it ended."""
    return f"seeknal run --flow {run.flow}" if run.owner else f"seeknal runs resume {run.id}"


def _newest(found: Reached) -> Run:
    runs = found.store.runs(limit=100)
    if not runs:
        raise UnknownNameError(f"Project {found.project!r} has no runs.")
    return next((r for r in runs if r.status is RunStatus.ACTIVE), runs[0])


def _follow(found: Reached, run: Run, shown: Progress) -> Run:
    while True:
        try:
            counts = found.store.counts(run.id)
            current = found.store.run(run.id)
        except StoreUnavailableError:
            # The run may go on without us; so may the watching, when the store is back.
            time.sleep(1.0)
            continue
        shown.update(run, counts)
        if current is None:
            return replace(run, status=RunStatus.CANCELLED)
        if current.status is not RunStatus.ACTIVE:
            return current
        time.sleep(_EVERY)


def _set(where: Where, run_id: str, status: RunStatus, said: str, *, as_json: bool) -> None:
    with reached(where) as found:
        run = found.run(run_id)
        if not found.store.set_status(run_id, status):
            raise UsageError(f"Run {run_id} is {run.status}; that cannot be changed to {status}.")
        _tell(found, found.run(run_id), f"{said} run {run_id}", as_json=as_json)


def _tell(found: Reached, run: Run, said: str, *, as_json: bool) -> None:
    counts = found.store.counts(run.id)
    if as_json:
        text.show_json(run_json(run, counts))
    else:
        text.show(f"{said}: {progress(counts)}.")


def _register_failed(found: Reached, old: Run) -> Run:
    for _ in range(_TRIES):
        holds = found.store.holds(old.flow)
        failed = [r for r in found.store.failed(old.flow) if r.run == old.id]
        if not failed:
            raise UsageError(f"No unit of run {old.id} is failed; there is nothing to retry.")
        new = Run(
            id=f"{stamp(int(found.store.now()))}-{uuid4().hex[:6]}",
            flow=old.flow,
            spec=old.spec,
            fingerprint=old.fingerprint,
            planned=tuple(_planned(failed)),
            units=len(failed),
            options=old.options,
            created_by=actor(),
        )
        if found.store.register(new, holds.version):
            return new
    raise ConflictError(f"Other runs of flow {old.flow!r} keep starting and ending; try again.")


def _planned(failed: Iterable[UnitRecord]) -> Iterable[Planned]:
    """Yield what is to be planned for failed units, those that follow one another as one."""
    last: PlannedRange | None = None
    for record in failed:
        unit, planned = record.unit, record.planned
        if unit.value is not None:
            yield PlannedValue(unit.value, planned.origin)
            continue
        new = PlannedRange(unit.start, unit.end, planned.schedule, planned.origin)
        if last is not None and last == replace(new, start=last.start, end=new.start):
            last = replace(new, start=last.start)
            continue
        if last is not None:
            yield last
        last = new
    if last is not None:
        yield last


def _feed(found: Reached, run: Run) -> None:
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
