"""Files that are replaced as a whole, so that no reader ever sees half of one."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from seeknal.errors import ConfigError

# File systems without hard links: some network shares, and what cameras and sticks are made with.
_IN_THE_WAY = "a file stands where a folder is needed; move it, or choose another path"
_ADVICE = {
    errno.ENOTDIR: _IN_THE_WAY,
    errno.EEXIST: _IN_THE_WAY,
    errno.EISDIR: "a folder stands where a file is needed; move it, or choose another path",
    errno.ENOSPC: "make room on that disk, then try again",
    errno.EROFS: "choose a folder on a disk that can be written",
}
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def write_atomic(path: Path, text: str, *, durable: bool = True) -> None:
    """Write a file, replacing what was there in one step; its folder is made if it is missing.

    A link is followed, and the permissions of a file that exists are kept. With ``durable`` the
    content is on disk before it replaces what was there.

    Raises:
        ConfigError: the file cannot be written; what was there is untouched.
    """
    with replacing(path, durable=durable) as staged:
        _write(staged, text)


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield the path of an empty file beside ``path``, for its new content.

    At the end of the block it replaces what was there in one step, as :func:`write_atomic` does;
    if the block raises, it goes.

    Raises:
        ConfigError: the file cannot be written; what was there is untouched.
    """
    target = path.resolve()
    try:
        staged = _stage(target)
        try:
            yield staged
            _finish(staged, target, durable)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise _unwritable(path, error) from None


def create_once(path: Path, text: str) -> bool:
    """Write a file unless it exists; of several processes one does. Returns whether we did.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        staged = _stage(path)
        try:
            _write(staged, text)
            _sync(staged)
            return _link(staged, path)
        finally:
            staged.unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


def make_folder(path: Path) -> None:
    """Make a folder and those above it, if they are missing.

    Raises:
        ConfigError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(path, error) from None


def _link(staged: Path, path: Path) -> bool:
    try:
        # Unlike a rename, a link fails when the name is taken.
        path.hardlink_to(staged)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if path.exists():
            return False
        staged.replace(path)
    return True


def _stage(target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    staged = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    os.close(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return staged


def _write(staged: Path, text: str) -> None:
    staged.write_text(text, encoding="utf-8", newline="\n")


def _finish(staged: Path, target: Path, durable: bool) -> None:
    if durable:
        _sync(staged)
    with suppress(OSError):
        staged.chmod(target.stat().st_mode & 0o7777)
    staged.replace(target)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _unwritable(path: Path, error: OSError) -> ConfigError:
    reason = error.strerror or str(error)
    advice = _ADVICE.get(error.errno or 0, "make room or give write permission, then try again")
    return ConfigError(f"Cannot write {path}: {reason}; {advice}.")
