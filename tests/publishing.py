"""A staged file, published as a unit's result."""

from __future__ import annotations

from pathlib import Path

from seeknal.outputs.parquet import ParquetOutput
from seeknal.workflow.units import Unit


def publish_staged(output: ParquetOutput, staged: Path, unit: Unit, token: int) -> Path:
    """Take each step of publishing, and return where the result is."""
    output.make_durable(staged, unit)
    output.replace(staged, unit, token)
    output.sync(output.path(unit).parent)
    return output.path(unit)
