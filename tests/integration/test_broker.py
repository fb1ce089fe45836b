"""The transport of workers, on a server that goes away at the worst moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Consumer, Producer, Queue
from kombu.pidbox import Mailbox

from tests.server import Server
from worker.broker import Transport


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "server").start()
    yield server
    server.close()


class Consuming:
    """A connection as a worker has it: for tasks and for remote control, with one task in hand."""

    def __init__(self, server: Server) -> None:
        self.connection = Connection(server.url, transport=Transport)
        self.taken: list[Any] = []
        self.tasks = Consumer(self.connection, [Queue("tasks")], on_message=self.taken.append)
        self.tasks.qos(prefetch_count=2)
        self.tasks.consume()
        Mailbox("control", type="fanout").Node("one", channel=self.connection.channel()).listen()
        with Connection(server.url, transport=Transport) as other:
            Producer(other.channel()).publish({}, routing_key="tasks")
        while not self.taken:
            self.connection.drain_events(timeout=5)
        # It waits for the next one when the server goes.
        self.connection.transport.cycle.on_poll_start()


def test_a_lost_connection_that_cannot_give_back_what_it_took_closes(server: Server) -> None:
    lost = Consuming(server)
    server.kill()
    # What Celery does with it, and each can end a worker: any other error would pass through.
    lost.connection.collect()
    lost.connection.close()
    with pytest.raises(lost.connection.connection_errors, match="was closed"):
        lost.taken[0].ack()
