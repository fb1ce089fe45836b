"""Turns lines of JSON into a Parquet file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import duckdb

from seeknal.engine import literals, scratch
from seeknal.engine.failures import failure

_COPY: Final = """
COPY (SELECT * FROM read_json({lines}, columns = {{{columns}}}, format = 'newline_delimited'))
TO {target} (FORMAT parquet)
"""


def to_parquet(lines: Path, target: Path, columns: Mapping[str, str]) -> None:
    """Write the JSON objects of a file, one a line, to a Parquet file.

    ``columns`` are their fields, by name, with DuckDB's type for each.

    Raises:
        SeeknalError: the file cannot be written, or a line does not fit.
    """
    typed = ", ".join(f"{literals.text(n)}: {literals.text(t)}" for n, t in columns.items())
    try:
        files = {"lines": literals.text(str(lines)), "target": literals.text(str(target))}
        scratch.rows(_COPY.format(columns=typed, **files))
    except duckdb.Error as error:
        raise failure(error, target=str(target)) from None
