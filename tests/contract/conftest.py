from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seeknal.stores.base import Store
from tests.contract.harness import HARNESSES, Clock, Harness
from tests.contract.redis_harness import FakeHarness, ServerHarness

HARNESSES |= {"fakeredis": FakeHarness, "redis": ServerHarness}


@pytest.fixture(params=sorted(HARNESSES))
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    made = HARNESSES[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture
def store(harness: Harness) -> Store:
    return harness.open()


@pytest.fixture
def clock(harness: Harness) -> Clock:
    assert harness.clock is not None, "this store's clock cannot be set; see STILL"
    return harness.clock
