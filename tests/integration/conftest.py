from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seeknal.stores.redis import RedisStore
from seeknal.workflow.state import FlowState
from tests.contract.redis_harness import shared_server
from tests.projects import Sandbox


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


@pytest.fixture
def shop(tmp_path: Path) -> Sandbox:
    """Ten days of events, processed, of which two are restated."""
    shop = Sandbox(tmp_path / "shop").declare().events("2024-01-01", 240, "1 hour")
    shop.seeknal("run", "--backfill")
    shop.seeknal("intervals", "restate", "--start", "2024-01-02", "--end", "2024-01-04",
                 "--reason", "late data")  # fmt: skip
    return shop


def state_of(shop: Sandbox) -> FlowState:
    with shop.store() as store:
        return store.state("events_flow")
