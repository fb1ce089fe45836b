"""When a run pauses itself: going on would only make it worse, or is not wanted."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from seeknal.alike import kind_of
from seeknal.stores.base import Store
from seeknal.workflow.state import Counts, Event, Run, RunStatus

# How many first units must have failed, unless the run's option ``pause_after`` says otherwise.
PAUSE_AFTER: Final = 5
_OPTION: Final = "pause_after"
_EVENTS: Final = 1000
# So many events of a run are kept, or a few more.
_KEPT: Final = 10_000


def allowing(options: Mapping[str, Any], known: int, units: int) -> dict[str, Any]:
    """Return a run's options, with patience for ``known`` units that had failed before it.

    The oldest come first, and that they fail again says nothing of the others; unless there are
    no others among the run's ``units``.
    """
    own = {name: value for name, value in options.items() if name != _OPTION}
    return {**own, _OPTION: PAUSE_AFTER + known} if 0 < known < units else own


def pause_if_hopeless(store: Store, run_id: str, options: Mapping[str, Any]) -> bool:
    """Pause a run that is not to go on after an attempt failed; return whether it was paused.

    One whose first units all failed the same way, and one of which ``stop_after`` units failed
    for good. A run that somebody resumed is given as many units again.
    """
    counts = store.counts(run_id)
    if counts.done and counts.failed < options.get("stop_after", math.inf):
        return False
    run = store.run(run_id)
    if run is None or run.status is not RunStatus.ACTIVE or not _why(store, run, counts):
        return False
    return store.set_status(run_id, RunStatus.PAUSED)


def why_paused(store: Store, run: Run) -> str:
    """Return why a run paused itself, as the end of a sentence; '' if it did not.

    A local run that paused itself is interrupted as soon as its command has ended.
    """
    if run.status not in (RunStatus.PAUSED, RunStatus.INTERRUPTED):
        return ""
    return _why(store, run, store.counts(run.id))


def _why(store: Store, run: Run, counts: Counts) -> str:
    stop_after = run.options.get("stop_after", math.inf)
    if counts.failed >= stop_after:
        failed = _failed_since_resumed(store, run, counts)
        if failed >= stop_after:
            return f"{failed:,} of its units failed, and it was to stop after {stop_after:,}."
    limit = int(run.options.get(_OPTION, PAUSE_AFTER))
    # What a paused run completes after all was begun before it paused.
    if limit <= 0 or (counts.done and run.status is RunStatus.ACTIVE):
        return ""
    error = common_failure(store.events(run.id, limit=_EVENTS), limit)
    return error and f"all of its first units failed the same way: {error}"


def _failed_since_resumed(store: Store, run: Run, counts: Counts) -> int:
    failed = 0
    for event in store.recent(run.id, _KEPT):
        if event.kind == RunStatus.ACTIVE:
            return failed
        failed += event.kind == "failed" and bool(event.unit)
    return counts.failed


def common_failure(events: Iterable[Event], limit: int = PAUSE_AFTER) -> str:
    """Return the error that the first ``limit`` units of a run have in common, or ''.

    Those that were completed after these had failed were under way already. Errors that differ in
    numbers and quoted names only are the same. What was before the run was last resumed does not
    count.
    """
    failed: dict[str, str] = {}
    kinds: set[str] = set()
    found, paused, completed = "", False, False
    for event in events:
        if event.kind == "completed":
            completed = True
        elif event.kind == RunStatus.PAUSED:
            paused = True
        elif event.kind == RunStatus.ACTIVE:
            failed, kinds, found, paused = {}, set(), "", False
        elif event.kind in ("retry", "failed") and not (found or paused):
            kinds.add(kind_of(failed.setdefault(event.unit, event.detail)))
            if len(failed) >= limit and len(kinds) == 1:
                found = next(iter(failed.values()))
        if completed and not found:
            return ""
    return found
