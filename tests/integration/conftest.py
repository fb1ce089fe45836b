from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator

import pytest

from seeknal.stores.redis import RedisStore
from tests.contract.redis_harness import shared_server


@pytest.fixture
def project() -> str:
    """A name that no other test's keys have."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def open_store(project: str) -> Iterator[Callable[..., RedisStore]]:
    """Open stores on the project, by default on the server that tests share."""
    opened: list[RedisStore] = []

    def open_store(url: str = "", lease: float = 30.0) -> RedisStore:
        opened.append(RedisStore(url or shared_server().url, project, lease=lease))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


@pytest.fixture
def redis_store(open_store: Callable[..., RedisStore]) -> RedisStore:
    return open_store()
