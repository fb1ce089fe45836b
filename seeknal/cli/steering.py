"""What ``seeknal runs set``, ``cancel``, ``pause`` and ``resume`` do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from seeknal.cli import text
from seeknal.cli.reach import Reached, Where, actor, reached
from seeknal.cli.runtext import progress, run_json
from seeknal.errors import UsageError
from seeknal.stores.base import Change
from seeknal.workflow.state import Run, RunStatus


@dataclass(frozen=True, slots=True)
class _Step:
    """A change of a run's status: how the audit and the answer call it."""

    status: RunStatus
    verb: str
    said: str


_CANCEL: Final = _Step(RunStatus.CANCELLED, "cancel", "Cancelled")
_PAUSE: Final = _Step(RunStatus.PAUSED, "pause", "Paused")
_RESUME: Final = _Step(RunStatus.ACTIVE, "resume", "Resumed")
_OPEN: Final = (RunStatus.ACTIVE, RunStatus.PAUSED)
# How the options that can be changed read, set and not.
_READ: Final = {
    "newest_first": ("newest first", "oldest first"),
    "priority": ("priority {}", "priority 0"),
    "max_active": ("at most {} at once", "no cap"),
}


def cancel_run(where: Where, run_id: str, reason: str, *, as_json: bool) -> None:
    """End a run."""
    _take(where, run_id, _CANCEL, reason, as_json=as_json)


def pause_run(where: Where, run_id: str, reason: str, *, as_json: bool) -> None:
    """Start no more units of a run."""
    _take(where, run_id, _PAUSE, reason, as_json=as_json)


def resume_run(where: Where, run_id: str, reason: str, *, as_json: bool) -> None:
    """Go on with a paused run."""
    _take(where, run_id, _RESUME, reason, as_json=as_json)


def steer_run(
    where: Where, run_id: str, options: Mapping[str, Any], reason: str, *, as_json: bool
) -> None:
    """Give a run another order, priority or cap; an option of None goes back to its default.

    Raises:
        UsageError: nothing is asked for, or the run is over.
    """
    if not options:
        raise UsageError(
            "Say what to set: --newest-first or --oldest-first, --priority N, --max-active N or "
            "--no-max-active."
        )
    with reached(where) as found:
        run = _open(found, run_id)
        fresh = {
            n: v or None for n, v in options.items() if (run.options.get(n) or None) != (v or None)
        }
        turns = [f"{_read(n, run.options.get(n))} to {_read(n, v)}" for n, v in fresh.items()]
        said = f"Changed run {run_id} from {', from '.join(turns)}"
        if fresh:
            change = Change(actor(), "set", f"run {run_id}: {'; '.join(turns)}", reason)
            if not found.store.steer(run_id, fresh, change):
                raise _over(found.run(run_id))
        _tell(found, run_id, said if fresh else f"Run {run_id} is as asked for", as_json=as_json)


def _take(where: Where, run_id: str, step: _Step, reason: str, *, as_json: bool) -> None:
    with reached(where) as found:
        run = _open(found, run_id)
        change = Change(actor(), step.verb, f"run {run_id}", reason)
        if not found.store.set_status(run_id, step.status, change):
            now = found.run(run_id)
            if now.status not in _OPEN:
                raise _over(now)
            raise UsageError(f"Run {run_id} is {now.status} already.")
        _tell(found, run_id, f"{step.said} run {run_id}", as_json=as_json)
    if step is _CANCEL and not as_json:
        command = text.command(f"seeknal run --flow {run.flow}", where.path)
        text.say(f"What is left of it is done by the next: {command}")


def _open(found: Reached, run_id: str) -> Run:
    """Return a run that is not over. One whose process is gone is: holds() sees to that."""
    found.store.holds(found.run(run_id).flow)
    run = found.run(run_id)
    if run.status not in _OPEN:
        raise _over(run)
    return run


def _over(run: Run) -> UsageError:
    left = (
        "" if run.status is RunStatus.DONE else f"; run what is left: seeknal run --flow {run.flow}"
    )
    return UsageError(f"Run {run.id} is over: it is {run.status}, and stays so{left}.")


def _read(name: str, value: Any) -> str:
    given, default = _READ[name]
    return given.format(value) if value else default


def _tell(found: Reached, run_id: str, said: str, *, as_json: bool) -> None:
    run, counts = found.run(run_id), found.store.counts(run_id)
    if as_json:
        text.show_json(run_json(run, counts))
    else:
        text.show(f"{said}: {progress(counts)}.")
