"""Units that a process has claimed ahead of its threads."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

from seeknal.ending import hand_back
from seeknal.heartbeat import Holding
from seeknal.workbench import Workbench

# What is claimed at once is to last for so many seconds, and is never more than so many units.
_LASTS: Final = 0.05
_MOST: Final = 16
# After so many seconds others may have it: what was quick has become slow.
_STALE: Final = 1.0


class Stock:
    """Units that threads take one by one and that are claimed many at once, while they are quick.

    One transaction for all of them costs less than one for each. Slow units are claimed when a
    thread is free, one at a time: others share the work, and a new priority counts at once.
    """

    def __init__(self, bench: Workbench, workers: int) -> None:
        self._bench, self._workers = bench, workers
        self._lock = threading.Lock()
        self._held: deque[Holding] = deque()
        self._claimed = 0.0
        self._slowest = _LASTS

    def take(self) -> Holding | None:
        """Return a unit that is this thread's from now on; None if there is none."""
        with self._lock:
            if not self._held:
                self._held.extend(self._bench.claim(self._quota()))
                self._claimed = time.monotonic()
            return self._held.popleft() if self._held else None

    def took(self, seconds: float) -> None:
        """Note how long a unit's query took."""
        self._slowest = max(seconds, self._slowest / 2)

    def hand_back(self, *, only_stale: bool = False) -> None:
        """Let go of what nobody has taken."""
        with self._lock:
            if only_stale and time.monotonic() - self._claimed < _STALE:
                return
            held = list(self._held)
            self._held.clear()
        for holding in held:
            hand_back(self._bench, holding)

    def _quota(self) -> int:
        return min(max(int(self._workers * _LASTS / self._slowest), 1), _MOST)
