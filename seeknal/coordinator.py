"""The coordinator: plan, register, drive, and wait for what other runs hold.

It is disposable: everything that matters is in the store, and a coordinator that dies leaves
a run that others end or go on with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import uuid4

from seeknal.errors import ConflictError, InterruptedRunError, StoreUnavailableError
from seeknal.plan import Data, Held, Part, Plan, Window, make_plan
from seeknal.resolve import Prepared
from seeknal.stores.base import Holds, Store
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Counts, Run, RunStatus, UnitRecord
from seeknal.workflow.units import stamp

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
        """A plan was made; called once per flow, before anything runs."""
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

    ``left`` is what the window still lacks: failed units (``failed`` has their records), and
    what other runs hold or gave up. ``taken_back`` is time beside it whose output went because
    part of it was done again in another shape.
    """

    plan: Plan
    left: Plan
    runs: tuple[Run, ...] = ()
    counts: tuple[Counts, ...] = ()
    failed: tuple[UnitRecord, ...] = ()
    stopped: RunStatus | None = None
    taken_back: IntervalSet = _NONE

    @property
    def complete(self) -> bool:
        """Whether the whole window is complete."""
        return not self.left.parts


@dataclass(frozen=True, slots=True)
class Launch:
    """What was launched: a run, or None where nothing was left; ``theirs`` other runs hold."""

    plan: Plan
    run: Run | None
    theirs: tuple[Part, ...]
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
        first = pass_.plan()
        self.observer.planned(first)
        with self._interruptible(pass_.runs):
            stopped = pass_.go()
        left = pass_.plan()
        wanted = Held.of_planned(left.planned)
        failed = [r for r in self.store.failed(prepared.name) if wanted.has(r.unit)]
        counts = tuple(self.store.counts(run.id) for run in pass_.runs)
        taken = before - self.store.state(prepared.name).completed - wanted.time
        return Report(first, left, tuple(pass_.runs), counts, tuple(failed), stopped, taken)

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
        pass_ = _Pass(self, prepared, data, window, now)
        plan = pass_.plan()
        self.observer.planned(plan)
        run, theirs, holds = pass_.register()
        return Launch(plan, run, theirs, holds.runs)


class _Pass:
    """One flow's way through plan, register, drive and wait, with the present held still."""

    def __init__(
        self, coordinator: Coordinator, prepared: Prepared, data: Data, window: Window, now: float
    ) -> None:
        self._c = coordinator
        self._store = coordinator.store
        self._prepared, self._data, self._window, self._now = prepared, data, window, now
        self.runs: list[Run] = []
        self._seen: set[str] = set()
        self._wheel = _Wheel(coordinator)

    def plan(self) -> Plan:
        p = self._prepared
        return make_plan(
            p.name,
            p.schedule,
            self._store.state(p.name),
            self._data,
            self._window,
            now=self._now,
            start=p.start,
            lag=p.lag,
        )

    def go(self) -> RunStatus | None:
        """Work until nothing is left to do; return how a run was stopped from outside, if so."""
        while True:
            run, theirs, holds = self.register()
            if run is not None:
                status = self._wheel.drive(run)
                if status is None:
                    self.runs.remove(run)  # what is left of it is planned anew
                elif status not in (RunStatus.DONE, RunStatus.FAILED):
                    return status
            elif theirs:
                self._c.observer.waiting(theirs, holds.runs)
                self._c.driver.drive(None, _TICK * 2)
                self._wheel.reap()
            else:
                return None

    def register(self) -> tuple[Run | None, tuple[Part, ...], Holds]:
        for _ in range(_TRIES):
            holds = self._store.holds(self._prepared.name)
            active = [r for r in holds.runs if r.status is RunStatus.ACTIVE]
            # What failed while we were there is an answer; what had failed before is tried again.
            failed = self._store.failed(self._prepared.name)
            answered = Held.of_units(r.unit for r in failed if r.run in self._seen)
            plan, _ = self.plan().without(answered)
            self._seen.update(run.id for run in active)
            self._refuse_conflict(plan, active)
            mine, theirs = plan.without(Held.of(active))
            if not mine.parts:
                return None, theirs, holds
            run = self._new_run(mine)
            self.runs.append(run)  # now: an interrupt may come before the answer
            if self._store.register(run, holds.version):
                self._seen.add(run.id)
                return run, theirs, holds
            self.runs.remove(run)
        raise ConflictError(
            f"Other runs of flow {self._prepared.name!r} keep starting and ending; try again."
        )

    def _refuse_conflict(self, plan: Plan, active: list[Run]) -> None:
        schedule = str(plan.schedule) if plan.schedule else ""
        for run in active:
            texts = {getattr(p, "schedule", "") for p in run.planned}
            same = run.fingerprint == self._prepared.fingerprint and texts <= {
                schedule,
                *(getattr(p, "schedule", "") for p in plan.planned),
            }
            _, taken = plan.without(Held.of([run]))
            if taken and not same:
                raise ConflictError(
                    f"Run {run.id} holds units of flow {run.flow!r} under another version of its "
                    "SQL or schedule; wait until it ends, or stop it, and run again."
                )

    def _new_run(self, plan: Plan) -> Run:
        return Run(
            id=f"{stamp(int(self._store.now()))}-{uuid4().hex[:6]}",
            flow=plan.flow,
            spec=self._prepared.spec,
            fingerprint=self._prepared.fingerprint,
            planned=plan.planned,
            units=plan.count(),
            options=self._c.options,
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
        if self.reap() or counts.done + counts.failed >= counts.units:
            current = self._store.run(run.id)
            return None if current is None else current.status
        return RunStatus.ACTIVE

    def reap(self) -> bool:
        """Put back, once a second, the units of the dead; return whether it was time."""
        if self._c.clock() - self._reaped < _REAP:
            return False
        self._store.reap()
        self._reaped = self._c.clock()
        return True
