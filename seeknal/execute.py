"""One unit's execution: claim, run the SQL, publish, complete. Every worker calls this."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from seeknal.engine.render import render
from seeknal.engine.session import Engine, Session
from seeknal.engine.source import Query
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
from seeknal.heartbeat import Heartbeat, Holding
from seeknal.outputs.parquet import ParquetOutput
from seeknal.stores.base import NO_OVERLAP, Overlap, Store
from seeknal.workflow.durations import format_duration
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import Claim, Run, UnitResult
from seeknal.workflow.units import Unit

MAX_ATTEMPTS = 3
BACKOFF = 1.0
_LONGEST_BACKOFF = 600.0
# For how many leases an attempt that is over waits for a store that cannot be reached.
_PATIENCE = 10
_PAUSE = 0.5

T = TypeVar("T")


class Outcome(StrEnum):
    """How an attempt at a unit came out."""

    DONE = "done"
    FAILED = "failed"
    RELEASED = "handed back"
    UNSEEN = "input not seen here"
    LOST = "lease lost"


@dataclass(frozen=True, slots=True)
class Job:
    """What a run's units have in common.

    ``output`` None keeps nothing. ``partition`` names the partition that a unit belongs to.
    """

    run: str
    query: Query
    output: ParquetOutput | None
    fingerprint: str
    options: Mapping[str, Any]
    partition: Callable[[Unit], str | None]


@dataclass(frozen=True, slots=True)
class Made:
    """What a unit's query made: its rows, staged if they are kept; under a lease that is held.

    ``started`` is when its attempt began, on the monotonic clock.
    """

    job: Job
    holding: Holding
    started: float
    staged: Path | None
    rows: int


class Workbench:
    """What the seats of one process share: the store, the engine, the heartbeat, the jobs.

    ``load`` makes a run into a job on this machine. ``elsewhere`` says of a claim whose input
    this machine cannot see whether another machine may; without it that is an error like others.
    """

    def __init__(
        self,
        store: Store,
        engine: Engine,
        load: Callable[[Run], Job],
        *,
        worker: str,
        lease: float,
        elsewhere: Callable[[Claim], bool] | None = None,
    ) -> None:
        self.store = store
        self.engine = engine
        self.worker = worker
        self.heartbeat = Heartbeat(store, lease)
        self.stopping = threading.Event()
        self.elsewhere = elsewhere
        self.lacks = ""
        self._load = load
        self._jobs: dict[str, Job] = {}

    def job(self, run_id: str) -> Job:
        """Return a run's job, loaded once."""
        job = self._jobs.get(run_id)
        if job is None:
            job = self._jobs[run_id] = self._load(self._run(run_id))
        return job

    def options(self, run_id: str) -> Mapping[str, Any]:
        """Return a run's options, also of one that cannot be loaded here."""
        job = self._jobs.get(run_id)
        return self._run(run_id).options if job is None else job.options

    @property
    def loaded(self) -> int:
        """How many runs' jobs are loaded."""
        return len(self._jobs)

    def forget(self) -> None:
        """Let go of the jobs; those that are needed again are loaded anew."""
        self._jobs.clear()

    def insist(self, call: Callable[[], T]) -> T:
        """Call the store, again and again while it cannot be reached, for ten leases at most.

        Renewals go on meanwhile, and nobody can have claimed the unit.
        """
        deadline = time.monotonic() + _PATIENCE * self.heartbeat.lease
        while True:
            try:
                return call()
            except StoreUnavailableError:
                if time.monotonic() > deadline or self.stopping.wait(_PAUSE):
                    raise

    def _run(self, run_id: str) -> Run:
        run = self.insist(lambda: self.store.run(run_id))
        if run is None:
            raise LeaseLostError(f"Run {run_id} is gone from the store.")
        return run

    @contextmanager
    def seat(self, name: str) -> Iterator[Seat]:
        """Yield a place for one thread to work at."""
        seat = Seat(self, f"{self.worker}#{name}")
        try:
            yield seat
        finally:
            seat.close()

    def interrupt(self) -> None:
        """Interrupt what runs; the interrupted units are handed back, not failed."""
        self.stopping.set()
        self.heartbeat.interrupt()

    def hand_back(self) -> None:
        """Hand back the units of queries that do not stop; what they make is not published."""
        self.stopping.set()
        self.heartbeat.release()

    @property
    def stuck(self) -> frozenset[int]:
        """Threads whose attempt is over while their query goes on, deaf to interrupts."""
        return self.heartbeat.stuck

    def close(self) -> None:
        """Stop the heartbeat and let go of the engine."""
        self.heartbeat.close()
        if self.stuck:
            self.engine.abandon()
        self.engine.close()


