"""What the engine may use of this machine: memory, and a directory to spill into."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from seeknal.errors import OutputError

_CGROUPS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)
_SHARE = 0.8
_LEAST = 64 * 2**20
_PREFIX = "seeknal-spill-"
_NEW = "seeknal-new-spill-"


@dataclass(frozen=True, slots=True)
class Usage:
    """What DuckDB uses in a process, in bytes: of memory, of that at most, and of the disk."""

    memory: int = 0
    limit: int = 0
    spilled: int = 0


def memory_share(processes: int = 1) -> int:
    """Return the bytes one of ``processes`` equal processes may use: its part of 80 %.

    The whole is what the container's limit or the machine's memory allows, whichever is less.
    """
    return max(_LEAST, int(_available() * _SHARE / max(1, processes)))


def _available() -> int:
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in _CGROUPS:
        try:
            limits.append(int(path.read_text()))
        except (OSError, ValueError):
            continue  # no such limit, or "max"
    return min(limits)


class SpillDirectory:
    """A directory of this process's own; two processes that spill into one crash.

    A lock that the kernel drops with the process tells the directories of the dead, which the
    next process removes.
    """

    def __init__(self, parent: Path | None = None) -> None:
        base = Path(tempfile.gettempdir()) if parent is None else parent
        try:
            base.mkdir(parents=True, exist_ok=True)
            _remove_dead(base)
            # Locked before it gets the name by which others look for directories of the dead.
            made = Path(tempfile.mkdtemp(prefix=_NEW, dir=base))
            self._lock = _locked(made)
            self.path = made.rename(base / made.name.replace(_NEW, _PREFIX, 1))
        except OSError as error:
            raise OutputError(
                f"Temporary files cannot be kept in {base}: {error.strerror}; "
                "make room or choose another directory."
            ) from None
        self._pid = os.getpid()
        atexit.register(self.remove)

    def remove(self) -> None:
        """Remove the directory; harmless when repeated, or in a forked child."""
        if os.getpid() != self._pid or self._lock is None:
            return
        atexit.unregister(self.remove)
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)
        self._lock = None


def _locked(path: Path) -> int | None:
    """Return a descriptor that holds the directory's lock, or None if somebody else does."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _remove_dead(base: Path) -> None:
    for path in base.glob(f"{_PREFIX}*"):
        try:
            handle = _locked(path)
        except OSError:
            continue
        if handle is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(handle)
