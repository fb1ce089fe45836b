"""The wheel: all that belongs into it is there, and nothing else."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tests.acceptance.conftest import CHECKOUT


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
