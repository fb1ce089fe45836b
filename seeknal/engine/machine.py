"""What may be used of this machine: processors, memory, and a directory to spill into."""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path, PurePosixPath

from seeknal.errors import OutputError

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")
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


def processors() -> int:
    """Return how many processors this process may use: a part of one counts as one."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = [found or 1]
    for group in _groups("cpu"):
        quota = _numbers(group / "cpu.max")
        quota += _numbers(group / "cpu.cfs_quota_us") + _numbers(group / "cpu.cfs_period_us")
        if len(quota) == 2 and min(quota) > 0:
            limits.append(ceil(quota[0] / quota[1]))
    return min(limits)


def _available() -> int:
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for group in _groups("memory"):
        limits += _numbers(group / "memory.max") + _numbers(group / "memory.limit_in_bytes")
    return min(limits)


def _groups(controller: str) -> Iterator[Path]:
    """Yield the folders of the control groups, of either version, that bound this process."""
    try:
        lines = _OWN_CGROUPS.read_text().splitlines()
    except OSError:
        return  # there are none here
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        mount = _CGROUPS / controller if controllers else _CGROUPS
        own = PurePosixPath(path)
        # Within a container its own folder is often the mount itself.
        for group in (own, *own.parents):
            yield mount / group.relative_to("/")


def _numbers(file: Path) -> list[int]:
    try:
        return [int(text) for text in file.read_text().split()]
    except (OSError, ValueError):
        return []  # no such limit, or "max"


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
