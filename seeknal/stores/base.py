"""The store: completions, restatements, runs, leases. One contract, several implementations.

What holds for every verb:

* It is atomic: others see all of it or nothing, and one that raises has changed nothing.
* Times are seconds of the store's own clock (:meth:`Store.now`); no caller's clock decides.
* A lease is expired when ``until < now``; at ``until == now`` it still holds.
* A verb that needs a :class:`Claim` refuses a token that is not the unit's current one, and
  accepts an expired one as long as nobody else has claimed the unit since: an outage of the
  store, or a slow worker, is no reason to throw work away.
* One that raises StoreUnavailableError may have happened: the reply was lost. It can be called
  again; of those that end a claim, a repeat by the same process does not raise LeaseLostError
  if it was this very claim that ended so.
* Names of flows and runs are plain strings; unknown ones have empty state.
* A unit is *done* when its time, or value, is completed and nothing of it is restated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import (
    AuditEntry,
    Claim,
    CompletedValue,
    Completion,
    Counts,
    Event,
    FlowState,
    Restatement,
    Run,
    RunStatus,
    UnitRecord,
    UnitResult,
    UnitStatus,
)
from seeknal.workflow.units import PlannedUnit, Unit


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes a flow's state by hand, and why: what the audit keeps."""

    actor: str
    action: str
    what: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Again:
    """What is done and shall be done again with a run: what registering it restates.

    ``values`` are value partitions and why. ``change`` is what the audit keeps of it; None for
    what nobody asked for by hand.
    """

    restatements: tuple[Restatement, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Holds:
    """The runs that hold units of a flow, as of ``version``.

    A run holds its planned units while it is active; a paused or ended run only those that are
    under lease. ``version`` changes whenever the set of holding runs may have changed.
    """

    version: int
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """What else has published, or may have, within a unit's time (``prepare``).

    ``completions`` are whole stretches as the store holds them, not cut to the unit's time.
    """

    completions: tuple[Completion, ...]
    publishing: tuple[Unit, ...]


NO_OVERLAP: Final = Overlap((), ())


class Store(Protocol):
    """Keeps one project's state. Safe for use by several threads and several processes."""

    def now(self) -> float:
        """Return the store's time in seconds since the epoch."""
        ...

    def close(self) -> None:
        """Let go of connections; later calls may fail."""
        ...

    def together(self) -> AbstractContextManager[None]:
        """Let a store make what this thread asks for within the block one transaction.

        Many verbs in one are cheaper. Each stays atomic: one that refuses has changed nothing,
        and where the block goes on, the others stay. The store's own errors end the block. One
        that raises may have undone all of its verbs or none, so only what can be repeated may be
        asked for together: a store in which each verb goes alone knows the last claim that ended,
        and none before it.
        """
        ...

    # -- a flow's state ---------------------------------------------------------------------

    def flows(self) -> list[str]:
        """Return the names of all flows that have state, sorted."""
        ...

    def state(self, flow: str) -> FlowState:
        """Return a consistent snapshot of a flow's state."""
        ...

    def mark(
        self,
        flow: str,
        completions: Iterable[Completion],
        values: Iterable[CompletedValue],
        change: Change,
    ) -> None:
        """Complete by hand. Time that is already completed keeps its provenance.

        Restatements, unfinished plans and failed records within the marked time are settled.
        Of completions that overlap one another the first counts. Publications that were
        prepared are not settled: their output may be there. Audited.
        """
        ...

    def restate(
        self,
        flow: str,
        restatements: Iterable[Restatement],
        values: Iterable[str],
        change: Change,
    ) -> None:
        """Ask for completed time, and completed values, to be done again. Audited.

        What is not completed is ignored. Completions stay: the output is still there.
        A later restatement of the same time replaces the earlier one's schedule and reason;
        two that touch are one if, and only if, both are equal. A value's reason is the change's.
        """
        ...

    def clear_restatements(
        self, flow: str, within: IntervalSet, values: Iterable[str], change: Change
    ) -> None:
        """Withdraw what is restated within the given time, or of the given values. Audited.

        Restatements that reach beyond the given time are cut at its edges.
        """
        ...

    def failed(self, flow: str) -> list[UnitRecord]:
        """Return the flow's failed units in order of time (or value), with error and attempts.

        A failed unit stays until a later run plans its time, or its time is done: completed or
        marked, in its own shape, in one that covers it, or piece by piece.
        """
        ...

    def log(self, flow: str, unit: Unit) -> list[Event]:
        """Return the latest 20 attempts at a unit, in any run, oldest first; each with its run.

        Events of the kinds ``retry``, ``failed``, ``reaped``, ``released`` and ``completed``. A
        unit that completes at its first attempt leaves none here, only in its run's events.
        Kept for 90 days after the last of them.
        """
        ...

    def specs(self, flow: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the spec of the latest run of each fingerprint that a flow was run with."""
        ...

    def audit(self, flow: str | None = None, limit: int = 1000) -> list[AuditEntry]:
        """Return the latest audited changes, newest first."""
        ...

    # -- runs -------------------------------------------------------------------------------

    def holds(self, flow: str) -> Holds:
        """Return who holds units of a flow.

        Embedded stores first end, as interrupted, the runs whose owner process is gone.
        """
        ...

    def register(self, run: Run, version: int, again: Again | None = None) -> bool:
        """Start a run: ``created`` is set by the store, ``cursor`` starts empty.

        Its planned ranges and values join the flow's unfinished ones; failed records within
        them are dropped. What is to be done ``again`` is restated, as :meth:`restate` does it,
        but what is restated already keeps its reason; it is audited if it has a change. Its spec
        becomes the one of its fingerprint, if that is not empty.

        Returns False, changing nothing, if ``version`` is not the current one: read
        :meth:`holds` again and plan anew. A run of no units is done at once; what it plans is
        unfinished all the same.

        Raises:
            StoreError: there is a run of that id already.
        """
        ...

    def run(self, run_id: str) -> Run | None:
        """Return a run, or None if there is none of that id."""
        ...

    def runs(self, flow: str | None = None, limit: int = 100) -> list[Run]:
        """Return runs, newest first.

        Embedded stores first end, as interrupted, the runs whose owner process is gone.
        """
        ...

    def set_status(self, run_id: str, status: RunStatus, change: Change | None = None) -> bool:
        """Pause, resume, cancel or interrupt a run; returns whether anything changed.

        Audited, if it has a ``change`` and changed anything.

        Only an active or paused run can change. Paused: no new claims, what runs goes on.
        Cancelled or interrupted: units of which an attempt failed, and that were to be tried
        again, have failed; the other records that are not failed go. With them go its leases and
        tokens, so that what still runs can neither renew, prepare nor complete.

        Raises:
            UsageError: ``status`` is done or failed; a run ends so with its last unit alone.
        """
        ...

    def steer(self, run_id: str, options: Mapping[str, Any], change: Change | None = None) -> bool:
        """Change ``newest_first``, ``priority`` or ``max_active`` of an active or paused run.

        An option that is None goes back to its default: oldest first, 0, no cap. Others of the
        run stay as they are. With a new order the units that are fed and that nobody has claimed
        yet are taken back: they have no record any more, join the run's ``returned`` units, and
        the cursor has a new turn (``workflow.cursor.next_turn``), so that the feed begins anew
        where the new order does. What was tried before keeps its place, and its attempts. Units
        under lease go on, also above a new cap. Audited, if it has a ``change``. Returns False,
        changing nothing, if the run is neither active nor paused.

        Raises:
            UsageError: another option is given.
        """
        ...

    def feed(
        self, run_id: str, units: Sequence[PlannedUnit], cursor: str, next_cursor: str
    ) -> bool:
        """Queue units of an active run, in this order, ready at once.

        A unit of which the run has a record is left as it is. What is fed is no longer among
        the run's ``returned`` units.

        Returns False, changing nothing, if the run's cursor is not ``cursor`` any more (another
        feeder was faster) or the run is not active.
        """
        ...

    def window(self, run_id: str) -> int:
        """Return how many fed units of a run are queued or running: what the feed tops up."""
        ...

    def counts(self, run_id: str) -> Counts:
        """Return a run's counts, in constant time.

        A unit that failed stays counted when its record is settled by another run.
        """
        ...

    def records(
        self, run_id: str, status: UnitStatus | None = None, limit: int = 1000
    ) -> list[UnitRecord]:
        """Return unit records of a run, in the order in which they were fed."""
        ...

    def events(self, run_id: str, after: str = "", limit: int = 1000) -> list[Event]:
        """Return a run's events after an event's id, oldest first.

        The latest 10,000 or so are kept, until 90 days after the run's end. Ids are the store's
        own: pass them back, no more. An event with a unit is ``completed``, ``skipped``
        (somebody else had done it), ``retry``, ``failed``, ``released`` or ``reaped``; one
        without is ``registered`` or the run's new status. ``detail`` is the error, or why it
        happened.

        Raises:
            UsageError: ``after`` is not an event's id.
        """
        ...

    def recent(self, run_id: str, limit: int = 1000) -> list[Event]:
        """Return a run's latest events, newest first."""
        ...

    # -- units ------------------------------------------------------------------------------

    def claim(
        self, worker: str, lease: float, run_id: str | None = None, unit: Unit | None = None
    ) -> Claim | None:
        """Lease a unit to a worker for ``lease`` seconds, or return None if none is to be had.

        With ``run_id`` and ``unit`` that unit, with ``run_id`` alone the first ready unit of
        that run, else the first ready unit of any active run: by priority (higher first), then
        of the run that has the fewest units under lease, then by the run's age, then in the
        order of feeding. So runs of one priority share workers evenly. A run with
        ``max_active`` has no more units under lease than that. A unit in backoff is ready once
        ``ready <= now``.

        A unit that is done counts as done and is not leased. One whose lease is held, in this
        run or in another run of the flow, is not leased. An expired lease is held until
        somebody reaps it or claims that very unit, in any run; the claim revokes its token.
        The token is greater than any before it: ``max(previous + 1, now in microseconds)``.
        """
        ...

    def renew(self, claim: Claim, lease: float) -> bool:
        """Extend a lease to ``now + lease``; False if the token is no longer current.

        A unit that was reaped and that nobody has claimed since is leased again.
        """
        ...

    def prepare(self, claim: Claim) -> Overlap:
        """Fence the publication: remember that the unit is about to replace output.

        Returns the completions, and other units that prepared and never completed, that
        overlap the unit's time; what was taken back by :meth:`forget` and not completed since
        is among the completions, because its output may still be there. A value overlaps
        nothing but itself.

        Raises:
            LeaseLostError: the token is no longer current, or the run was cancelled.
        """
        ...

    def forget(self, claim: Claim, spans: IntervalSet) -> None:
        """Take back completions within ``spans``, whose output this unit is about to remove.

        What was completed there joins the flow's unfinished plans, and is restated no more.

        Raises:
            LeaseLostError: the token is no longer current.
        """
        ...

    def complete(self, claim: Claim, fingerprint: str, result: UnitResult) -> None:
        """Make the unit complete, with the claim's origin and schedule; the record goes.

        Completions, restatements, unfinished plans, failed records and prepared publications
        within the unit's time are settled by it; a record or publication that reaches beyond it
        is settled once all its time is done. An active or paused run ends (done, or failed)
        with its last unit.

        Raises:
            LeaseLostError: the token is no longer current, or the run was cancelled.
        """
        ...

    def fail(self, claim: Claim, error: str, retry_in: float | None) -> None:
        """End an attempt: tried again in ``retry_in`` seconds, or failed for good if None.

        Failed records of the same unit in other runs are replaced. The run ends with its last
        unit.

        Raises:
            LeaseLostError: the token is no longer current.
        """
        ...

    def release(self, claim: Claim) -> None:
        """Hand a unit back, ready at once, without an attempt; nothing if the token is stale."""
        ...

    def raise_token(self, least: int) -> int:
        """Let every later token be greater than ``least``; return the greatest one so far.

        For state that comes from elsewhere: another store, or outputs, which carry the tokens
        that they were made under. ``raise_token(0)`` changes nothing. Below 2**53.
        """
        ...

    def reap(self, limit: int = 500) -> list[UnitRecord]:
        """Queue again, ready at once, running units whose lease expired, or whose worker is dead.

        It costs them no attempt, and their tokens stay current until somebody claims. Returns
        what was reaped, at most ``limit`` units: queued, with the worker that had them. After an
        outage of the store nothing is, for one lease: who lives has that long to renew.
        """
        ...
