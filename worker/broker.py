"""kombu's Redis transport, which a message that is none does not bring down.

What anybody may push into the queue must not end a worker: kombu reads a message before Celery
can refuse it, and what it cannot read ends its loop.
"""

from __future__ import annotations

from typing import Any, Final

from celery.utils.log import get_logger
from kombu.transport import TRANSPORT_ALIASES, redis

logger = get_logger("seeknal.worker")

_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError)


class Channel(redis.Channel):  # type: ignore[misc]
    """A channel that drops what it cannot read."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except _UNREADABLE as error:
            logger.error("What is no message was taken from the queue and dropped: %r", error)
            return True


class Transport(redis.Transport):  # type: ignore[misc]
    """The transport of such channels."""

    Channel = Channel


def use() -> None:
    """Have this process read every Redis so."""
    name = f"{__name__}:{Transport.__name__}"
    TRANSPORT_ALIASES.update({"redis": name, "rediss": name})
