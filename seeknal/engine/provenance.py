"""Reads what a published Parquet file says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import duckdb

from seeknal.engine import scratch
from seeknal.errors import OutputError

_AT_ONCE = 500


def read(path: Path) -> dict[str, str]:
    """Return a Parquet file's key-value metadata.

    Raises:
        FileNotFoundError: there is no such file.
        OutputError: the file cannot be read, or is not Parquet.
    """
    try:
        found = scratch.rows(
            "SELECT decode(key), decode(value) FROM parquet_kv_metadata([?::VARCHAR])", [str(path)]
        )
    except duckdb.Error as error:
        path.stat()  # tells a missing file
        reason = str(error).split("\n", 1)[0].rstrip(".")
        raise OutputError(
            f"The output {path} cannot be read ({reason}); remove it and run its unit again."
        ) from None
    return dict(found)


def read_many(paths: Sequence[Path]) -> Iterator[tuple[Path, dict[str, str] | OutputError]]:
    """Yield each file with its key-value metadata, or with the error of one that has none.

    A file that is gone meanwhile is left out.
    """
    left = iter(paths)
    while some := list(islice(left, _AT_ONCE)):
        try:
            yield from _read_some(some)
        except duckdb.Error:
            yield from _read_one_by_one(some)


def _read_some(paths: Sequence[Path]) -> list[tuple[Path, dict[str, str] | OutputError]]:
    found: dict[str, dict[str, str]] = {}
    for name, key, value in scratch.rows(
        "SELECT file_name, decode(key), decode(value) FROM parquet_kv_metadata(?::VARCHAR[])",
        [[str(path) for path in paths]],
    ):
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
