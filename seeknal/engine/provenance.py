"""Reads what a published Parquet file says of itself."""

from __future__ import annotations

from pathlib import Path

import duckdb

from seeknal.engine import scratch
from seeknal.errors import OutputError


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
