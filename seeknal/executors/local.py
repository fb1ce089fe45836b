"""Runs units on threads of this process."""

from __future__ import annotations

import threading
from contextlib import AbstractContextManager
from queue import SimpleQueue

from seeknal.execute import Outcome, Seat, Workbench
from seeknal.feed import top_up
from seeknal.stores.base import Store

# How long an idle thread waits before it asks the store again: another process may have fed,
# failed or died meanwhile, and nothing would tell us.
_IDLE = 0.2
_STOPPING = 0.5


class LocalExecutor(AbstractContextManager["LocalExecutor"]):
    """Threads that claim and execute units of any active run of the store.

    Like any worker they take what is ready, whoever planned it: processes that share a project
    share its work. Only ``workers`` queries run at once. With ``overlap`` there are twice as many
    threads, so that the next query runs while a result is being published, which is waiting for
    the disk.

    Entering starts the threads; leaving stops the claims, interrupts the queries that run, hands
    their units back and waits for the threads, but not for those whose query ignores its
    interrupt: their attempts are over.
    """

    def __init__(
        self, store: Store, bench: Workbench, workers: int, *, overlap: bool = True
    ) -> None:
        self._store = store
        self._bench = bench
        self._stop = threading.Event()
        self._work = threading.Condition()
        self._idle = threading.Event()
        self._broken: BaseException | None = None
        self._threads: list[threading.Thread] = []
        self._workers, self._overlap = workers, overlap
        # Whoever has taken one may claim a unit and run its query.
        self._slots: SimpleQueue[None] = SimpleQueue()
        self._waiting = 0
        # Threads in whose place others work, because a query does not let them go.
        self._replaced: set[int] = set()

    def __enter__(self) -> LocalExecutor:
        for _ in range(self._workers):
            self._slots.put(None)
        for _ in range(self._workers * (2 if self._overlap else 1)):
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop claiming, interrupt what runs, hand it back, and wait for the threads."""
        self._stop.set()
        self.wake()
        for _ in self._threads:
            self._slots.put(None)
        for thread in self._threads:
            while thread.is_alive() and thread.ident not in self._bench.stuck:
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
        self._replace_stuck()
        self._idle.wait(wait)
        self._idle.clear()

    def _replace_stuck(self) -> None:
        """Have others work in the place of threads that their query does not let go."""
        with self._work:  # under which a thread whose query has ended gives its slot back
            stuck = self._bench.stuck - self._replaced
            self._replaced |= stuck
        for _ in stuck:
            self._start()
            self._slots.put(None)

    def _start(self) -> None:
        number = len(self._threads)
        thread = threading.Thread(
            target=self._loop, args=(number,), name=f"seeknal-{number}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def _loop(self, number: int) -> None:
        try:
            with self._bench.seat(f"{number}") as seat:
                while not self._stop.is_set() and threading.get_ident() not in self._replaced:
                    self._step(seat)
        except BaseException as error:
            self._broken = error
            self._stop.set()
        finally:
            self._replaced.discard(threading.get_ident())  # a number may be given again

    def _step(self, seat: Seat) -> None:
        self._slots.get()
        try:
            claim = None if self._stop.is_set() else seat.claim()
            made = seat.compute(claim) if claim else None
        finally:
            with self._work:
                if threading.get_ident() not in self._replaced:
                    self._slots.put(None)
        if made is None:
            self._wait()
            return
        if not isinstance(made, Outcome):
            seat.finish(made)
        if self._waiting:
            with self._work:
                self._work.notify()  # a cap may have let nobody claim until now

    def _wait(self) -> None:
        self._idle.set()
        with self._work:
            if not self._stop.is_set():
                self._waiting += 1
                self._work.wait(_IDLE)
                self._waiting -= 1
