"""Where things are in a project's folder, for those who need no more of a project than that."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

PROJECT_FILE: Final = "seeknal_project.yml"
FLOWS: Final = "flows"
TARGET: Final = "target"
STATE_FILE: Final = "state.db"


def nearest(start: Path) -> Path | None:
    """Return the folder with a project's file: ``start``, or the nearest one above it."""
    return next(
        (folder for folder in (start, *start.parents) if (folder / PROJECT_FILE).is_file()), None
    )


def flow_files(folder: Path) -> Iterator[Path]:
    """Yield the flow files of a project's folder of flows; hidden ones and backups are none.

    Raises:
        OSError: the folder cannot be read.
    """
    for path in folder.iterdir():
        if path.suffix in (".yml", ".yaml") and not path.name.startswith("."):
            yield path
