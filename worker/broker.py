"""kombu's Redis transport, less what the store makes needless.

kombu writes each message that it has taken into Redis, and out again when it is acknowledged: two
transactions that a worker's main process waits for, and half of what it computes for a message.
They are to bring back what a killed worker had taken. The store does, and sooner: a unit whose
lease ends, or whose message nobody claims, is sent again. So what is taken is known in memory
alone, from where it goes back into the queue when a worker rejects it, stops, or loses its
connection.

What anybody may push into the queue must not end a worker: kombu reads a message before Celery
can refuse it, and what it cannot read ends its loop.

Nor may a server that goes away at the wrong moment. If kombu fails to close a channel of a lost
connection, it forgets whose channel that is, and closes it again: to put back what it had taken,
the channel then wants an address that nobody knows any more. As an error of the connection that
is what is passed over, and Celery connects anew.
"""

from __future__ import annotations

from typing import Any, Final

from celery.utils.log import get_logger
from kombu.transport import TRANSPORT_ALIASES, redis

logger = get_logger("seeknal.worker")

_UNREADABLE: Final = (ValueError, TypeError, KeyError, AttributeError)


class Message(redis.Channel.Message):  # type: ignore[misc]
    """A message that says where it goes back to."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.back = self.delivery_info["exchange"], self.delivery_info["routing_key"]


class Channel(redis.Channel):  # type: ignore[misc]
    """A channel that keeps what it takes in memory, and drops what it cannot read."""

    Message = Message
    ack_emulation = False
    _cut_off = False

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except _UNREADABLE as error:
            logger.error("What is no message was taken from the queue and dropped: %r", error)
            return True

    def _restore(self, message: Any, leftmost: bool = False) -> None:
        """Put a message back: last of all if it is ``leftmost``, else to be taken next."""
        if self._cut_off:
            return  # each attempt may take seconds, in which the worker does nothing else
        try:
            with self.conn_or_acquire() as client:
                self._do_restore_message(message._raw, *message.back, client, leftmost)
        except self.connection_errors as error:
            self._cut_off = self._closing
            logger.debug("Messages are left for the store to send again: %r", error)

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
