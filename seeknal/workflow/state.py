"""What is known of a flow's progress, and of a run's: frozen values that stores return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.units import Planned, PlannedUnit, Unit


class Origin(StrEnum):
    """Why a unit was completed."""

    RUN = "run"
    BACKFILL = "backfill"
    RESTATE = "restate"
    MANUAL = "manual"


class RunStatus(StrEnum):
    """Where a run stands. Only an active run's units are claimed."""

    ACTIVE = "active"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"


class UnitStatus(StrEnum):
    """Where a unit of a run stands while it has a record. A completed unit has none."""

    QUEUED = "queued"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, order=True)
class Completion:
    """A stretch ``[start, end)`` in UTC seconds of completed intervals of one provenance.

    Stretches of one flow never overlap; two that touch are one if, and only if, their origin,
    schedule and fingerprint are equal. Each consists of whole intervals of its schedule.
    """

    start: int
    end: int
    origin: Origin
    schedule: str
    fingerprint: str


@dataclass(frozen=True, slots=True, order=True)
class CompletedValue:
    """A completed value partition."""

    value: str
    origin: Origin
    fingerprint: str


@dataclass(frozen=True, slots=True, order=True)
class Restatement:
    """A request that ``[start, end)`` be done again, in the shape of the schedule that did it."""

    start: int
    end: int
    schedule: str
    reason: str


@dataclass(frozen=True, slots=True)
class FlowState:
    """One flow's state at one instant of the store.

    ``unfinished`` is what runs planned and no completion has settled since (``unfinished_values``
    for value partitions): what failed, was cancelled or was cut off stays in it. ``failed`` is
    the time of the failed units (``failed_values`` for value partitions), as ``Store.failed``
    lists them.
    """

    completions: tuple[Completion, ...] = ()
    values: tuple[CompletedValue, ...] = ()
    restatements: tuple[Restatement, ...] = ()
    restated_values: Mapping[str, str] = field(default_factory=dict)
    unfinished: IntervalSet = field(default_factory=IntervalSet)
    unfinished_values: frozenset[str] = frozenset()
    failed: IntervalSet = field(default_factory=IntervalSet)
    failed_values: frozenset[str] = frozenset()

    @property
    def completed(self) -> IntervalSet:
        """All completed time, restated or not."""
        return IntervalSet((c.start, c.end) for c in self.completions)

    @property
    def restated(self) -> IntervalSet:
        """All restated time."""
        return IntervalSet((r.start, r.end) for r in self.restatements)

    @property
    def latest_end(self) -> int | None:
        """The end of the latest interval that a run completed; by hand does not count."""
        return max((c.end for c in self.completions if c.origin is not Origin.MANUAL), default=None)


@dataclass(frozen=True, slots=True)
class Run:
    """One invocation's set of units of one flow, with a snapshot of the flow's spec.

    ``planned`` holds ranges, not units. ``options`` are JSON values, each absent where its default
    holds: ``max_attempts``, ``backoff`` (seconds), ``timeout`` (seconds an attempt may take),
    ``newest_first``, ``priority`` (a whole number, higher first), ``max_active``, ``stop_after``
    (failed units at which the run pauses itself). ``owner`` is the process whose death ends the
    run (embedded store), or empty. ``created`` and ``ended`` are the store's time in seconds;
    ``ended`` is 0 while the run is active or paused. ``cursor`` says how far the feed has come,
    and ``returned`` what was fed and taken back since, because the order changed.
    """

    id: str
    flow: str
    spec: Mapping[str, Any]
    fingerprint: str
    planned: tuple[Planned, ...]
    units: int
    options: Mapping[str, Any] = field(default_factory=dict)
    created_by: str = ""
    owner: str = ""
    status: RunStatus = RunStatus.ACTIVE
    created: float = 0.0
    cursor: str = ""
    ended: float = 0.0
    returned: tuple[PlannedUnit, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """One worker's lease on one unit, and the fencing token it holds it under.

    ``until`` is the lease's expiry and ``token`` its fencing token, both by the store's clock.
    ``attempts`` counts the failed attempts before this one.
    """

    run: str
    planned: PlannedUnit
    token: int
    until: float
    worker: str
    attempts: int

    @property
    def unit(self) -> Unit:
        """The unit that is leased."""
        return self.planned.unit


@dataclass(frozen=True, slots=True)
class UnitRecord:
    """A unit of a run that is not complete: queued (perhaps until ``ready``), running, failed.

    ``since`` is when its present lease was claimed, by the store's clock; 0 unless it runs.
    """

    run: str
    planned: PlannedUnit
    status: UnitStatus
    attempts: int = 0
    ready: float = 0.0
    worker: str = ""
    until: float = 0.0
    error: str = ""
    since: float = 0.0

    @property
    def unit(self) -> Unit:
        """The unit that the record is of."""
        return self.planned.unit


@dataclass(frozen=True, slots=True)
class UnitResult:
    """What an attempt made: rows and bytes published, and the seconds it took."""

    rows: int = 0
    bytes: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Counts:
    """A run's units by state, and what they made. ``queued`` includes what is not fed yet."""

    units: int
    done: int = 0
    failed: int = 0
    running: int = 0
    retries: int = 0
    rows: int = 0
    bytes: int = 0
    busy: float = 0.0

    @property
    def queued(self) -> int:
        """Units that wait: for a worker, for their backoff, or to be fed."""
        return max(0, self.units - self.done - self.failed - self.running)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to ``run``, by the store's clock; ``id`` grows within it.

    An event that ends an attempt says how many ``seconds`` it took: of a completed one those
    of its result, with its ``rows`` and ``bytes``, of another those since the claim.
    """

    id: str
    at: float
    kind: str
    unit: str = ""
    worker: str = ""
    detail: str = ""
    seconds: float = 0.0
    rows: int = 0
    bytes: int = 0
    run: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """Who changed a flow's state by hand, when, what and why."""

    at: float
    actor: str
    action: str
    flow: str
    what: str
    reason: str
