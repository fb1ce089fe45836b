"""Keeps alive the leases that a process holds, and interrupts queries that may not go on."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Final

from seeknal.stores.base import Store
from seeknal.workflow.state import Claim

# A query that ran out of time is interrupted so often, so many seconds apart, before its attempt
# ends without it.
_INTERRUPTS: Final = 4
_APART: Final = 1.0


class Holding:
    """A claim that a heartbeat keeps alive, and how to interrupt its query once it has begun."""

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        self.interrupt: Callable[[], None] | None = None
        self.give_up: Callable[[], object] | None = None
        self.timeout: float | None = None
        self.deadline = math.inf
        self.thread = 0
        self.interrupts = 0
        self.ended = False
        self.lost = False

    @property
    def late(self) -> bool:
        """Whether the query ran out of time."""
        return self.interrupts > 0

    def stop(self) -> None:
        """Interrupt the query; one that has ended may have left its session to another."""
        if self.interrupt is not None and not self.ended:
            self.interrupt()


class Heartbeat:
    """Renews every lease that this process holds, at a third of the lease.

    A refused renewal interrupts the unit's query; an unreachable store does not, because
    nobody else can have claimed the unit meanwhile.
    """

    def __init__(self, store: Store, lease: float) -> None:
        self._store = store
        self.lease = lease
        self._held: set[Holding] = set()
        self._stuck: set[Holding] = set()
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._wakes = math.inf
        self._stopped = False
        self._thread: threading.Thread | None = None

    def hold(self, claim: Claim) -> Holding:
        """Keep a claim's lease alive from now on, until it is dropped."""
        holding = Holding(claim)
        with self._lock:
            self._held.add(holding)
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
                self._thread.start()
        return holding

    def query_begins(
        self,
        holding: Holding,
        interrupt: Callable[[], None],
        timeout: float | None = None,
        give_up: Callable[[], object] | None = None,
    ) -> None:
        """Note how the query of this thread is interrupted.

        After ``timeout`` seconds (None: never) it is. Where that does not stop it, ``give_up`` is
        called, once and in a thread of its own.
        """
        with self._lock:
            holding.thread = threading.get_ident()
            holding.interrupt, holding.give_up = interrupt, give_up
            if timeout is not None:
                holding.timeout, holding.deadline = timeout, time.monotonic() + timeout
                if holding.deadline < self._wakes:
                    self._changed.notify()

    def query_ended(self, holding: Holding) -> None:
        """Note that what comes now is not timed, and that there is nothing to interrupt."""
        with self._lock:
            holding.deadline = math.inf
            holding.ended = True
            self._stuck.discard(holding)

    def drop(self, holding: Holding) -> None:
        """Let a claim's lease be, whether its query has ended or not."""
        with self._lock:
            self._held.discard(holding)
            self._stuck.discard(holding)

    @property
    def stuck(self) -> frozenset[int]:
        """The threads whose query goes on although its attempt was given up."""
        with self._lock:
            return frozenset(holding.thread for holding in self._stuck)

    def interrupt(self) -> None:
        """Interrupt every query that runs under a lease of this process."""
        with self._lock:
            for holding in self._held:
                holding.stop()

    def release(self) -> None:
        """Hand back every lease that is held, without waiting for its query."""
        with self._lock:
            held = list(self._held - self._stuck)
        for holding in held:
            self._store.release(holding.claim)

    def close(self) -> None:
        """Stop renewing."""
        with self._lock:
            self._stopped = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _beat(self) -> None:
        due = time.monotonic() + self.lease / 3
        while self._wait(due):
            self._check_deadlines()
            if time.monotonic() < due:
                continue
            with self._lock:
                held = list(self._held - self._stuck)
            for holding in held:
                self._renew(holding)
            due = time.monotonic() + self.lease / 3

    def _wait(self, due: float) -> bool:
        """Wait until renewals are due, or a deadline has passed; False if it is time to stop."""
        with self._lock:
            while not self._stopped:
                self._wakes = min([due, *(holding.deadline for holding in self._held)])
                left = self._wakes - time.monotonic()
                if left <= 0:
                    return True
                self._changed.wait(left)
            return False

    def _check_deadlines(self) -> None:
        now = time.monotonic()
        with self._lock:
            for holding in self._held:
                if holding.deadline > now:
                    continue
                if holding.interrupts < _INTERRUPTS:
                    holding.interrupts += 1
                    holding.deadline = now + _APART
                    holding.stop()
                    continue
                holding.deadline = math.inf
                holding.lost = True
                threading.Thread(
                    target=self._give_up, args=(holding,), name="give-up", daemon=True
                ).start()

    def _give_up(self, holding: Holding) -> None:
        """End an attempt without its query; in a thread of its own, as the store may keep it."""
        try:
            if holding.give_up is not None:
                holding.give_up()
        finally:
            with self._lock:
                if holding in self._held and not holding.ended:
                    self._stuck.add(holding)

    def _renew(self, holding: Holding) -> None:
        try:
            kept = self._store.renew(holding.claim, self.lease)
        except Exception:
            # Whatever it was: every lease of this process hangs on this thread, and the next
            # beat asks again.
            return
        with self._lock:
            if not kept and holding in self._held:
                holding.lost = True
                holding.stop()
