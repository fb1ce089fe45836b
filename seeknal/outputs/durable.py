"""File operations that survive a power cut, with errors an operator can read."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from seeknal.errors import Explained, OutputError

_ADVICE = {
    errno.ENOSPC: "make room on that disk, then run again",
    errno.EDQUOT: "make room in that quota, then run again",
    errno.EROFS: "choose an output path that can be written",
    errno.EACCES: "give this user the right to write there",
    errno.EPERM: "give this user the right to write there",
    errno.ENOTDIR: "a file stands where a directory is needed; move it or choose another path",
    errno.EEXIST: "a file stands where a directory is needed; move it or choose another path",
    errno.ENAMETOOLONG: "choose a shorter output path",
}


def explained(path: Path) -> Explained[Path]:
    """Turn an OSError within a ``with`` block into an OutputError about ``path``."""
    return Explained(_explain, path)


def _explain(error: BaseException, path: Path) -> OutputError | None:
    if not isinstance(error, OSError):
        return None
    advice = _ADVICE.get(error.errno or 0, "check that path")
    reason = error.strerror or str(error)
    return OutputError(f"The output {path} cannot be written: {reason}; {advice}.")


def sync_file(path: Path) -> int:
    """Make a file's contents durable, and return its size in bytes."""
    return _sync(path, os.O_RDONLY)


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    _sync(path, os.O_RDONLY | os.O_DIRECTORY)


def make_directory(path: Path) -> None:
    """Make a directory and its missing parents, each name durable in its own parent.

    One that exists may have been made by a process that has not come to the second part.
    """
    missing = [path]
    while not missing[-1].parent.is_dir():
        missing.append(missing[-1].parent)
    for directory in reversed(missing):
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)


def _sync(path: Path, flags: int) -> int:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
        return os.fstat(handle).st_size
    finally:
        os.close(handle)
