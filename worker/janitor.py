"""The thread of a worker's main process that keeps every project of the Redis going.

It beats for its worker, tells of killed pool processes, and, as the one elected of all workers,
reaps, feeds and publishes. Nothing of it is needed by a unit that runs.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from celery import signals
from celery.utils.log import get_logger

from seeknal.ending import BACKOFF, backoff
from seeknal.errors import SeeknalError
from seeknal.executors.celery import Publisher
from seeknal.executors.dispatch import SWEEP, Dispatcher
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_worker import Registry
from worker.crew import Crew, Killed

_BEAT: Final = 2.0
_BEAT_COUNTS: Final = 15.0
_PROJECTS: Final = 5.0

logger = get_logger("seeknal.worker")


class Janitor:
    """Looks after the projects, from :meth:`start` to :meth:`stop`."""

    def __init__(self, url: str, crew: Crew, *, lease: float) -> None:
        self._url, self._crew, self._lease = url, crew, lease
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="janitor", daemon=True)
        self._registry = Registry(url)
        self._publisher = Publisher(url)
        self._projects: dict[str, tuple[RedisStore, Dispatcher]] = {}
        self._listed = self._beaten = -_PROJECTS
        self._ill = ""

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        signals.task_received.connect(self._received, weak=False)

    def stop(self) -> None:
        """End, and have the worker forgotten."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10.0)
        for store, dispatcher in self._projects.values():
            try:
                dispatcher.resign()
                store.leave(self._crew.name)
            except SeeknalError:
                return  # it is forgotten all the same, a little later

    def hear(self, project: object) -> None:
        """Look for new projects at once if a message names one that is not known.

        Else its runs might be over before its first beat, and the worker that did them unseen.
        """
        if isinstance(project, str) and project not in self._projects:
            self._wake.set()

    def _received(self, request: Any, **_: Any) -> None:
        if isinstance(request.args, list | tuple) and request.args:
            self.hear(request.args[0])

    def _loop(self) -> None:
        while True:
            called = self._wake.wait(SWEEP * random.uniform(0.8, 1.2))
            self._wake.clear()
            if self._stop.is_set():
                return
            self._guarded(partial(self._list, called))
            self._guarded(self._crew.look_round)
            for killed in self._crew.killed():
                if not self._guarded(partial(self._tell, killed)):
                    self._crew.put_back(killed)
                    break
            beat = time.monotonic() - self._beaten >= _BEAT
            for name in list(self._projects):
                self._guarded(partial(self._look_after, name, beat))
            if beat:
                self._beaten = time.monotonic()

    def _list(self, at_once: bool) -> None:
        if not at_once and time.monotonic() - self._listed < _PROJECTS and self._projects:
            return
        for name in self._registry.projects():
            self._open(name)
        self._listed = time.monotonic()

    def _open(self, name: str) -> RedisStore:
        if name not in self._projects:
            store = RedisStore(self._url, name, lease=self._lease)
            dispatcher = Dispatcher(store, self._publisher, name, self._crew.name)
            self._projects[name] = store, dispatcher
            self._beaten = -_BEAT  # a project that is new hears of us now
        return self._projects[name][0]

    def _look_after(self, name: str, beat: bool) -> None:
        store, dispatcher = self._projects[name]
        if beat:
            store.beat(self._crew.name, self._crew.detail(name), _BEAT_COUNTS)
        if dispatcher.lead():
            dispatcher.sweep()

    def _tell(self, killed: Killed) -> None:
        wait = backoff(BACKOFF, 1)
        store = self._open(killed.project)
        times = store.killed(
            killed.run, killed.unit, killed.worker, killed.why, wait, mark=killed.mark
        )
        logger.warning("Killed at %s (%d times by now): %s", killed.unit, times, killed.why)

    def _guarded(self, work: Callable[[], Any]) -> bool:
        """Do something that the store may refuse; say so once. Returns whether it was done."""
        try:
            work()
        except SeeknalError as error:
            if str(error) != self._ill:
                self._ill = str(error)
                logger.warning("%s", error)
            return False
        except Exception:
            logger.exception("The janitor failed; it goes on")
            return False
        self._ill = ""
        return True
