from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.arena import Arena


@pytest.fixture
def seed() -> int:
    """What chance is made of; SEED repeats one that was printed."""
    found = int(os.environ.get("SEED") or random.randrange(10**6))
    print(f"seed {found}: repeat with SEED={found}")
    return found


@pytest.fixture
def make_arena(tmp_path: Path) -> Iterator[Callable[..., Arena]]:
    """Make an arena; at the end all of its processes go."""
    made: list[Arena] = []

    def make(**fleet: Any) -> Arena:
        made.append(Arena(tmp_path / f"arena{len(made)}", **fleet))
        return made[-1]

    yield make
    for arena in made:
        arena.close()
