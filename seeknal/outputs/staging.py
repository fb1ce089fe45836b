"""Names for what is being written, and how to tell that nobody writes it any more."""

from __future__ import annotations

import os
import socket
import time
from contextlib import suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from secrets import token_hex

DIRECTORY = ".staging"
DEAD_AFTER = 24 * 3600.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


def name(key: str, token: int) -> str:
    """Return a unique name for one attempt at a unit. It never ends in ``.parquet``.

    DuckDB's globs match dotfiles too, so the ending alone keeps it out of ``**/*.parquet``.
    """
    return f"{_digest(key)}.{token}.{_machine()}.{os.getpid()}.{token_hex(4)}.part"


def is_dead(path: Path, now: float, dead_after: float = DEAD_AFTER) -> bool:
    """Whether the process that staged ``path`` is gone.

    It is if it ran here and its process id is free; from elsewhere it counts as gone once the
    file has not changed for ``dead_after`` seconds.
    """
    if now - path.stat().st_mtime > dead_after:
        return True
    parts = path.name.split(".")
    if len(parts) != 6 or parts[2] != _machine() or not parts[3].isdigit():
        return False
    try:
        os.kill(int(parts[3]), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def wall() -> float:
    """Return the clock that file times are compared with; it decides about leftovers only."""
    return time.time()


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=1)
def _machine() -> str:
    """Return what two processes share exactly if they see the same process ids."""
    marks = [socket.gethostname()]
    with suppress(OSError):  # not Linux: the host's name has to do
        marks += [_BOOT.read_text().strip(), str(_NAMESPACE.readlink())]
    return _digest("\n".join(marks))
