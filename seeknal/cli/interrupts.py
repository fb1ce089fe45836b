"""Ctrl-C, and SIGTERM: stop what runs, hand it back, and leave even if it cannot be stopped."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from seeknal.errors import SeeknalError

# Seconds for what runs to be handed back. DuckDB has operators that ignore an interrupt.
GRACE = 5.0
_HANDING_BACK = 1.0
_CODE = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Raises KeyboardInterrupt once, and leaves the process when that does not end it.

    ``hand_back`` is called before the process is left by force, ``advice`` says how to go on.
    """

    def __init__(self) -> None:
        self.hand_back: Callable[[], None] | None = None
        self.advice = ""
        self._leaving = threading.Lock()
        self._watchdog: threading.Timer | None = None

    @contextmanager
    def caught(self) -> Iterator[Interrupts]:
        """Handle the signals within the block; one that is ignored stays ignored."""
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        before = {each: signal.getsignal(each) for each in _SIGNALS}
        for each, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(each, self._handle)
        try:
            yield self
        finally:
            interrupted = self._watchdog is not None
            for each, handler in before.items():
                # What was to be said is about to be, and the process to end.
                signal.signal(each, signal.SIG_IGN if interrupted else handler)
            if self._watchdog is not None:
                self._watchdog.cancel()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._watchdog is not None:
            self._leave("Left at once")
            return
        self._watchdog = threading.Timer(GRACE, self._leave, ("Left what did not stop",))
        self._watchdog.daemon = True
        self._watchdog.start()
        _tell("Stopping; Ctrl-C again leaves at once.")
        raise KeyboardInterrupt

    def _leave(self, how: str) -> None:
        """Leave the process, whatever its threads do."""
        if not self._leaving.acquire(blocking=False):
            return
        # In a thread of its own: this one may have interrupted whoever holds the store's lock.
        giver = threading.Thread(target=self._give, daemon=True)
        giver.start()
        giver.join(_HANDING_BACK)
        _tell(f"{how}; it will be run again. {self.advice}")
        os._exit(_CODE)

    def _give(self) -> None:
        with suppress(SeeknalError):
            if self.hand_back is not None:
                self.hand_back()


def _tell(line: str) -> None:
    """Write a line to standard error, where the interrupted thread may hold the stream's lock."""
    with suppress(OSError):
        os.write(2, f"\n{line}\n".encode())