class Seat:
    """One thread's place: claims units and executes them, one at a time."""

    def __init__(self, bench: Workbench, worker: str) -> None:
        self._bench = bench
        self._store = bench.store
        self.worker = worker
        self._sessions: dict[str, Session] = {}

    def claim(self) -> Claim | None:
        """Claim the next ready unit; None if there is none."""
        return self._store.claim(self.worker, self._bench.heartbeat.lease)

    def close(self) -> None:
        """Let go of this thread's sessions."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def execute(self, claim: Claim) -> Outcome:
        """Run a claimed unit to its end: completed, failed, or handed back."""
        made = self.compute(claim)
        return made if isinstance(made, Outcome) else self.finish(made)

    def compute(self, claim: Claim) -> Made | Outcome:
        """Run a claimed unit's query; what it made is to be passed to :meth:`finish`."""
        holding: Holding | None = None
        try:
            job = self._bench.job(claim.run)
            session = self._session(job)
            started = time.monotonic()
            timeout = job.options.get("timeout")
            holding = Holding(
                claim,
                session.interrupt,
                timeout,
                lambda: self._fail(claim, _late(timeout, deaf=True)),
            )
            self._bench.heartbeat.hold(holding)
            if self._bench.stopping.is_set():
                raise InterruptedRunError("The run was asked to stop.")
            staged, rows = self._query(job, session, claim)
            self._bench.heartbeat.query_ended(holding)
            return Made(job, holding, started, staged, rows)
        except BaseException as error:
            return self._end(claim, holding, error)

    def finish(self, made: Made) -> Outcome:
        """Publish what a query made, and complete its unit."""
        claim, job, size = made.holding.claim, made.job, 0
        try:
            if job.output is not None and made.staged is not None:
                with job.output.discarding(made.staged):
                    size = self._publish(job.output, made.staged, claim)
            result = UnitResult(made.rows, size, time.monotonic() - made.started)
            self._bench.insist(lambda: self._store.complete(claim, job.fingerprint, result))
        except BaseException as error:
            return self._end(claim, made.holding, error)
        self._bench.heartbeat.drop(made.holding)
        self._bench.lacks = ""
        return Outcome.DONE

    def _end(self, claim: Claim, holding: Holding | None, error: BaseException) -> Outcome:
        """End an attempt that an error broke off."""
        if holding is not None:
            self._bench.heartbeat.drop(holding)
        if not isinstance(error, Exception):
            raise error
        if isinstance(error, LeaseLostError) or (holding is not None and holding.lost):
            return Outcome.LOST
        if holding is not None and holding.late and isinstance(error, InterruptedRunError):
            error = _late(holding.timeout)
        gone = isinstance(error, InterruptedRunError | StoreUnavailableError)
        if gone or self._bench.stopping.is_set():
            return self._release(claim, Outcome.RELEASED)
        if isinstance(error, DataUnavailableError) and self._bench.elsewhere is not None:
            return self._unseen(claim, error, self._bench.elsewhere)
        return self._fail(claim, error)

    def _release(self, claim: Claim, outcome: Outcome) -> Outcome:
        self._bench.insist(lambda: self._store.release(claim))
        return outcome

    def _unseen(
        self, claim: Claim, error: DataUnavailableError, elsewhere: Callable[[Claim], bool]
    ) -> Outcome:
        """Leave a unit to machines that see its input; fail it if none may."""
        self._bench.lacks = str(error)
        if self._bench.insist(lambda: elsewhere(claim)):
            return self._release(claim, Outcome.UNSEEN)
        self._fail(claim, error, final=True)
        return Outcome.UNSEEN

    def _query(self, job: Job, session: Session, claim: Claim) -> tuple[Path | None, int]:
        """Run a unit's query and return where its result is staged, if it is kept, and its rows."""
        sql = render(job.query, claim.unit, job.partition(claim.unit))
        if job.output is None:
            # There is nothing to fence: completing refuses an old token by itself.
            return None, session.run(sql)
        staged = job.output.stage(claim.unit, claim.token)
        with job.output.discarding(staged):
            kept = _provenance(job, claim, self._bench.heartbeat.lease)
            return staged, session.copy(sql, staged, kept)

    def _publish(self, output: ParquetOutput, staged: Path, claim: Claim) -> int:
        overlap: list[Overlap] = []
        size = output.publish(
            staged,
            claim.unit,
            token=claim.token,
            fence=lambda: overlap.append(self._prepare(claim)),
        )
        if overlap[0] != NO_OVERLAP:
            self._supersede(output, claim, overlap[0])
        return size

    def _supersede(self, output: ParquetOutput, claim: Claim, overlap: Overlap) -> None:
        cells, spill = superseded(claim.unit, overlap)
        if spill:
            self._bench.insist(lambda: self._store.forget(claim, spill))
        if cells:
            output.remove(cells, token=claim.token)

    def _session(self, job: Job) -> Session:
        session = self._sessions.get(job.run)
        if session is None:
            session = self._sessions[job.run] = self._bench.engine.session(job.query)
        return session

    def _prepare(self, claim: Claim) -> Overlap:
        return self._bench.insist(lambda: self._store.prepare(claim))

    def _fail(self, claim: Claim, error: Exception, *, final: bool = False) -> Outcome:
        try:
            options = self._bench.options(claim.run)
            attempt = claim.attempts + 1
            last = attempt >= int(options.get("max_attempts", MAX_ATTEMPTS))
            final = final or last or isinstance(error, PermanentQueryError)
            wait = None if final else backoff(float(options.get("backoff", BACKOFF)), attempt)
            known = isinstance(error, SeeknalError)
            text = str(error) if known else f"{type(error).__name__}: {error}"
            self._bench.insist(lambda: self._store.fail(claim, text, wait))
        except LeaseLostError:
            return Outcome.LOST
        with suppress(StoreUnavailableError):  # the next failure will tell as well
            pause_if_hopeless(self._store, claim.run, options)
        return Outcome.FAILED


