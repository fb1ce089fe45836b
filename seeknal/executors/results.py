"""What queries made and nobody has published yet."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from seeknal.workbench import Made

# A result waits for others for so many seconds at most, and for no more than so many in all.
_COMPANY: Final = 0.05
_MOST: Final = 16


class Results:
    """Results that some threads put and others take, many at once: together they cost less.

    They are due as soon as there are many, as one has waited for long, or while a thread is idle
    that could run what their completion lets it run.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, Made]] = deque()
        self._idle = 0
        self._closed = False

    def put(self, made: Made) -> None:
        """Add a result; waits while those before it are overdue, so that nobody gets far ahead."""
        with self._changed:
            while not self._closed and (len(self._waiting) >= _MOST or self._overdue() > 0):
                self._changed.wait()
            self._waiting.append((time.monotonic(), made))
            if len(self._waiting) == 1 or self._due():
                self._changed.notify_all()

    def take(self) -> list[Made] | None:
        """Wait for results that are due and return them; None when it is closed and empty."""
        with self._changed:
            while not self._due():
                if self._closed:
                    return None
                self._changed.wait(-self._overdue() if self._waiting else None)
            due = [self._waiting.popleft()[1] for _ in range(min(len(self._waiting), _MOST))]
            self._changed.notify_all()
            return due

    def drain(self) -> list[Made]:
        """Return what waits, due or not."""
        with self._changed:
            waiting = [made for _, made in self._waiting]
            self._waiting.clear()
            self._changed.notify_all()
            return waiting

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Let results wait for nothing within the block."""
        with self._changed:
            self._idle += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._idle -= 1

    def close(self) -> None:
        """Let nobody wait any more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _due(self) -> bool:
        if not self._waiting:
            return False
        hurry = self._closed or self._idle > 0
        return hurry or len(self._waiting) >= _MOST or self._overdue() >= 0

    def _overdue(self) -> float:
        """Return for how many seconds the first one has been due; negative before that."""
        return time.monotonic() - self._waiting[0][0] - _COMPANY if self._waiting else -_COMPANY
