"""How an attempt ends that an error broke off: tried again, failed, handed back, left to others."""

from __future__ import annotations

import random
from contextlib import suppress
from typing import Final

from seeknal.errors import (
    DataUnavailableError,
    InterruptedRunError,
    LeaseLostError,
    PermanentQueryError,
    QueryError,
    SeeknalError,
    StoreUnavailableError,
)
from seeknal.failing import pause_if_hopeless
from seeknal.heartbeat import Holding
from seeknal.workbench import Broken, Outcome, Workbench
from seeknal.workflow.durations import format_duration
from seeknal.workflow.state import Claim

MAX_ATTEMPTS: Final = 3
BACKOFF = 1.0
_LONGEST_BACKOFF: Final = 600.0


def end_attempt(bench: Workbench, broken: Broken) -> Outcome:
    """Let go of a unit whose attempt an error broke off, and tell the store what became of it."""
    holding, error, claim = broken.holding, broken.error, broken.holding.claim
    bench.heartbeat.drop(holding)
    if isinstance(error, LeaseLostError) or holding.lost:
        return Outcome.LOST
    if holding.late and isinstance(error, InterruptedRunError):
        error = _late(holding)
    gone = isinstance(error, InterruptedRunError | StoreUnavailableError)
    if gone or bench.stopping.is_set():
        release(bench, holding)
        return Outcome.RELEASED
    if isinstance(error, DataUnavailableError) and bench.elsewhere is not None:
        bench.lacks = str(error)
        elsewhere = bench.elsewhere
        if bench.insist(lambda: elsewhere(claim)):
            release(bench, holding)
        else:
            _fail(bench, claim, error, final=True)
        return Outcome.UNSEEN
    return _fail(bench, claim, error)


def release(bench: Workbench, holding: Holding) -> None:
    """Let go of a unit; others may have it at once, and it costs no attempt."""
    bench.heartbeat.drop(holding)
    bench.insist(lambda: bench.store.release(holding.claim))


def give_up(bench: Workbench, holding: Holding) -> None:
    """Fail the attempt of a query that ran out of time and does not stop."""
    _fail(bench, holding.claim, _late(holding, deaf=True))


def backoff(base: float, attempt: int) -> float:
    """Return the seconds to wait after the n-th failed attempt: doubling, half of it random."""
    longest = min(base * 2.0 ** (attempt - 1), _LONGEST_BACKOFF)
    return longest * random.uniform(0.5, 1.0)


def _fail(bench: Workbench, claim: Claim, error: Exception, *, final: bool = False) -> Outcome:
    try:
        options = bench.options(claim.run)
        attempt = claim.attempts + 1
        last = attempt >= int(options.get("max_attempts", MAX_ATTEMPTS))
        final = final or last or isinstance(error, PermanentQueryError)
        wait = None if final else backoff(float(options.get("backoff", BACKOFF)), attempt)
        known = isinstance(error, SeeknalError)
        text = str(error) if known else f"{type(error).__name__}: {error}"
        bench.insist(lambda: bench.store.fail(claim, text, wait))
    except LeaseLostError:
        return Outcome.LOST
    with suppress(StoreUnavailableError):  # the next failure will tell as well
        pause_if_hopeless(bench.store, claim.run, options)
    return Outcome.FAILED


def _late(holding: Holding, *, deaf: bool = False) -> QueryError:
    return QueryError(
        "The attempt took longer than its timeout of "
        f"{format_duration(int(holding.timeout or 0))}"
        f"{', and its query ignores that it was interrupted' if deaf else ''}; give it more time "
        "with --timeout, or make its SQL faster."
    )
