"""What a worker's main process and its pool processes tell each other without messages.

It lies in memory that forked processes share: a process that is inside a query hears no signal,
and what a pool process notices must stop its siblings at once.
"""

from __future__ import annotations

import mmap
import struct
import time
from typing import Final

# Apart, so that who writes the one never overwrites the other.
_DEADLINE: Final = struct.Struct("d")
_SIGHT: Final = struct.Struct("II")
_TEXT_AT: Final = _DEADLINE.size + _SIGHT.size
_LONGEST: Final = mmap.PAGESIZE - _TEXT_AT
# So many units in a row whose input is not seen, and the worker stands aside.
STREAK: Final = 3


class Slate:
    """Whether this worker is to stop and until when; whether it is blind, and what it lacks.

    What two processes write at once may be lost. It is counted again with the next unit.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)

    # -- stopping -----------------------------------------------------------------------------

    def drain(self, grace: float) -> None:
        """Take nothing new, and interrupt after ``grace`` seconds; a second call hastens it."""
        deadline, known = time.monotonic() + grace, self._deadline
        if not known or deadline < known:
            _DEADLINE.pack_into(self._memory, 0, deadline)

    @property
    def is_draining(self) -> bool:
        """Whether nothing new is to be taken."""
        return self._deadline > 0

    @property
    def overdue(self) -> float:
        """By how many seconds the grace is over; 0 or less while it is not."""
        deadline = self._deadline
        return time.monotonic() - deadline if deadline else 0.0

    # -- seeing -------------------------------------------------------------------------------

    def missed(self, what: str) -> None:
        """Note that the input of one more unit was not seen."""
        text = what.encode()[:_LONGEST]
        self._memory[_TEXT_AT : _TEXT_AT + len(text)] = text
        self._set(self._sight[0] + 1, len(text))

    def saw(self, streak: int = 0) -> None:
        """Note that an input was seen, or how many more may be missed."""
        known, size = self._sight
        if known:
            self._set(streak, size if streak else 0)

    @property
    def is_blind(self) -> bool:
        """Whether nothing is to be claimed, because the inputs are not seen."""
        return self._sight[0] >= STREAK

    @property
    def lacks(self) -> str:
        """What was not seen last, or ''."""
        streak, size = self._sight
        if not streak:
            return ""
        return self._memory[_TEXT_AT : _TEXT_AT + size].decode(errors="replace")

    @property
    def _deadline(self) -> float:
        found: float = _DEADLINE.unpack_from(self._memory, 0)[0]
        return found

    @property
    def _sight(self) -> tuple[int, int]:
        streak, size = _SIGHT.unpack_from(self._memory, _DEADLINE.size)
        return streak, size

    def _set(self, streak: int, size: int) -> None:
        _SIGHT.pack_into(self._memory, _DEADLINE.size, streak, size)
