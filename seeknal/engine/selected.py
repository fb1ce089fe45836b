"""Tells whether two syntax trees differ in nothing but the columns that their SELECTs list."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from seeknal.engine import literals, scratch
from seeknal.engine.statement import nodes, normal, require_select

Tree = dict[str, Any]


@dataclass(slots=True)
class Columns:
    """The columns by which two trees differ; ``renamed`` holds pairs of old and new names."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    renamed: list[tuple[str, str]] = field(default_factory=list)
    moved: bool = False


def columns(old: list[Tree], new: list[Tree]) -> Columns | None:
    """Return the columns by which the trees of two versions' steps differ.

    None if something else differs, or if a column that came or went says which rows there are:
    in a DISTINCT, a GROUP BY ALL, a UNION, or as an unnest.
    """
    found = Columns()
    return found if _alike(old, new, found) else None


def _alike(old: Any, new: Any, found: Columns) -> bool:
    if old == new:
        return True
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return all(_alike(a, b, found) for a, b in zip(old, new, strict=True))
    if not isinstance(old, dict) or not isinstance(new, dict) or old.keys() != new.keys():
        return False
    if old.get("type") == "SET_OPERATION_NODE":
        return False
    return all(
        _lists(old, new, found) if key == "select_list" else _alike(old[key], new[key], found)
        for key in old
    )


def _lists(old: Tree, new: Tree, found: Columns) -> bool:
    if old["select_list"] == new["select_list"]:
        return True
    before, now = _items(old), _items(new)
    if before is None or now is None or _rows_depend(old) or _rows_depend(new):
        return False
    if any(before[key] != now[key] for key in before if key in now):
        return False
    gone = {key: before[key] for key in before if key not in now}
    came = {key: now[key] for key in now if key not in before}
    if any(_makes_rows(item) for item in [*gone.values(), *came.values()]):
        return False
    renamed: dict[str, str] = {}
    for key, item in gone.items():
        twin = next((k for k, v in came.items() if _value(v) == _value(item)), None)
        if twin is not None and twin not in renamed.values():
            renamed[key] = twin
    order = [renamed.get(key, key) for key in before if key in now or key in renamed]
    kept = [key for key in now if key in order]
    if list(now)[: len(before)] != list(before) and _by_position(new):
        return False
    found.added += [_name(came[key]) for key in came if key not in renamed.values()]
    found.removed += [_name(gone[key]) for key in gone if key not in renamed]
    found.renamed += [(_name(gone[a]), _name(came[b])) for a, b in renamed.items()]
    found.moved |= order != kept
    return True


def _items(select: Tree) -> dict[str, Tree] | None:
    """Return a SELECT's columns by name, or by all they are; None if two have one name."""
    listed: list[Tree] = select["select_list"]
    found = {_bare_name(item) or json.dumps(item): item for item in listed}
    return found if len(found) == len(listed) else None


def _bare_name(item: Tree) -> str:
    name: str = item.get("alias") or (item.get("column_names") or [""])[-1]
    return name


def _name(item: Tree) -> str:
    """Return a column's name in the result; DuckDB makes one of an expression that has none."""
    return _bare_name(item) or _text(item)


def _value(item: Tree) -> Tree:
    return {**item, "alias": ""}


def _text(item: Tree) -> str:
    select = {**normal(require_select("SELECT 1"))["node"], "select_list": [item]}
    text = json.dumps({"error": False, "statements": [{"node": select, "named_param_map": []}]})
    sql: str = scratch.rows(f"SELECT json_deserialize_sql({literals.text(text)}::JSON)")[0][0]
    return sql.removeprefix("SELECT ")


def _rows_depend(select: Tree) -> bool:
    """Return whether the columns of a SELECT say which rows there are."""
    kinds = {modifier["type"] for modifier in select["modifiers"]}
    return "DISTINCT_MODIFIER" in kinds or select["aggregate_handling"] != "STANDARD_HANDLING"


def _makes_rows(item: Tree) -> bool:
    return item["class"] == "STAR" or any(
        str(node.get("function_name")).lower() == "unnest" for node in nodes(item)
    )


def _by_position(select: Tree) -> bool:
    """Return whether a SELECT groups or orders by the place of a column: ORDER BY 2."""
    places = list(select["group_expressions"])
    for modifier in select["modifiers"]:
        places += [order["expression"] for order in modifier.get("orders", ())]
    return any(place.get("class") == "CONSTANT" for place in places)
