"""Keeps a broker supplied with messages: feeds runs, publishes what is due, reaps the dead.

Whoever is alive does this, a worker or an attached coordinator, and however many do it at once,
each unit gets one message and the broker holds no more than a window of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Final, Protocol

from seeknal.errors import StoreUnavailableError
from seeknal.feed import WINDOW, top_up
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_fleet import Due, slots_of
from seeknal.workflow.instants import format_interval
from seeknal.workflow.units import Unit

FEEDER: Final = "feeder"
SWEEP: Final = 0.5
# For how long whoever feeds is left to it without a sign of life.
TERM: Final = 2.0
_SLOTS_KNOWN: Final = 5.0
_RUNS_A_SWEEP: Final = 100
# For so long after a look at a window whoever ends units does not look again.
_COOL: Final = 0.05
# Seconds that a worker may take from a message's arrival to the claim.
_UNDER_WAY: Final = 3.0
_WINDOW_PER_SLOT: Final = 4
# What a run that is left to workers is fed at once: enough for the first of them to begin, and
# for whoever starts workers by the length of the queue to see that there is work.
_FIRST: Final = 20


class Broker(Protocol):
    """Where messages go; what :class:`seeknal.executors.celery.Publisher` does."""

    def waiting(self) -> int:
        """Return how many messages wait."""
        ...

    def oldest(self) -> float | None:
        """Return when the oldest message was sent, None without any, 0 if it is not known."""
        ...

    def publish_units(
        self, project: str, units: Sequence[tuple[Due, str]], sent: float, *, ahead: bool = False
    ) -> None:
        """Publish messages about units, each with how a person names its slice."""
        ...

    def withdraw(self, run_id: str, below: int) -> None:
        """Take messages about a run with lower marks out of the queue."""
        ...


class Dispatcher:
    """Supplies one project's runs with messages. For one thread.

    ``owner`` is who this is, for the office of the feeder.
    """

    def __init__(self, store: RedisStore, broker: Broker, project: str, owner: str) -> None:
        self._store, self._broker = store, broker
        self._project, self._owner = project, owner
        self._zone = lru_cache(maxsize=256)(self._zone_of)
        self._window, self._counted = WINDOW, 0.0
        # Of each run when it is looked at again, and whether it has a cap.
        self._seen: dict[str, tuple[float, bool]] = {}

    def window(self) -> int:
        """Return how many messages the broker shall hold: by the slots of all live workers."""
        now = time.monotonic()
        if now - self._counted > _SLOTS_KNOWN or not self._counted:
            slots = slots_of(self._store.workers())
            self._window, self._counted = max(WINDOW, _WINDOW_PER_SLOT * slots), now
        return self._window

    def lead(self) -> bool:
        """Take, or keep, the office of the one who feeds."""
        return self._store.elect(FEEDER, self._owner, TERM)

    def resign(self) -> None:
        """Leave the office to others at once."""
        self._store.resign(FEEDER, self._owner)

    def announce(self) -> None:
        """Make the project known to the workers, for when nobody but them feeds it."""
        self._store.announce()

    def sweep(self) -> None:
        """Put back the units of the dead, feed every active run, publish what is due.

        Also what is due again because its message is lost: a unit whose message is older than
        the oldest in the broker, and which nobody has claimed.
        """
        self._store.reap()
        window = self.window()
        for run_id in self._store.active()[:_RUNS_A_SWEEP]:
            top_up(self._store, run_id, window)
        self._publish(window, self._lost_after())

    def feed(self, run_id: str) -> int:
        """Feed one run and publish what is due; return how many units were fed."""
        window = self.window()
        fed = top_up(self._store, run_id, window)
        self._publish(window, None)
        return fed

    def prime(self, run_id: str) -> None:
        """Feed one run its first few units; workers go on from there."""
        top_up(self._store, run_id, _FIRST)
        self._publish(self.window(), None)

    def feed_if_low(self, run_id: str) -> None:
        """Feed a run if its window is half used up, without looking at it all the time.

        For whoever is done with a unit of it, so that workers never wait for a sweep: of a run
        with a cap the next unit is published, because there is no message that waits for room.
        """
        now, fed = time.monotonic(), 0
        look, capped = self._seen.get(run_id, (0.0, False))
        if now >= look:
            fed = top_up(self._store, run_id, self.window())
            capped = self._store.is_capped(run_id)
            if len(self._seen) >= _RUNS_A_SWEEP:
                self._seen.clear()
            self._seen[run_id] = now + _COOL, capped
        if fed or capped:
            self._publish(self.window(), None)

    def give_way(self, first: Sequence[Due], taken: Due, sent: float) -> None:
        """Put back a message that was taken, and ahead of it, and of all others, those before.

        ``sent`` is when the one that was taken says that it was sent.
        """
        units = [(each, self._slice(each)) for each in (*first, taken)]
        self._broker.publish_units(self._project, units[::-1], sent, ahead=True)

    def withdraw(self, run_id: str, below: int) -> None:
        """Take messages that are out of date out of the queue, and publish others instead."""
        self._broker.withdraw(run_id, below)
        self.feed(run_id)

    def _publish(self, window: int, lost_after: float | None) -> None:
        room = window - self._broker.waiting()
        if room <= 0:
            return
        due = self._store.due(room, lost_after, window)
        if due:
            named = [(each, self._slice(each)) for each in due]
            self._broker.publish_units(self._project, named, due[-1].sent)

    def _lost_after(self) -> float | None:
        oldest = self._broker.oldest()
        if oldest is None:
            return _UNDER_WAY
        return max(0.0, self._store.now() - oldest) + _UNDER_WAY if oldest else None

    def _slice(self, due: Due) -> str:
        return slice_name(due.unit, self._zone(due.run))

    def _zone_of(self, run_id: str) -> str:
        run = self._store.run(run_id)
        return "UTC" if run is None else str(run.spec.get("timezone", "UTC"))


def slice_name(unit: Unit, timezone: str) -> str:
    """Return how a person names a unit's slice: its value, or its interval on the wall clock."""
    return unit.value if unit.value is not None else format_interval(unit.start, unit.end, timezone)


class CeleryExecutor:
    """Drives runs that Celery workers execute; the coordinator's driver.

    It feeds as long as it is there. When it is not, one of the workers does.
    """

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher
        self._fed: set[str] = set()
        self._swept = 0.0

    def launch(self, run_id: str) -> None:
        """Leave a run to the workers."""
        self._dispatcher.announce()
        self._dispatcher.prime(run_id)

    def drive(self, run_id: str | None, wait: float) -> None:
        """Keep runs supplied for ``wait`` seconds; an outage of the store is waited out."""
        with suppress(StoreUnavailableError):
            self._supply(run_id)
        time.sleep(wait)

    def stop(self) -> None:
        """Leave: workers feed from here on."""
        with suppress(StoreUnavailableError):
            self._dispatcher.resign()

    def _supply(self, run_id: str | None) -> None:
        if run_id is not None and run_id not in self._fed:
            self._dispatcher.announce()
            self._dispatcher.feed(run_id)
            self._fed.add(run_id)
        now = time.monotonic()
        if now - self._swept < SWEEP:
            return
        self._swept = now
        if self._dispatcher.lead():
            self._dispatcher.sweep()
        elif run_id is not None:
            self._dispatcher.feed(run_id)
