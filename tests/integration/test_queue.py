"""What is published into a real queue, and what is taken out of it unread."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from seeknal.executors.celery import MARK, QUEUE, SENT, Message, Publisher
from seeknal.stores.redis_fleet import Due
from tests.contract.building import FLOW, hour
from tests.contract.redis_harness import shared_server

PROJECT = "queue"


@pytest.fixture(scope="module")
def opened() -> Iterator[Publisher]:
    made = Publisher(shared_server().url)
    yield made
    made.close()


@pytest.fixture
def publisher(opened: Publisher) -> Iterator[Publisher]:
    yield opened
    with shared_server().client() as client:
        client.delete(QUEUE)


def named(number: int, run: str = "r1", mark: int | None = None) -> tuple[Due, str]:
    return Due(run, FLOW, hour(number).key, str(mark or number)), f"hour {number}"


def waiting() -> list[tuple[str, str, float]]:
    """Return run, mark and time of sending of each message, in the order of taking."""
    with shared_server().client() as client:
        headers = [json.loads(text)["headers"] for text in client.lrange(QUEUE, 0, -1)]
    return [(h["kwargsrepr"][9:-2], h[MARK], float(h[SENT])) for h in reversed(headers)]


def test_what_goes_ahead_is_taken_last_first(publisher: Publisher) -> None:
    publisher.publish_units(PROJECT, [named(1), named(2)], 10.0)
    publisher.publish_units(PROJECT, [named(3)], 20.0)
    publisher.publish_units(PROJECT, [named(4), named(5, "r2")], 10.0, ahead=True)
    assert waiting() == [
        ("r2", "5", 10.0),
        ("r1", "4", 10.0),
        ("r1", "1", 10.0),
        ("r1", "2", 10.0),
        ("r1", "3", 20.0),
    ]
    assert publisher.oldest() == 10.0


def test_the_slow_way_says_the_same(publisher: Publisher) -> None:
    message = Message(PROJECT, FLOW, "hour 1", hour(1).key, "r1", "7")
    publisher.publish([message], 10.0)
    publisher.publish_one_by_one([message], 10.0)
    assert waiting() == [("r1", "7", 10.0)] * 2


def test_only_messages_of_the_run_and_below_the_mark_are_withdrawn(publisher: Publisher) -> None:
    for number in range(1, 7):
        publisher.publish_units(PROJECT, [named(number), named(number, "r2")], 10.0)
    publisher.ask(PROJECT, FLOW, "r1")
    with shared_server().client() as client:
        client.lpush(QUEUE, "no JSON, but of r1", '{"headers": {"kwargsrepr": "r1"}}')
        publisher.withdraw("r1", 5)
        strangers = [client.lpop(QUEUE), client.lpop(QUEUE)]
    assert all(strangers)
    assert waiting()[1:] == [
        ("r2", "1", 10.0),
        ("r2", "2", 10.0),
        ("r2", "3", 10.0),
        ("r2", "4", 10.0),
        ("r1", "5", 10.0),
        ("r2", "5", 10.0),
        ("r1", "6", 10.0),
        ("r2", "6", 10.0),
    ]
