"""A terminal of one's own: what a command shows on it, as a person would see it."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyte

from tests.waiting import wait_until


class Terminal:
    """A command on a terminal of so many columns and rows; it ends with the block."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        columns: int = 80,
        rows: int = 24,
    ) -> None:
        self._screen = pyte.HistoryScreen(columns, rows, history=1000)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.written = b""
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={**env, "TERM": "xterm-256color"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while chunk := os.read(self._ours, 65536):
                with self._lock:
                    self.written += chunk
                    self._stream.feed(chunk)
        except OSError:
            pass  # this is how a terminal says that nobody writes to it any more

    @property
    def lines(self) -> list[str]:
        """What is on the screen now, without the empty lines below it."""
        with self._lock:
            shown = [line.rstrip() for line in self._screen.display]
        while shown and not shown[-1]:
            shown.pop()
        return shown

    @property
    def text(self) -> str:
        """What is on the screen now, as one text."""
        return "\n".join(self.lines)

    def shows(self, part: str, timeout: float = 60.0) -> str:
        """Wait until the screen shows a text; return all of it then."""
        wait_until(f"the terminal shows {part!r}", lambda: part in self.text, timeout)
        return self.text

    def resize(self, columns: int, rows: int) -> None:
        """Make it larger or smaller."""
        with self._lock:
            fcntl.ioctl(self._ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            self._screen.resize(rows, columns)

    def wait(self, timeout: float = 60.0) -> int:
        """Wait until the command has ended; return its exit code."""
        code = self.process.wait(timeout)
        self._reader.join(timeout)
        return code

    def close(self) -> None:
        """End the command, if it has not ended, and let go of the terminal."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        os.close(self._ours)


@contextmanager
def terminal(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    columns: int = 80,
    rows: int = 24,
) -> Iterator[Terminal]:
    """A command on a terminal, that ends with the block."""
    made = Terminal(command, cwd=cwd, env=env, columns=columns, rows=rows)
    try:
        yield made
    finally:
        made.close()
