"""The coordinator: plan, register, drive, and wait for what other runs hold.

It is disposable: everything that matters is in the store, and a coordinator that dies leaves
a run that others end or go on with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from uuid import uuid4

from seeknal.errors import ConflictError, InterruptedRunError, StoreUnavailableError
from seeknal.failing import allowing, why_paused
from seeknal.plan import Data, Held, Part, Plan, Reason, Taken, Window, again_of, count_planned
from seeknal.resolve import Prepared
from seeknal.stores.base import Again, Change, Holds, Store
from seeknal.workflow.instants import format_interval
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Counts, Run, RunStatus, UnitRecord
from seeknal.workflow.units import PlannedValue, stamp

_TICK = 0.1
_REAP = 1.0
# Attempts to register while other coordinators come and go, before giving up on this one.
_TRIES = 100
_NONE = IntervalSet()


class Driver(Protocol):
    """Where a run's units are executed, seen from the coordinator."""

    def drive(self, run_id: str | None, wait: float) -> None:
        """Keep a run (None: only others' runs) supplied for ``wait`` seconds."""
        ...

    def stop(self) -> None:
        """Stop executing here; hand back what runs."""
        ...


class Observer(Protocol):
    """Whoever shows a run to a person."""

    def planned(self, plan: Plan) -> None:
        """A plan was made; called once per flow, as soon as its run is registered."""
        ...

    def progress(self, run: Run, counts: Counts) -> None:
        """A run began, or moved on."""
        ...

    def waiting(self, theirs: tuple[Part, ...], runs: tuple[Run, ...]) -> None:
        """Nothing is left but units that other runs hold."""
        ...


@dataclass(frozen=True, slots=True)
class Report:
    """How a flow's run came out.

    ``plan`` is what it set out to do. ``left`` is what of that is still lacking: failed units
    (``failed`` has their records), and what other runs hold or gave up. ``later`` is what a
    limit kept back. ``because`` is why a run that is ``stopped`` paused itself, if it did, as the
    end of a sentence. ``taken_back`` is time beside it whose output went because part of it was
    done again in another shape.
    """

    plan: Plan
    left: Plan
    later: Plan
    runs: tuple[Run, ...] = ()
    counts: tuple[Counts, ...] = ()
    failed: tuple[UnitRecord, ...] = ()
    stopped: RunStatus | None = None
    because: str = ""
    taken_back: IntervalSet = _NONE

    @property
    def complete(self) -> bool:
        """Whether all that was set out to do is done."""
        return not self.left.parts


@dataclass(frozen=True, slots=True)
class Launch:
    """What is launched: a run, or None where nothing was left; ``holders`` hold the rest.

    What others hold is in the plan, by their runs' ids.
    """

    plan: Plan
    run: Run | None
    holders: tuple[Run, ...]


@dataclass
class Coordinator:
    """Runs flows over one store.

    ``owner`` is this process where its death shall end its runs, or empty; ``actor`` is who
    asked; ``options`` go into each run.
    """

    store: Store
    driver: Driver
    observer: Observer
    actor: str
    owner: str
    options: Mapping[str, Any] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic

    def run(self, prepared: Prepared, data: Data, window: Window, now: float) -> Report:
        """Run what a window lacks, and wait until nobody works on it any more.

        Raises:
            ConflictError: a run of another version of the flow holds some of the units.
            InterruptedRunError: the run was interrupted; its leases are handed back.
            KeyboardInterrupt: it was interrupted, and goes on without us: it has no owner.
        """
        pass_ = _Pass(self, prepared, data, window, now)
        before = self.store.state(prepared.name).completed
        with self._interruptible(pass_.runs):
            first = pass_.register()
            self.observer.planned(first.plan)
            stopped = pass_.go(first)
        because = ""
        if stopped is RunStatus.PAUSED:
            because = self._why_paused(pass_.runs[-1])
            if self.owner:
                # It ends with this process: what it holds is others' from now on.
                self.store.set_status(pass_.runs[-1].id, RunStatus.INTERRUPTED)
        left, later = pass_.left()
        failed = [r for r in self.store.failed(prepared.name) if _held(left).has(r.unit)]
        counts = tuple(self.store.counts(run.id) for run in pass_.runs)
        taken = before - self.store.state(prepared.name).completed
        taken -= _held(left).time | _held(later).time
        return Report(
            plan=first.plan,
            left=left,
            later=later,
            runs=tuple(pass_.runs),
            counts=counts,
            failed=tuple(failed),
            stopped=stopped,
            because=because,
            taken_back=taken,
        )

    def _why_paused(self, run: Run) -> str:
        current = self.store.run(run.id)
        return "" if current is None else why_paused(self.store, current)

    def finish(self, run: Run) -> RunStatus | None:
        """Drive a run that is registered until it ends or pauses; None if the store has lost it.

        Raises:
            InterruptedRunError, KeyboardInterrupt: as :meth:`run`.
        """
        with self._interruptible([run]):
            return _Wheel(self).drive(run)

    @contextmanager
    def _interruptible(self, runs: list[Run]) -> Iterator[None]:
        """End the runs with this process, if it owns them."""
        try:
            yield
        except KeyboardInterrupt:
            self.driver.stop()
            if not self.owner:
                for run in runs[-1:]:
                    if self.store.run(run.id) is not None:
                        self.observer.progress(run, self.store.counts(run.id))
                raise
            for run in runs:
                self.store.set_status(run.id, RunStatus.INTERRUPTED)
            raise InterruptedRunError("Interrupted; what was running is handed back.") from None

    def launch(self, prepared: Prepared, data: Data, window: Window, now: float) -> Launch:
        """Register what a window lacks, and leave it to others to execute.

        Raises:
            ConflictError: a run of another version of the flow holds some of the units.
        """
        launch = _Pass(self, prepared, data, window, now).register()
        self.observer.planned(launch.plan)
        return launch


