"""What there is to see of a run at one moment, from its counts and its latest events.

Nothing here reads a store or a clock: whoever shows a run passes in what was read, and the time.
What is kept is bounded, however many units the run has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Final, NamedTuple

from seeknal.workflow.state import Counts, Event, Run, RunStatus, UnitRecord

MINUTE: Final = 60.0
# How many units of each kind a view names.
NAMED: Final = 5
# Of how many of the latest completions the slowest are.
_COMPLETED_KEPT: Final = 1000
# A rate over less than this many seconds would say more than is known.
_LEAST: Final = 1.0

_DONE: Final = ("completed", "skipped")
_FAILURES: Final = ("failed", "retry", "reaped")


class _Sample(NamedTuple):
    at: float
    done: int
    settled: int


class Pace:
    """How fast a run gets on: over the last minute, or for as long as it is known.

    Times are seconds of any one clock.
    """

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()

    def begin(self, counts: Counts, events: Iterable[Event]) -> None:
        """Know what went before ``counts``: the latest events, newest first."""
        done, settled = counts.done, counts.done + counts.failed
        for event in events:
            self._samples.appendleft(_Sample(event.at, done, settled))
            if event.unit:  # a run can have failed as well
                done -= event.kind in _DONE
                settled -= event.kind in _DONE or event.kind == "failed"

    def note(self, at: float, counts: Counts) -> None:
        """Note how far a run is now."""
        self._samples.append(_Sample(at, counts.done, counts.done + counts.failed))
        while len(self._samples) > 1 and self._samples[1].at <= at - MINUTE:
            self._samples.popleft()

    @property
    def rate(self) -> float:
        """Units done in a second."""
        return (self._last.done - self._first.done) / self._seconds

    def left(self, counts: Counts) -> float | None:
        """Return in how many seconds the last unit is settled at this pace; None if never."""
        rest = counts.queued + counts.running
        settled = self._last.settled - self._first.settled
        if rest and settled <= 0:
            return None
        return rest * self._seconds / settled if rest else 0.0

    @property
    def _first(self) -> _Sample:
        return self._samples[0] if self._samples else _Sample(0.0, 0, 0)

    @property
    def _last(self) -> _Sample:
        return self._samples[-1] if self._samples else _Sample(0.0, 0, 0)

    @property
    def _seconds(self) -> float:
        # What the oldest sample says held until the minute began, however old it is.
        return min(MINUTE, max(_LEAST, self._last.at - self._first.at))


@dataclass(frozen=True, slots=True)
class Crew:
    """The workers that are alive: how many, and how many of their slots are busy."""

    workers: int
    slots: int
    busy: int


@dataclass(frozen=True, slots=True)
class View:
    """A run at one moment.

    ``at`` is that moment by the store's clock, ``rate`` the units done in a second over the last
    minute, ``left`` the seconds until the last unit is settled at this pace (None: not to be
    said). ``running`` has units that run, longest first; ``slowest`` the slowest of the latest
    that completed; ``failures`` the latest attempts that failed, newest first, one of each unit
    (``at`` 0: longer ago than events tell).
    ``crew`` is None where no workers share the store.
    """

    at: float
    run: Run
    counts: Counts
    rate: float = 0.0
    left: float | None = None
    running: tuple[UnitRecord, ...] = ()
    slowest: tuple[Event, ...] = ()
    failures: tuple[Event, ...] = ()
    crew: Crew | None = None

    @property
    def elapsed(self) -> float:
        """Seconds since the run was launched, until now or its end."""
        return max(0.0, (self.run.ended or self.at) - self.run.created)


class Picture:
    """Makes views of one run from what is read of it, bit by bit."""

    def __init__(self) -> None:
        self._pace = Pace()
        self._completed: deque[Event] = deque(maxlen=_COMPLETED_KEPT)
        self._failures: dict[str, Event] = {}

    def begin(self, counts: Counts, events: Sequence[Event]) -> None:
        """Know what went before ``counts``: the latest events, newest first."""
        self._pace.begin(counts, events)
        self.add(reversed(events))

    def add(self, events: Iterable[Event]) -> None:
        """Add events that happened since, oldest first."""
        for event in events:
            if event.kind == "completed":
                self._completed.append(event)
            elif event.kind in _FAILURES and event.unit:
                self._failures.pop(event.unit, None)
                self._failures[event.unit] = event
                if len(self._failures) > NAMED:
                    del self._failures[next(iter(self._failures))]

    def view(
        self,
        at: float,
        run: Run,
        counts: Counts,
        running: Iterable[UnitRecord] = (),
        crew: Crew | None = None,
    ) -> View:
        """Return what is to be seen now; ``running`` are some of the units that run."""
        self._pace.note(at, counts)
        active = run.status is RunStatus.ACTIVE
        return View(
            at=at,
            run=run,
            counts=counts,
            rate=self._pace.rate if active else 0.0,
            left=self._pace.left(counts) if active else None,
            running=tuple(sorted(running, key=lambda record: record.since)[:NAMED]),
            slowest=tuple(nlargest(NAMED, self._completed, key=lambda event: event.seconds)),
            failures=tuple(reversed(self._failures.values())),
            crew=crew,
        )
