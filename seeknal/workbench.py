"""What one process executes units with: its store, its engine, its heartbeat, its jobs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

from seeknal.engine.session import Engine
from seeknal.engine.source import Query
from seeknal.errors import LeaseLostError, StoreUnavailableError
from seeknal.heartbeat import Heartbeat, Holding
from seeknal.outputs.parquet import ParquetOutput
from seeknal.stores.base import Store
from seeknal.workflow.state import Claim, Run
from seeknal.workflow.units import Unit

# For how many leases an attempt that is over waits for a store that cannot be reached.
_PATIENCE: Final = 10
_PAUSE: Final = 0.5

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
class Kept:
    """A staged file, and the output that it is for."""

    output: ParquetOutput
    staged: Path


@dataclass(frozen=True, slots=True)
class Made:
    """What a unit's query made, under a lease that is held: so many rows, in so many seconds.

    ``kept`` is where they are staged, and the output they are for; None of a flow without one.
    """

    job: Job
    holding: Holding
    kept: Kept | None
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Broken:
    """An attempt that an error broke off; its end is still to be told to the store."""

    holding: Holding
    error: Exception


class Workbench:
    """What the threads of one process share: the store, the engine, the heartbeat, the jobs.

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

    def claim(self, most: int) -> list[Holding]:
        """Claim the next ready units, so many at most, and keep their leases alive."""
        claims: list[Claim] = []
        with self.store.together():
            while len(claims) < most:
                claim = self.store.claim(self.worker, self.heartbeat.lease)
                if claim is None:
                    break
                claims.append(claim)
        return [self.heartbeat.hold(claim) for claim in claims]

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
