"""A question to a worker: asked again, because whoever took it may have been killed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import Any, cast

import pytest

from seeknal.errors import DataUnavailableError
from seeknal.executors import remote
from seeknal.stores.redis import RedisStore

ANSWER = {"fingerprint": "f", "extent": [0, 60], "values": []}


class Store:
    """A store whose workers answer when they have been asked so often."""

    def __init__(self, asks: int) -> None:
        self.asks = asks
        self.asked: list[str] = []

    def announce(self) -> None: ...

    def withdraw(self, name: str) -> None: ...

    def workers(self) -> list[str]:
        return ["one"]

    def ask(self, name: str, question: Mapping[str, Any]) -> None: ...

    def answered(self, name: str) -> Mapping[str, Any] | None:
        return ANSWER if len(self.asked) >= self.asks else None


class Messenger:
    def __init__(self, store: Store) -> None:
        self.store = store

    def ask(self, project: str, flow: str, question: str) -> None:
        self.store.asked.append(question)


def asked(store: Store) -> tuple[Any, str]:
    clock = count(0.0, 4.0).__next__
    found = remote.ask_data(
        cast(RedisStore, store), Messenger(store), {"name": "p"}, {"name": "f"}, clock
    )
    return found[0].extent, found[1]


def test_a_question_is_asked_again_under_its_name_until_it_is_answered() -> None:
    store = Store(asks=3)
    assert asked(store) == ((0.0, 60.0), "f")
    assert len(store.asked) == 3
    assert len(set(store.asked)) == 1


def test_whoever_is_never_answered_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "_EVERY", 0.0)
    store = Store(asks=10_000)
    with pytest.raises(DataUnavailableError, match="No worker has answered"):
        asked(store)
    assert len(store.asked) == pytest.approx(300 / 12, abs=2), "every third look, as the clock goes"
