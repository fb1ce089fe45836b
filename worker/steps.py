"""What starts and stops with a worker's main process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, Protocol

from celery import bootsteps

from seeknal.errors import SeeknalError

_WRONG_USE: Final = 2


class Companion(Protocol):
    """Something that works beside the pool."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """End."""
        ...


def beside_pool(role: str, make: Callable[[], Companion]) -> type[Any]:
    """Return the step of a worker that starts a companion once the pool has forked, and stops it.

    One that cannot be made ends the worker before it begins, with exit code 2.
    """

    class Step(bootsteps.StartStopStep):  # type: ignore[misc]
        """Starts after the pool, and stops before it goes."""

        name = role
        requires = ("celery.worker.components:Pool",)

        def create(self, worker: Any) -> Companion:
            try:
                return make()
            except SeeknalError as error:
                sys.stderr.write(f"Error: {error}\n")
                raise SystemExit(_WRONG_USE) from None

    return Step
