"""Reads what a published Parquet file says of itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import duckdb

from seeknal.engine import literals, scratch
from seeknal.errors import OutputError

_AT_ONCE = 500
_SAID = "SELECT file_name, decode(key), decode(value) FROM parquet_kv_metadata({})"
_ROWS = "SELECT file_name, num_rows FROM parquet_file_metadata({})"


@dataclass(frozen=True, slots=True)
class Published:
    """A published file: what it says of itself, its rows and bytes, and when it was written.

    ``at`` is in UTC seconds, by the clock of the file system.
    """

    path: Path
    said: dict[str, str]
    rows: int
    bytes: int
    at: float


def read(path: Path) -> dict[str, str]:
    """Return a Parquet file's key-value metadata.

    Raises:
        FileNotFoundError: there is no such file.
        OutputError: the file cannot be read, or is not Parquet.
    """
    try:
        found = scratch.rows(_SAID.format(_files([path])))
    except duckdb.Error as error:
        path.stat()  # tells a missing file
        reason = str(error).split("\n", 1)[0].rstrip(".")
        raise OutputError(
            f"The output {path} cannot be read ({reason}); remove it and run its unit again."
        ) from None
    return {key: value for _, key, value in found}


def read_many(paths: Iterable[Path]) -> Iterator[tuple[Path, dict[str, str] | OutputError]]:
    """Yield each file with its key-value metadata, or with the error of one that has none.

    A file that is gone meanwhile is left out.
    """
    left = iter(paths)
    while some := list(islice(left, _AT_ONCE)):
        try:
            yield from _read_some(some)
        except duckdb.Error:
            yield from _read_one_by_one(some)


def describe(paths: Iterable[Path]) -> Iterator[Published]:
    """Yield what there is to say of each file; those that are gone or broken are left out."""
    found = ((path, said) for path, said in read_many(paths) if not isinstance(said, OutputError))
    while some := dict(islice(found, _AT_ONCE)):
        rows = dict(scratch.rows(_ROWS.format(_files(some))))
        for path, said in some.items():
            with suppress(FileNotFoundError):
                status = path.stat()
                count = int(rows.get(str(path), 0))
                yield Published(path, said, count, status.st_size, status.st_mtime)


def _files(paths: Iterable[Path]) -> str:
    return literals.texts(tuple(str(path) for path in paths))


def _read_some(paths: Sequence[Path]) -> list[tuple[Path, dict[str, str] | OutputError]]:
    found: dict[str, dict[str, str]] = {}
    for name, key, value in scratch.rows(_SAID.format(_files(paths))):
        found.setdefault(name, {})[key] = value
    return [(path, found.get(str(path), {})) for path in paths]


def _read_one_by_one(
    paths: Sequence[Path],
) -> Iterator[tuple[Path, dict[str, str] | OutputError]]:
    for path in paths:
        try:
            yield path, read(path)
        except OutputError as error:
            yield path, error
        except FileNotFoundError:
            continue
