"""How the contract suite gets a store, and makes time pass in it.

An implementation joins by a class like :class:`SQLiteHarness` and one line in ``HARNESSES``.
Where the store's clock is a real server's, ``clock`` is None; ``STILL`` are the others, for the few
tests that stand at an exact instant.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from seeknal.stores.base import Store
from seeknal.stores.sqlite import SQLiteStore
from seeknal.workflow.state import Claim


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class Harness(Protocol):
    """One store under test, and its time."""

    lease: float
    """Seconds of a lease that outlives a test's steps."""

    backoff: float
    """Seconds of a backoff that outlives a few steps, yet can be waited for."""

    clock: Clock | None
    """The store's clock, if it can be set."""

    def open(self) -> Store:
        """Return one more store on the same data, as another process would have."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Return once the store's clock has moved on by so much."""
        ...

    def expire(self, *claims: Claim) -> None:
        """Return once the store's clock is past the ends of these leases, which are held."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class SQLiteHarness:
    """The embedded store, under a clock that stands still."""

    lease = 30.0
    backoff = 15.0

    def __init__(self, folder: Path) -> None:
        self.clock: Clock | None = Clock(1_700_000_000.25)
        self._path = folder / "target" / "state.db"
        self._opened: list[SQLiteStore] = []

    def open(self) -> Store:
        assert self.clock is not None
        store = SQLiteStore(self._path, clock=self.clock)
        self._opened.append(store)
        return store

    def pass_time(self, seconds: float) -> None:
        assert self.clock is not None
        self.clock.advance(seconds)

    def expire(self, *claims: Claim) -> None:
        assert self.clock is not None
        self.clock.now = max(self.clock.now, *(c.until for c in claims)) + 0.001

    def close(self) -> None:
        for store in self._opened:
            store.close()


HARNESSES: dict[str, Callable[[Path], Harness]] = {"sqlite": SQLiteHarness}

STILL = ("fakeredis", "sqlite")
# Where a test makes thousands of calls. fakeredis runs the same scripts as a server does, thirty
# times slower; it is there for its clock.
QUICK = ("redis", "sqlite")
