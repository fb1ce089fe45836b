"""The one thing that a worker's main process tells its pool processes: until when to work.

It lies in memory that forked processes share, because a signal cannot reach a process that is
inside a query.
"""

from __future__ import annotations

import mmap
import struct
import time
from typing import Final

_TIME: Final = struct.Struct("d")


class Drain:
    """Whether this worker is to stop, and when what still runs is to be interrupted."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)

    def begin(self, grace: float) -> None:
        """Take nothing new, and interrupt after ``grace`` seconds; a second call hastens it."""
        deadline = time.monotonic() + grace
        if not self.is_on or deadline < self._deadline:
            _TIME.pack_into(self._memory, 0, deadline)

    @property
    def is_on(self) -> bool:
        """Whether nothing new is to be taken."""
        return self._deadline > 0

    @property
    def overdue(self) -> float:
        """By how many seconds the grace is over; negative or 0 while it is not."""
        return time.monotonic() - self._deadline if self.is_on else 0.0

    @property
    def _deadline(self) -> float:
        found: float = _TIME.unpack_from(self._memory, 0)[0]
        return found
