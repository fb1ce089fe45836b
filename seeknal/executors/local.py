"""Runs units on threads of this process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from seeknal.execute import Workbench
from seeknal.feed import top_up
from seeknal.stores.base import Store

# How long an idle thread waits before it asks the store again: another process may have fed,
# failed or died meanwhile, and nothing would tell us.
_IDLE = 0.2
_STOPPING = 0.5


class LocalExecutor(AbstractContextManager["LocalExecutor"]):
    """Threads that claim and execute units of any active run of the store.

    Like any worker they take what is ready, whoever planned it: processes that share a project
    share its work. Entering starts the threads; leaving stops the claims, interrupts the
    queries that run, hands their units back and waits for the threads.
    """

    def __init__(self, store: Store, bench: Workbench, workers: int) -> None:
        self._store = store
        self._bench = bench
        self._stop = threading.Event()
        self._work = threading.Condition()
        self._idle = threading.Event()
        self._broken: BaseException | None = None
        self._threads = [
            threading.Thread(target=self._loop, args=(n,), name=f"seeknal-{n}", daemon=True)
            for n in range(workers)
        ]

    def __enter__(self) -> LocalExecutor:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop claiming, interrupt what runs, hand it back, and wait for the threads."""
        self._stop.set()
        self.wake()
        for thread in self._threads:
            while thread.is_alive():
                # Again and again: a query that was only about to start would have missed it.
                self._bench.interrupt()
                thread.join(_STOPPING)

    def wake(self) -> None:
        """Tell idle threads that there is something to claim."""
        with self._work:
            self._work.notify_all()

    def drive(self, run_id: str | None, wait: float) -> None:
        """Keep a run fed, if one is named, for ``wait`` seconds, or until a thread is idle.

        Raises:
            BaseException: what broke a thread, for the caller to report.
        """
        if run_id is not None and top_up(self._store, run_id):
            self.wake()
        if self._broken is not None:
            raise self._broken
        self._idle.wait(wait)
        self._idle.clear()

    def _loop(self, number: int) -> None:
        try:
            with self._bench.seat(f"{number}") as seat:
                while not self._stop.is_set():
                    self._step(seat)
        except BaseException as error:
            self._broken = error
            self._stop.set()

    def _step(self, seat: Callable[[], bool]) -> None:
        if seat():
            return
        self._idle.set()
        with self._work:
            if not self._stop.is_set():
                self._work.wait(_IDLE)
