"""Values written as DuckDB SQL, so that no value can end its own literal."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from seeknal.errors import UsageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def text(value: str) -> str:
    """Write a string as an expression whose value is that string.

    Raises:
        UsageError: ``value`` is not valid Unicode.
    """
    _valid(value)
    # DuckDB's parser ends at a NUL, wherever it stands.
    pieces = ["'" + piece.replace("'", "''") + "'" for piece in value.split("\0")]
    return pieces[0] if len(pieces) == 1 else "(" + " || chr(0) || ".join(pieces) + ")"


def inside(value: str, *, escapes: bool) -> str:
    """Write a string for the inside of ``'...'``, or of ``e'...'`` where backslashes count.

    Raises:
        UsageError: ``value`` holds a NUL or is not valid Unicode.
    """
    _valid(value)
    if "\0" in value:
        raise UsageError(f"{value!r} holds a NUL; compare with a placeholder of its own.")
    if escapes:
        value = value.replace("\\", "\\\\")
    return value.replace("'", "''")


def name(value: str) -> str:
    """Write a quoted identifier."""
    _valid(value)
    if "\0" in value:
        raise UsageError(f"The name {value!r} holds a NUL; rename it.")
    return '"' + value.replace('"', '""') + '"'


def moment(seconds: int) -> str:
    """Write UTC seconds as ``2024-01-03 05:00:00``."""
    return (_EPOCH + timedelta(seconds=seconds)).isoformat(" ")[:19]


def texts(values: tuple[str, ...]) -> str:
    """Write a list of strings."""
    return "[" + ", ".join(text(value) for value in values) + "]"


def options(values: Mapping[str, Any]) -> str:
    """Write a reader's options as named arguments, each with a leading comma.

    Raises:
        UsageError: a name is no identifier, or a value is not JSON-like.
    """
    return "".join(f", {_identifier(key)} = {_value(values[key])}" for key in sorted(values))


def _identifier(key: str) -> str:
    if not _NAME.match(key):
        raise UsageError(f"{key!r} is not the name of an option; use letters, digits and _.")
    return key


def _value(value: Any) -> str:
    match value:
        case bool() | int() | float():
            return json.dumps(value, allow_nan=False)
        case str():
            return text(value)
        case list() | tuple():
            return "[" + ", ".join(_value(item) for item in value) + "]"
        case Mapping():
            return "{" + ", ".join(f"{text(k)}: {_value(v)}" for k, v in value.items()) + "}"
        case _:
            raise UsageError(f"{value!r} cannot be an option's value; use text, numbers or lists.")


def _valid(value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{value!r} is not valid Unicode text; correct it.") from None
