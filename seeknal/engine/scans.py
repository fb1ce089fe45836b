"""What a unit's SQL reads: the scans of DuckDB's own plan for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seeknal.engine.session import Session


@dataclass(frozen=True, slots=True)
class Scan:
    """One read of a table or of files.

    ``filters`` is what DuckDB tests while it reads, by which it leaves out row groups and files;
    '' when it reads everything. ``rows`` is how many it expects to come of it, if it says.
    """

    what: str
    filters: str
    columns: tuple[str, ...]
    rows: int | None


def scans(session: Session, sql: str) -> list[Scan]:
    """Return the scans of a SELECT, without running it.

    Raises:
        SeeknalError: as :class:`Session` says.
    """
    plan = json.loads(session.fetch(f"EXPLAIN (FORMAT JSON) {sql}")[0][1])
    return [_scan(leaf) for node in plan for leaf in _leaves(node) if _reads(leaf)]


def _leaves(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    children = node.get("children") or []
    if not children:
        yield node
    for child in children:
        yield from _leaves(child)


def _reads(leaf: dict[str, Any]) -> bool:
    """Say whether a leaf reads data; others make a row of constants, or read a step again."""
    info = leaf.get("extra_info") or {}
    return "Table" in info or "Function" in info


def _scan(leaf: dict[str, Any]) -> Scan:
    info = leaf["extra_info"]
    rows = str(info.get("Estimated Cardinality", ""))
    return Scan(
        what=str(info.get("Table") or info["Function"]).lower(),
        filters=" AND ".join(_texts(info.get("Filters"))),
        columns=tuple(_texts(info.get("Projections"))),
        rows=int(rows) if rows.isdecimal() else None,
    )


def _texts(found: Any) -> list[str]:
    """Return one text or several, as DuckDB writes them."""
    listed = found if isinstance(found, list) else [found]
    return [str(text) for text in listed if text]
