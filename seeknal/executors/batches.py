"""What a process claims and publishes many at once: units ahead of its threads, results behind."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from seeknal.ending import release
from seeknal.heartbeat import Holding
from seeknal.workbench import Made, Workbench

# A batch is what comes within so many seconds, and never more than so many units.
_WITHIN: Final = 0.05
_MOST: Final = 16
# To publish a batch is to take no longer than this: so long whoever interrupts a run has to wait.
_LONGEST: Final = 0.5
# After so many seconds others may have what was claimed: what was quick has become slow.
_STALE: Final = 1.0


class Pace:
    """How many of a kind fit into a time, judged by the slowest of late; at first by a guess."""

    def __init__(self, seconds: float) -> None:
        self._slowest = seconds

    def note(self, seconds: float) -> None:
        """Note how long one took."""
        self._slowest = max(seconds, self._slowest / 2)

    def fit(self, seconds: float) -> int:
        """Return how many will do: at least one, and never more than a batch."""
        return min(max(int(seconds / self._slowest), 1), _MOST)


class Stock:
    """Units that threads take one by one and that are claimed many at once, while they are quick.

    One transaction for all of them costs less than one for each. Slow units are claimed when a
    thread is free, one at a time: others share the work, and a new priority counts at once.
    """

    def __init__(self, bench: Workbench, workers: int) -> None:
        self._bench, self._workers = bench, workers
        self.queries = Pace(_WITHIN)
        self._lock = threading.Lock()
        self._held: deque[Holding] = deque()
        self._claimed = 0.0

    def take(self) -> Holding | None:
        """Return a unit that is this thread's from now on; None if there is none."""
        with self._lock:
            if not self._held:
                self._held.extend(self._bench.claim(self.queries.fit(self._workers * _WITHIN)))
                self._claimed = time.monotonic()
            return self._held.popleft() if self._held else None

    def hand_back(self, *, only_stale: bool = False) -> None:
        """Let go of what nobody has taken."""
        while (holding := self._left(only_stale=only_stale)) is not None:
            release(self._bench, holding)

    def _left(self, *, only_stale: bool) -> Holding | None:
        with self._lock:
            fresh = only_stale and time.monotonic() - self._claimed < _STALE
            return self._held.popleft() if self._held and not fresh else None


class Results:
    """What queries made and nobody has published yet: some threads put it, others take batches.

    A batch is due as soon as it is full, when its first result has waited for long, or while a
    thread is idle that could run what its completion lets it run. It is full with what can be
    published within half a second.
    """

    def __init__(self) -> None:
        lock = threading.Lock()
        self._due, self._room = threading.Condition(lock), threading.Condition(lock)
        self._waiting: deque[tuple[float, Made]] = deque()
        self._publications = Pace(_LONGEST / _MOST)
        self._idle = 0
        # The numbers of the batches that are taken, and not published yet.
        self._taken: set[int] = set()
        self._batches = 0
        self._closed = False

    def put(self, made: Made) -> None:
        """Add a result; waits while those before it are overdue, so that nobody gets far ahead."""
        with self._room:
            while not self._closed and (len(self._waiting) >= self._full or self._overdue() > 0):
                self._room.wait()
            self._waiting.append((time.monotonic(), made))
            if len(self._waiting) == 1 or self._is_due():
                self._due.notify()

    @contextmanager
    def take(self) -> Iterator[list[Made]]:
        """Yield results that are due, as soon as some are; none once it is closed and empty."""
        with self._due:
            while not self._is_due() and not self._closed:
                self._due.wait(-self._overdue() if self._waiting else None)
            number, taken = self._pop(self._full)
        started = time.monotonic()
        try:
            yield taken
        finally:
            self._published(number)
            if taken:
                self._publications.note((time.monotonic() - started) / len(taken))

    @contextmanager
    def drain(self) -> Iterator[list[Made]]:
        """Yield what waits, due or not, when what others took before is published.

        What they take later is not waited for: it might never end.
        """
        with self._room:
            earlier = set(self._taken)
            number, taken = self._pop(len(self._waiting))
            while not earlier.isdisjoint(self._taken):
                self._room.wait()
        try:
            yield taken
        finally:
            self._published(number)

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Let results wait for nothing within the block."""
        with self._due:
            self._idle += 1
            self._due.notify_all()
        try:
            yield
        finally:
            with self._due:
                self._idle -= 1

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._due:
            self._closed = True
            self._due.notify_all()
            self._room.notify_all()

    @property
    def _full(self) -> int:
        return self._publications.fit(_LONGEST)

    def _pop(self, most: int) -> tuple[int, list[Made]]:
        popped = [self._waiting.popleft()[1] for _ in range(min(most, len(self._waiting)))]
        if self._is_due():
            self._due.notify()
        self._batches += 1
        self._taken.add(self._batches)
        self._room.notify_all()
        return self._batches, popped

    def _published(self, number: int) -> None:
        with self._room:
            self._taken.remove(number)
            self._room.notify_all()

    def _is_due(self) -> bool:
        if not self._waiting:
            return False
        hurry = self._closed or self._idle > 0
        return hurry or len(self._waiting) >= self._full or self._overdue() >= 0

    def _overdue(self) -> float:
        """Return for how many seconds the first one has been due; negative before that."""
        return time.monotonic() - self._waiting[0][0] - _WITHIN if self._waiting else -_WITHIN
