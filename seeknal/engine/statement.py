"""What DuckDB's own parser says of a statement: is it one SELECT, and what is its logic."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from seeknal.engine import literals, scratch
from seeknal.engine.failures import failure
from seeknal.engine.lexer import tokens
from seeknal.errors import PermanentQueryError

# They act on the process, or run SQL that is hidden in a string.
FORBIDDEN = frozenset({
    "checkpoint", "force_checkpoint", "enable_logging", "disable_logging", "enable_profiling",
    "disable_profiling", "truncate_duckdb_logs", "write_log", "query", "python_map_function",
    "json_execute_serialized_sql",
})  # fmt: skip
_WHERE_IT_STOOD = {"query_location"}
_VALUES = {"value", "alias"}
_KINDS = {"LOAD": "INSTALL or LOAD", "UPDATE_EXTENSIONS": "UPDATE EXTENSIONS"}


def require_select(sql: str) -> dict[str, Any]:
    """Return DuckDB's syntax tree of ``sql``.

    Raises:
        PermanentQueryError: it does not parse, is not exactly one SELECT, or calls a function
            that acts on more than the query.
    """
    try:
        statements = scratch.connection().extract_statements(sql)
    except duckdb.Error as error:
        raise failure(error) from None
    if len(statements) != 1:
        found = "no statement" if not statements else f"{len(statements)} statements"
        raise PermanentQueryError(f"The SQL holds {found}; a task is exactly one SELECT.")
    if statements[0].type != duckdb.StatementType.SELECT:
        kind = _KINDS.get(statements[0].type.name, statements[0].type.name)
        raise PermanentQueryError(
            f"The SQL is no SELECT but {kind}; a task is one SELECT, and Seeknal writes its result."
        )
    return _tree(sql)


def normal(tree: Any) -> Any:
    """Return a syntax tree without where in the text things stood."""
    return _without(tree, _WHERE_IT_STOOD)


def shape(tree: Any) -> Any:
    """Return a syntax tree without positions, constants and names given to columns."""
    return _without(tree, _WHERE_IT_STOOD | _VALUES)


def nodes(tree: Any) -> Iterator[dict[str, Any]]:
    """Yield every node of a syntax tree."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            yield node
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)


def _tree(sql: str) -> dict[str, Any]:
    answer = json.loads(scratch.rows(f"SELECT json_serialize_sql({literals.text(sql)})")[0][0])
    if answer["error"]:
        first = next((t.text for t in tokens(sql) if not t.is_blank), "nothing")
        raise PermanentQueryError(
            f"The SQL is not a plain SELECT (it begins with {first}); write it as one SELECT."
        )
    tree: dict[str, Any] = answer["statements"][0]
    called = sorted(FORBIDDEN.intersection(_functions(tree)))
    if called:
        raise PermanentQueryError(f"The SQL calls {called[0]}, which a flow may not; remove it.")
    return tree


def _functions(tree: Any) -> Iterator[str]:
    for node in nodes(tree):
        name = node.get("function_name")
        if isinstance(name, str):
            yield name.lower()


def _without(tree: Any, keys: set[str]) -> Any:
    if isinstance(tree, dict):
        return {key: _without(value, keys) for key, value in tree.items() if key not in keys}
    if isinstance(tree, list):
        return [_without(item, keys) for item in tree]
    return tree