def _late(timeout: float | None, *, deaf: bool = False) -> QueryError:
    return QueryError(
        f"The attempt took longer than its timeout of {format_duration(int(timeout or 0))}"
        f"{', and its query ignores that it was interrupted' if deaf else ''}; give it more time "
        "with --timeout, or make its SQL faster."
    )


def backoff(base: float, attempt: int) -> float:
    """Return the seconds to wait after the n-th failed attempt: doubling, half of it random."""
    longest = min(base * 2.0 ** (attempt - 1), _LONGEST_BACKOFF)
    return longest * random.uniform(0.5, 1.0)


def superseded(unit: Unit, overlap: Overlap) -> tuple[list[Unit], IntervalSet]:
    """Return the units of other shapes whose output a unit replaces, and what that takes back.

    Taken back is the time beside the unit that was complete by that output, and by it alone:
    output that was prepared and never completed may lie over others' that is.
    """
    cells = set(overlap.publishing)
    spill = IntervalSet()
    for completion in overlap.completions:
        schedule = Schedule.parse(completion.schedule)
        start = max(completion.start, schedule.floor(max(unit.start, completion.start)))
        end = min(completion.end, schedule.ceil(min(unit.end, completion.end)))
        cells.update(Unit(unit.flow, s, e) for s, e in schedule.intervals(start, end))
        spill |= IntervalSet([(start, end)])
    cells.discard(unit)
    return sorted(cells), spill - IntervalSet([(unit.start, unit.end)])


def _provenance(job: Job, claim: Claim, lease: float) -> dict[str, str]:
    started = datetime.fromtimestamp(claim.until - lease, UTC)
    return {
        "seeknal_flow": claim.unit.flow,
        "seeknal_unit": claim.unit.key,
        "seeknal_run": claim.run,
        "seeknal_token": str(claim.token),
        "seeknal_fingerprint": job.fingerprint,
        "seeknal_schedule": claim.planned.schedule,
        "seeknal_origin": claim.planned.origin,
        "seeknal_worker": claim.worker,
        "seeknal_started": started.isoformat(timespec="milliseconds"),
        "seeknal_attempt": str(claim.attempts + 1),
    }
