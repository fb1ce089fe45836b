"""What a flow asks of the engine: an input as this machine sees it, and the SQL over it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seeknal.errors import ConfigError

READERS = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}
_GLOB = re.compile(r"[*?\[{]")


@dataclass(frozen=True, slots=True)
class Source:
    """A flow's input, resolved on this machine.

    ``kind`` is ``database``, ``parquet``, ``csv`` or ``json``. ``paths`` are absolute; those of
    files may hold globs, a database has exactly one. ``name`` is what SQL may call the input.
    ``options`` are the reader's (``{"union_by_name": True}``); a database has none.
    """

    kind: str
    paths: tuple[str, ...]
    name: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_database(self) -> bool:
        """Whether the input is a DuckDB file, whose tables resolve unqualified."""
        return self.kind == "database"

    @property
    def key(self) -> tuple[object, ...]:
        """What tells inputs apart; equal for inputs that one DuckDB instance can serve."""
        return (self.kind, self.paths, self.name if self.is_database else None)

    def directories(self) -> tuple[str, ...]:
        """Return the directories that the paths, globs included, may reach."""
        return tuple(dict.fromkeys(_directory(path) for path in self.paths))

    def validate(self) -> Source:
        """Return the source itself.

        Raises:
            ConfigError: the kind is unknown, or the number of paths does not fit it.
        """
        if not self.is_database and self.kind not in READERS:
            known = ", ".join(["database", *READERS])
            raise ConfigError(f"Input kind {self.kind!r} is unknown; use one of {known}.")
        if not self.paths or (self.is_database and len(self.paths) > 1):
            wanted = "exactly one path" if self.is_database else "at least one path"
            raise ConfigError(f"An input of kind {self.kind!r} needs {wanted}.")
        return self


@dataclass(frozen=True, slots=True)
class Query:
    """A flow's SQL over its input: each step is one SELECT and sees the one before as ``__THIS__``.

    ``time_column`` and ``partition_column`` are what the flow declares, if it does; the time
    column may be written ``table.column``. The partition column is the one whose values are units.
    """

    source: Source
    steps: tuple[str, ...]
    time_column: str | None = None
    partition_column: str | None = None


def _directory(path: str) -> str:
    """Return the longest leading directory of ``path`` that holds no glob."""
    kept = []
    for part in Path(path).parts[:-1]:
        if _GLOB.search(part):
            break
        kept.append(part)
    return str(Path(*kept)) if kept else path
