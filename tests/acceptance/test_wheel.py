"""The wheel, installed away from the checkout: everything it needs is in it."""

from __future__ import annotations

import os
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.test_tutorial import (
    part_2_the_first_run_takes_all_there_is,
    part_3_later_runs_take_what_is_new,
    part_4_a_day_that_failed_is_backfilled,
    part_5_what_was_done_is_done_again,
)
from tests.projects import Sandbox

CHECKOUT = Path(__file__).resolve().parents[2]


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


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    quiet(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_the_packages_their_scripts_and_their_types(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    wanted = {
        path.relative_to(CHECKOUT).as_posix()
        for package in ("seeknal", "worker")
        for path in (CHECKOUT / package).rglob("*")
        if path.is_file() and path.suffix in (".py", ".lua", ".typed")
    }
    assert any(name.endswith(".lua") for name in wanted)
    assert "seeknal/py.typed" in wanted
    others = {name for name in packed - wanted if ".dist-info/" not in name}
    assert (wanted - packed, others) == (set(), set())


def test_the_installed_wheel_runs_the_tutorial(wheel: Path, tmp_path: Path) -> None:
    python = install(wheel, tmp_path / "clean")
    sandbox = Sandbox(tmp_path / "project", python)
    where = sandbox.python("import seeknal, worker; print(seeknal.__file__, worker.__file__)")
    for file in where.out.split():
        assert Path(file).is_relative_to(tmp_path / "clean")
    assert sandbox.seeknal("--version").out.startswith("seeknal ")
    part_2_the_first_run_takes_all_there_is(sandbox)
    part_3_later_runs_take_what_is_new(sandbox)
    part_4_a_day_that_failed_is_backfilled(sandbox)
    part_5_what_was_done_is_done_again(sandbox)


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
