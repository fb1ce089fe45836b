from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects import Sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """An empty folder for a project."""
    return Sandbox(tmp_path / "project")
