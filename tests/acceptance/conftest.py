from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from seeknal.flow import Flow, FlowInput
from seeknal.home import set_current_home
from seeknal.project import Project
from seeknal.tasks.duckdb import DuckDBTask
from tests.acceptance.mistakes.world import TABLE, World
from tests.projects import EVENTS_SQL, Sandbox


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """An empty folder for a project."""
    return Sandbox(tmp_path / "project")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which two of four days are done; copied for each row."""
    sandbox = Sandbox(tmp_path_factory.mktemp("bad") / "shop")
    with sandbox.data() as connection:
        connection.execute(TABLE)
    (sandbox.root / "seeknal_project.yml").write_text("name: shop\n")
    task = DuckDBTask().add_sql(EVENTS_SQL)
    by_region = DuckDBTask().add_sql("SELECT * FROM events WHERE region = '__PARTITION__'")
    source = FlowInput(kind="database", value="raw_events")
    try:
        Project("shop").get_or_create(sandbox.root)
        Flow("events_flow", source, task, schedule="@daily")
        Flow("by_region", source, by_region, partition={"column": "region"})
    finally:
        set_current_home(None)
    sandbox.seeknal("run", "--flow", "events_flow", "--end-date", "2024-01-03")
    return sandbox.root


@pytest.fixture
def world(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    root = tmp_path / "shop"
    shutil.copytree(template, root)
    for name in [name for name in os.environ if name.upper().startswith("SEEKNAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(root)
    try:
        with ExitStack() as stack:
            yield World(root, stack)
    finally:
        set_current_home(None)
