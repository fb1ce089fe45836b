"""Asking a worker what a flow's data hold, for a machine that cannot see them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol
from uuid import uuid4

from seeknal import errors
from seeknal.errors import DataUnavailableError, SeeknalError, StoreError
from seeknal.plan import Data
from seeknal.stores.redis import RedisStore

_LONGEST: Final = 300.0
# For a project that is new to the workers it takes a moment until they tell of themselves.
_NOBODY: Final = 15.0
_EVERY: Final = 0.05
# A worker that is killed takes the question with it; one that was answered costs nothing.
_AGAIN: Final = 10.0


class Messenger(Protocol):
    """Who carries a question to a worker; :class:`seeknal.executors.celery.Publisher` does."""

    def ask(self, project: str, flow: str, question: str) -> None:
        """Publish a message that has a worker answer a question."""
        ...


def ask_data(
    store: RedisStore,
    messenger: Messenger,
    snapshot: Mapping[str, Any],
    spec: Mapping[str, Any],
    clock: Callable[[], float] = time.monotonic,
) -> tuple[Data, str]:
    """Have a worker check a flow against its data; return what they hold, and its fingerprint.

    ``snapshot`` is the project's, ``spec`` the flow's.

    Raises:
        DataUnavailableError: no worker answers, or two cannot see the data either.
        SeeknalError: what the worker found wrong, as if it had been found here.
    """
    name, flow = uuid4().hex, str(spec["name"])
    store.announce()
    store.ask(name, {"project": dict(snapshot), "spec": dict(spec)})
    try:
        ask = partial(messenger.ask, str(snapshot["name"]), flow, name)
        answer = _wait(store, name, flow, ask, clock)
    finally:
        store.withdraw(name)
    if "error" in answer:
        raise _error(str(answer.get("kind")), f"Asked of a worker: {answer['error']}")
    try:
        extent = answer["extent"]
        data = Data(extent and (float(extent[0]), float(extent[1])), tuple(answer["values"]))
        return data, str(answer["fingerprint"])
    except (KeyError, TypeError, ValueError, IndexError):
        raise StoreError(
            "A worker's answer cannot be read; it runs another version of Seeknal."
        ) from None


def _wait(
    store: RedisStore, name: str, flow: str, ask: Callable[[], object], clock: Callable[[], float]
) -> Mapping[str, Any]:
    started, asked = clock(), -math.inf
    while (answer := store.answered(name)) is None:
        waited = clock() - started
        if waited - asked > _AGAIN:
            asked = waited
            ask()
        if waited > _LONGEST or (waited > _NOBODY and not store.workers()):
            who = "No worker is alive" if waited <= _LONGEST else "No worker has answered"
            raise DataUnavailableError(
                f"The data of flow {flow!r} are not here. {who} to look at them: start one where "
                "they are, with 'seeknal worker'."
            )
        time.sleep(_EVERY)
    return answer


def _error(kind: str, message: str) -> SeeknalError:
    known = getattr(errors, kind, None)
    wanted = known if isinstance(known, type) and issubclass(known, SeeknalError) else SeeknalError
    return wanted(message)
