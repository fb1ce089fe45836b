"""What the store and the broker hold, read for scrapes, which wait for neither of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from celery.utils.log import get_logger

from seeknal.errors import SeeknalError
from seeknal.executors.celery import Publisher
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_worker import OpenRun, Registry

_FRESH: Final = 2.0
# For so long a scrape waits for a reading, and for so long the last one counts.
_PATIENCE: Final = 1.0
_COUNTS: Final = 30.0

logger = get_logger("seeknal.worker")


@dataclass(frozen=True, slots=True)
class Reading:
    """The queue's messages; of each project its unfinished fed units, and its open runs."""

    waiting: int
    pending: dict[str, int]
    runs: list[tuple[str, OpenRun]]


class Reader:
    """Reads a Redis. For one thread at a time."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._registry = Registry(url)
        self._publisher = Publisher(url)
        self._stores: dict[str, RedisStore] = {}

    def __call__(self) -> Reading:
        """Return what it holds now.

        Raises:
            SeeknalError: it cannot be reached, or refuses.
        """
        stores = {name: self._store(name) for name in self._registry.projects()}
        return Reading(
            self._publisher.waiting(),
            {name: store.pending() for name, store in stores.items()},
            [(name, run) for name, store in stores.items() for run in store.open_runs()],
        )

    def _store(self, project: str) -> RedisStore:
        if project not in self._stores:
            self._stores[project] = RedisStore(self._url, project)
        return self._stores[project]


class Observer:
    """The latest reading, made anew when somebody asks for it and it is two seconds old."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._begun = -_FRESH
        self._found: tuple[float, Reading] | None = None

    def latest(self) -> tuple[bool, Reading | None]:
        """Return whether the store answers, and what it held; takes a second at most.

        Of one that does not answer in time the last reading counts for half a minute.
        """
        now = time.monotonic()
        with self._lock:
            thread = self._thread
            if (thread is None or not thread.is_alive()) and now - self._begun >= _FRESH:
                thread = threading.Thread(target=self._look, name="observer", daemon=True)
                self._thread, self._begun = thread, now
                thread.start()
        assert thread is not None
        thread.join(_PATIENCE)
        found = self._found
        if found is None or time.monotonic() - found[0] > _COUNTS:
            return False, None
        return not thread.is_alive(), found[1]

    def _look(self) -> None:
        try:
            self._found = time.monotonic(), self._read()
        except SeeknalError as error:
            self._found = None
            logger.debug("No metrics of the store: %s", error)
        except Exception:
            self._found = None
            logger.exception("The store could not be read for metrics")