def preview(store: Store, prepared: Prepared, data: Data, window: Window, now: float) -> Plan:
    """Return what a run would be launched with at this moment; nothing is launched.

    Raises:
        ConflictError: a run of another version of the flow holds some of the units.
    """
    return _Choice(store, prepared, data, window, now).choose()[0]


def _held(plan: Plan) -> Held:
    return Held.of_planned(plan.planned)


class _Choice:
    """What falls to one run of a flow, with the present held still.

    ``runs`` are those that were launched for it, ``theirs`` what others were at meanwhile, and
    ``seen`` all runs that were active since.
    """

    def __init__(
        self, store: Store, prepared: Prepared, data: Data, window: Window, now: float
    ) -> None:
        self._store = store
        self._prepared, self._data, self._window, self._now = prepared, data, window, now
        self.runs: list[Run] = []
        self.theirs = Held()
        self.seen: set[str] = set()

    @property
    def meant(self) -> Held:
        """What was launched, or left to others, so far."""
        return Held.of(self.runs) | self.theirs

    @property
    def limit(self) -> int | None:
        """How many units may still be launched; None for any number."""
        limit = self._window.limit
        return None if limit is None else limit - sum(run.units for run in self.runs)

    def choose(self) -> tuple[Plan, Holds]:
        """Return what falls to a new run, and by which state of who holds what."""
        holds = self._store.holds(self._prepared.name)
        active = tuple(r for r in holds.runs if r.status is RunStatus.ACTIVE)
        # What failed while we were there is an answer; what had failed before is tried again.
        failed = self._store.failed(self._prepared.name)
        answered = Held.of_units(r.unit for r in failed if r.run in self.seen)
        self.seen.update(run.id for run in active)
        window = replace(self._window, limit=self.limit)
        plan = self._plan(window, Taken(active, answered, self.meant))
        self._refuse_conflict(plan, active)
        return plan, holds

    def left(self) -> tuple[Plan, Plan]:
        """Return what is lacking of what was meant, and what a limit kept back."""
        meant, done_once = self.meant, replace(self._window, force="", lookback=0, limit=None)
        by_value = self._prepared.schedule is None
        whole = replace(
            done_once,
            start=None,
            end=None,
            ranges=None if by_value else meant.time,
            values=tuple(meant.values) if by_value else None,
            only=frozenset(),
            backfill=self._window.whole,
        )
        plan = self._plan(whole)
        left = replace(plan, parts=plan.without(meant)[1])
        if self._window.limit is None:
            return left, replace(left, parts=())
        return left, self._plan(done_once).without(meant)[0]

    def _plan(self, window: Window, taken: Taken | None = None) -> Plan:
        return self._prepared.plan(self._store, self._data, window, self._now, taken)

    def _refuse_conflict(self, plan: Plan, active: Iterable[Run]) -> None:
        wanted = [p for p in plan.parts if p.reason is not Reason.LOOKBACK]
        shapes = {str(plan.schedule) if plan.schedule else ""}
        shapes.update(getattr(p.planned, "schedule", "") for p in (*wanted, *plan.theirs))
        taken = {hold.run for hold in plan.held}
        for run in active:
            texts = {getattr(p, "schedule", "") for p in run.planned}
            same = run.fingerprint == self._prepared.fingerprint and texts <= shapes
            if run.id in taken and not same:
                raise ConflictError(
                    f"Run {run.id} holds units of flow {run.flow!r} under another version of its "
                    "SQL or schedule; wait until it ends, or stop it, and run again."
                )


