from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seeknal.engine.session import Engine
from tests.unit.session.databases import make


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return make(tmp_path / "raw_events.duckdb")
