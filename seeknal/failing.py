"""When the first units of a run all fail the same way, going on would only make it worse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seeknal.alike import kind_of
from seeknal.stores.base import Store
from seeknal.workflow.state import Event, RunStatus

# How many first units must have failed, unless the run's option ``pause_after`` says otherwise.
PAUSE_AFTER: Final = 5
_EVENTS: Final = 1000


def pause_if_hopeless(store: Store, run_id: str) -> bool:
    """Pause a run whose first units all failed the same way; return whether it was paused.

    A run that somebody resumed is given as many units again.
    """
    if store.counts(run_id).done:
        return False
    run = store.run(run_id)
    if run is None or run.status is not RunStatus.ACTIVE:
        return False
    limit = int(run.options.get("pause_after", PAUSE_AFTER))
    if limit <= 0 or not common_failure(store.events(run_id, limit=_EVENTS), limit):
        return False
    return store.set_status(run_id, RunStatus.PAUSED)


def common_failure(events: Iterable[Event], limit: int = PAUSE_AFTER) -> str:
    """Return the error that the first ``limit`` units of a run have in common, or ''.

    Errors that differ in numbers and quoted names only are the same. What was before the run
    was last resumed does not count.
    """
    failed: dict[str, str] = {}
    paused = False
    for event in events:
        if event.kind == "completed":
            return ""
        if event.kind == RunStatus.PAUSED:
            paused = True
        elif event.kind == RunStatus.ACTIVE:
            failed, paused = {}, False
        elif event.kind in ("retry", "failed") and not paused:
            failed.setdefault(event.unit, event.detail)
    kinds = {kind_of(error) for error in failed.values()}
    return next(iter(failed.values())) if len(failed) >= limit and len(kinds) == 1 else ""
