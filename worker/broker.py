"""kombu's Redis transport, which neither what is no message nor a server's end brings down.

What anybody may push into the queue must not end a worker: kombu reads a message before Celery
can refuse it, and what it cannot read ends its loop.

Nor may a server that goes away at the wrong moment. If kombu fails to close a channel of a lost
connection, it forgets whose channel that is, and closes it again: to give back what was not
acknowledged, the channel then wants an address that nobody knows any more. As an error of the
connection that is what Celery passes over, and connects anew.
"""

from __future__ import annotations

from typing import Any, Final

from celery.utils.log import get_logger
from kombu.transport import TRANSPORT_ALIASES, redis

logger = get_logger("seeknal.worker")

_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError)


class Channel(redis.Channel):  # type: ignore[misc]
    """A channel that drops what it cannot read, and knows when its connection is gone."""

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except _UNREADABLE as error:
            logger.error("What is no message was taken from the queue and dropped: %r", error)
            return True

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("The connection of this channel was closed.")
        return super()._connparams(asynchronous=asynchronous)


class Transport(redis.Transport):  # type: ignore[misc]
    """The transport of such channels."""

    Channel = Channel


def use() -> None:
    """Have this process read every Redis so."""
    name = f"{__name__}:{Transport.__name__}"
    TRANSPORT_ALIASES.update({"redis": name, "rediss": name})
