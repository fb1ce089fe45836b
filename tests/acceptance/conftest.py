from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
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

CHECKOUT = Path(__file__).resolve().parents[2]
WINDOW = "WHERE event_time >= '__START__' AND event_time < '__END__'"
# One day of six takes for ever, as long as the table ``work`` gives it something to do.
_SLOW = (
    "SELECT *, (SELECT count(*) FROM work w, range(w.n) a(i), range(w.n) b(j) "
    f"WHERE w.day = '__START__' AND (i * j) % 7 = 3) AS n FROM events {WINDOW}"
)
# DuckDB looks for an interrupt between chunks of rows, and this is one row.
_DEAF = (
    "SELECT *, (SELECT max(levenshtein(repeat('a', w.n), repeat('b', w.n))) FROM work w "
    f"WHERE w.day = '__START__') AS n FROM events {WINDOW}"
)


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """An empty folder for a project."""
    return Sandbox(tmp_path / "project")


@pytest.fixture
def slow(sandbox: Sandbox) -> Sandbox:
    """Six days, of which the fourth takes for ever."""
    return _make(sandbox, _SLOW, 1_000_000)


@pytest.fixture
def deaf(sandbox: Sandbox) -> Sandbox:
    """Six days, of which the fourth takes minutes, and ignores interrupts."""
    return _make(sandbox, _DEAF, 150_000)


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


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    quiet(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture
def newcomer(wheel: Path, tmp_path: Path) -> Sandbox:
    """An empty folder for a project, away from the checkout, with the wheel installed."""
    sandbox = Sandbox(tmp_path / "project", install(wheel, tmp_path / "clean"))
    where = sandbox.python("import seeknal, worker; print(seeknal.__file__, worker.__file__)")
    for file in where.out.split():
        assert Path(file).is_relative_to(tmp_path / "clean")
    return sandbox


def install(wheel: Path, folder: Path) -> Path:
    """Install the wheel into an environment of its own; return its interpreter.

    What it depends on comes from this environment, by a path at the end: what is installed
    here in editable form is not on it.
    """
    venv.create(folder, with_pip=True, symlinks=True)
    python = folder / "bin" / "python"
    quiet(python, "-m", "pip", "install", "--no-deps", "--no-index", "--quiet", wheel)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text("\n".join(site.getsitepackages()) + "\n")
    return python


def quiet(*command: str | Path) -> None:
    """Run a tool; what it prints is of interest only when it fails."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _make(sandbox: Sandbox, sql: str, n: int) -> Sandbox:
    sandbox.declare(sql=sql).events("2024-01-01", 6 * 4, "6 hours")
    with sandbox.data() as connection:
        connection.execute(f"CREATE TABLE work AS SELECT DATE '2024-01-04' AS day, {n} AS n")
    return sandbox
