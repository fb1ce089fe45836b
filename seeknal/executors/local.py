"""Runs units on threads of this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing

from seeknal.ending import end_attempt
from seeknal.execute import Seat
from seeknal.executors.batches import Results, Stock
from seeknal.feed import top_up
from seeknal.finish import finish
from seeknal.stores.base import Store
from seeknal.workbench import Broken, Made, Outcome, Workbench
from seeknal.workflow.state import RunStatus

# How long an idle thread waits before it asks the store again: another process may have fed,
# failed or died meanwhile, and nothing would tell us.
_IDLE = 0.2
_STOPPING = 0.5


class LocalExecutor(AbstractContextManager["LocalExecutor"]):
    """Threads that execute units of any active run of the store.

    Like any worker they take what is ready, whoever planned it: processes that share a project
    share its work. ``workers`` threads run a query each, and as many others publish and complete
    what those make, so that the next queries run meanwhile.

    Entering starts the threads; leaving stops the claims, interrupts the queries that run, hands
    their units back and waits for the threads, but not for those whose query ignores its
    interrupt: their attempts are over.
    """

    def __init__(self, store: Store, bench: Workbench, workers: int) -> None:
        self._store = store
        self._bench = bench
        self._stop = threading.Event()
        self._work = threading.Condition()
        self._idle = threading.Event()
        self._crash: BaseException | None = None
        self._workers = workers
        self._threads: list[threading.Thread] = []
        self._finishers: list[threading.Thread] = []
        self._stock = Stock(bench, workers)
        self._results = Results()
        # Threads in whose place others work, because a query does not let them go.
        self._replaced: set[int] = set()

    def __enter__(self) -> LocalExecutor:
        try:
            for _ in range(self._workers):
                self._start("query", self._query, self._threads)
                self._start("finish", self._finish, self._finishers)
        except BaseException:
            self.stop()  # those that are there work already
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop claiming, interrupt what runs, hand it back, and wait for the threads."""
        self._stop.set()
        self.wake()
        for thread in self._threads:
            while thread.is_alive() and thread.ident not in self._bench.stuck:
                # Again and again: a query that was only about to start would have missed it.
                self._bench.interrupt()
                thread.join(_STOPPING)
        self._results.close()
        for thread in self._finishers:
            thread.join()
        self._stock.hand_back()

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
        if self._crash is not None:
            raise self._crash
        self._replace_stuck()
        self._stock.hand_back(only_stale=True)
        self._idle.wait(wait)
        self._idle.clear()

    def _replace_stuck(self) -> None:
        """Have others work in the place of threads that their query does not let go."""
        stuck = self._bench.stuck - self._replaced
        self._replaced |= stuck
        for _ in stuck:
            self._start("query", self._query, self._threads)

    def _start(self, name: str, work: Callable[[], None], threads: list[threading.Thread]) -> None:
        thread = threading.Thread(
            target=self._guarded, args=(work,), name=f"seeknal-{name}-{len(threads)}", daemon=True
        )
        threads.append(thread)
        thread.start()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:
            self._crash = error
            self._stop.set()
            self._results.close()

    def _query(self) -> None:
        """Run queries, until it is time to stop or another thread has taken this one's place."""
        me = threading.get_ident()
        try:
            with closing(Seat(self._bench)) as seat:
                while not self._stop.is_set() and me not in self._replaced:
                    self._step(seat)
        finally:
            self._replaced.discard(me)  # a number may be given again

    def _step(self, seat: Seat) -> None:
        holding = self._stock.take()
        if holding is None:
            self._wait()
            return
        started = time.monotonic()
        made = seat.compute(holding)
        self._stock.queries.note(time.monotonic() - started)
        if isinstance(made, Broken):
            # What was made before it counts before it is judged whether the run goes on.
            with self._results.drain() as before:
                self._end(before, made)
        else:
            self._results.put(made)

    def _finish(self) -> None:
        """Publish and complete what queries make, until no more comes."""
        while True:
            with self._results.take() as made:
                if not made:
                    return
                self._end(made)

    def _end(self, made: list[Made], broken: Broken | None = None) -> None:
        """Finish results, end an attempt that broke, and claim no more of runs that stop on it."""
        ended = list(zip((each.holding for each in made), finish(self._bench, made), strict=True))
        if broken is not None:
            ended.append((broken.holding, end_attempt(self._bench, broken)))
        failed = {holding.claim.run for holding, outcome in ended if outcome is Outcome.FAILED}
        if not all(self._goes_on(run) for run in failed):
            self._stock.hand_back()
        self.wake()  # a cap may have let nobody claim until now

    def _goes_on(self, run_id: str) -> bool:
        run = self._bench.insist(lambda: self._store.run(run_id))
        return run is not None and run.status is RunStatus.ACTIVE

    def _wait(self) -> None:
        self._idle.set()
        with self._results.idle(), self._work:
            if not self._stop.is_set():
                self._work.wait(_IDLE)
