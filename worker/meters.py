"""How much memory DuckDB uses in each pool process, told to the main process without messages."""

from __future__ import annotations

import mmap
import struct
import time
from typing import Final

from seeknal.engine.machine import Usage

_ROW: Final = struct.Struct("dqqq")
_ROWS: Final = mmap.PAGESIZE // _ROW.size
# What was told longer ago is of a process that is no more, or stands still.
_COUNTS: Final = 10.0


class Meters:
    """What pool processes tell of their memory, each in a row of its own by its index.

    It lies in memory that forked processes share. Of more processes than rows the rest are not
    told of.
    """

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, mmap.PAGESIZE)

    def tell(self, index: int, usage: Usage) -> None:
        """Note what the process of an index uses now."""
        if 0 <= index < _ROWS:
            row = time.monotonic(), usage.memory, usage.limit, usage.spilled
            _ROW.pack_into(self._memory, index * _ROW.size, *row)

    def read(self) -> dict[int, Usage]:
        """Return what each process told lately, by its index."""
        latest = max(0.0, time.monotonic() - _COUNTS)
        rows = enumerate(_ROW.iter_unpack(self._memory[: _ROWS * _ROW.size]))
        return {index: Usage(*row[1:]) for index, row in rows if row[0] > latest}