class _Pass(_Choice):
    """One flow's way through plan, register, drive and wait."""

    def __init__(
        self, coordinator: Coordinator, prepared: Prepared, data: Data, window: Window, now: float
    ) -> None:
        super().__init__(coordinator.store, prepared, data, window, now)
        self._c = coordinator
        self._wheel = _Wheel(coordinator)

    def go(self, launch: Launch) -> RunStatus | None:
        """Work until nothing is left to do; return how a run was stopped from outside, if so."""
        while launch.run is not None or launch.plan.held:
            if launch.run is not None:
                status = self._wheel.drive(launch.run)
                if status is None:
                    self.runs.remove(launch.run)  # what is left of it is planned anew
                elif status not in (RunStatus.DONE, RunStatus.FAILED):
                    return status
            else:
                self._c.observer.waiting(launch.plan.theirs, launch.holders)
                self._c.driver.drive(None, _TICK * 2)
                self._wheel.reap()
            if self.limit == 0:
                break
            launch = self.register()
        return None

    def register(self) -> Launch:
        for _ in range(_TRIES):
            plan, holds = self.choose()
            run = self._new_run(plan) if plan.parts else None
            if run is None or self._register(run, holds, plan):
                self.theirs |= Held.of_planned(part.planned for part in plan.theirs)
                return Launch(plan, run, holds.runs)
        raise ConflictError(
            f"Other runs of flow {self._prepared.name!r} keep starting and ending; try again."
        )

    def _register(self, run: Run, holds: Holds, plan: Plan) -> bool:
        self.runs.append(run)  # now: an interrupt may come before the answer
        if not self._store.register(run, holds.version, self._again(plan)):
            self.runs.remove(run)
            return False
        self.seen.add(run.id)
        return True

    def _again(self, plan: Plan) -> Again | None:
        """What registering the plan restates: what is forced, by hand, and the look-back."""
        forced = [p.planned for p in plan.parts if p.reason is Reason.FORCED]
        span = Held.of_planned(forced).time.span
        values = [one.value for one in forced if isinstance(one, PlannedValue)]
        what = format_interval(*span, self._prepared.timezone) if span else ", ".join(values)
        reason = self._window.force
        return again_of(plan, reason, Change(self._c.actor, "force", what, reason))

    def _new_run(self, plan: Plan) -> Run:
        known = count_planned(p.planned for p in plan.parts if p.reason is Reason.FAILED)
        return Run(
            id=f"{stamp(int(self._store.now()))}-{uuid4().hex[:6]}",
            flow=plan.flow,
            spec=self._prepared.spec,
            fingerprint=self._prepared.fingerprint,
            planned=plan.planned,
            units=plan.count(),
            options=allowing(self._c.options, known, plan.count()),
            created_by=self._c.actor,
            owner=self._c.owner,
        )


class _Wheel:
    """Keeps runs going, whoever planned them, and puts back the units of the dead."""

    def __init__(self, coordinator: Coordinator) -> None:
        self._c, self._store = coordinator, coordinator.store
        self._reaped = 0.0

    def drive(self, run: Run) -> RunStatus | None:
        """Drive a run until it is active no more; None if the store has lost it."""
        while True:
            self._c.driver.drive(run.id, _TICK)
            try:
                status = self._look(run)
            except StoreUnavailableError:
                # Runs without an owner go on without us: wait until we may look again.
                if self._c.owner:
                    raise
            else:
                if status is not RunStatus.ACTIVE:
                    return status

    def _look(self, run: Run) -> RunStatus | None:
        """Show how far a run has come, and now and then look where it stands.

        None if it is gone: a store that died may have lost the second in which it was launched.
        """
        counts = self._store.counts(run.id)
        if counts.units:
            self._c.observer.progress(run, counts)
        if not self.reap() and counts.done + counts.failed < counts.units:
            return RunStatus.ACTIVE
        current = self._store.run(run.id)
        if current is None:
            return None
        if current.status is RunStatus.PAUSED and self._c.owner and counts.running:
            return RunStatus.ACTIVE  # nobody else would let what runs come to its end
        return current.status

    def reap(self) -> bool:
        """Put back, once a second, the units of the dead; return whether it was time."""
        if self._c.clock() - self._reaped < _REAP:
            return False
        self._store.reap()
        self._reaped = self._c.clock()
        return True
