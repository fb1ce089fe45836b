"""The workers' transport: what is taken is known in memory alone, and goes back from there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Queue
from kombu.pidbox import Mailbox

from seeknal.executors.celery import MARK, QUEUE, Publisher
from seeknal.stores.redis_fleet import Due
from tests.contract.building import FLOW, hour
from tests.server import Server
from worker.broker import Channel, Transport


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path / "redis").start()
    yield made
    made.close()


class Taker:
    """A consumer of the queue, as a worker has one."""

    def __init__(self, server: Server, most: int = 2) -> None:
        self.connection = Connection(server.url, transport=Transport)
        self.channel = self.connection.channel()
        self.messages: list[Any] = []
        consumer = self.channel.Consumer([Queue(QUEUE)], on_message=self.messages.append)
        consumer.qos(prefetch_count=most)
        consumer.consume()

    def take(self, number: int) -> list[Any]:
        while len(self.messages) < number:
            self.connection.drain_events(timeout=5)
        return self.messages


def publish(server: Server, *numbers: int) -> None:
    publisher = Publisher(server.url)
    units = [(Due("r1", FLOW, hour(n).key, str(n)), f"hour {n}") for n in numbers]
    publisher.publish_units("p", units, 10.0)
    publisher.close()


def waiting(server: Server) -> list[str]:
    """Return the marks of the messages in the queue, in the order of taking."""
    with server.client() as client:
        texts = client.lrange(QUEUE, 0, -1)
    return [json.loads(text)["headers"][MARK] for text in reversed(texts)]


def test_what_is_taken_is_nowhere_in_redis(server: Server) -> None:
    publish(server, 1, 2, 3)
    taker = Taker(server)
    one, two = taker.take(2)
    assert waiting(server) == ["3"]
    with server.client() as client:
        assert not client.exists("unacked", "unacked_index")
    one.ack()
    two.ack()
    taker.connection.close()
    assert waiting(server) == ["3"]


def test_what_is_rejected_is_taken_last_and_what_is_left_at_the_end_first(server: Server) -> None:
    publish(server, 1, 2, 3, 4)
    taker = Taker(server)
    one, two = taker.take(2)
    one.reject(requeue=True)
    assert waiting(server) == ["3", "4", "1"]
    three = taker.take(3)[2]
    assert waiting(server) == ["4", "1"]
    del two, three
    taker.connection.close()
    assert waiting(server) == ["2", "3", "4", "1"]


def test_what_cannot_be_put_back_is_left_to_the_store(server: Server) -> None:
    publish(server, 1)
    taker = Taker(server)
    taker.take(1)
    server.stop()
    taker.channel.qos.restore_unacked_once()
    server.start()
    assert waiting(server) == []


def test_a_server_out_of_reach_is_tried_once_for_all_that_was_taken(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(server, 1, 2, 3)
    taker = Taker(server, 3)
    taker.take(3)
    server.stop()
    tried: list[Channel] = []
    connect = Channel.conn_or_acquire

    def counted(channel: Channel, *args: Any) -> Any:
        tried.append(channel)
        return connect(channel, *args)

    monkeypatch.setattr(Channel, "conn_or_acquire", counted)
    taker.channel.close()
    assert len(tried) == 1


def test_a_lost_connection_closes_although_it_cannot_put_back_what_it_took(server: Server) -> None:
    connection, taken = Connection(server.url, transport=Transport), list[Any]()
    tasks = connection.Consumer([Queue(QUEUE)], on_message=taken.append)
    tasks.qos(prefetch_count=2)
    tasks.consume()
    Mailbox("control", type="fanout").Node("one", channel=connection.channel()).listen()
    publish(server, 1)
    while not taken:
        connection.drain_events(timeout=5)
    # As a worker does: it waits for the next message when the server goes.
    connection.transport.cycle.on_poll_start()
    server.kill()
    # Both are what Celery does then, and an error of another kind would end the worker.
    connection.collect()
    connection.close()
