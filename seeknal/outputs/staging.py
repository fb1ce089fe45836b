"""Names for what is being written, and how to tell that nobody writes it any more."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from itertools import count
from pathlib import Path
from secrets import token_hex

DIRECTORY = ".staging"
DEAD_AFTER = 24 * 3600.0
_numbers = count()
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


def name(token: int) -> str:
    """Return a unique name for one attempt under ``token``. It never ends in ``.parquet``.

    DuckDB's globs match dotfiles too, so the ending alone keeps it out of ``**/*.parquet``.
    """
    return f"{_process(os.getpid())}.{next(_numbers)}.{token}.part"


def is_dead(path: Path, now: float, dead_after: float = DEAD_AFTER) -> bool:
    """Whether the process that staged ``path`` is gone.

    It is if it ran here and its process id is free; from elsewhere it counts as gone once the
    file has not changed for ``dead_after`` seconds.
    """
    if now - path.stat().st_mtime > dead_after:
        return True
    machine, process, *_ = [*path.name.split("."), "", ""]
    if machine != _machine() or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def wall() -> float:
    """Return the clock that file times are compared with; it decides about leftovers only."""
    return time.time()


@lru_cache(maxsize=1)
def _process(pid: int) -> str:
    """Return a name of this process's own, although process ids come round again."""
    return f"{_machine()}.{pid}.{token_hex(8)}"


@lru_cache(maxsize=1)
def _machine() -> str:
    """Return what two processes share exactly if they see the same process ids."""
    marks = [socket.gethostname()]
    with suppress(OSError):  # not Linux: the host's name has to do
        marks += [_BOOT.read_text().strip(), str(_NAMESPACE.readlink())]
    return sha256("\n".join(marks).encode()).hexdigest()[:16]
