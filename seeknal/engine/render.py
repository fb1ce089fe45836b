"""Turns a flow's steps and one unit into one SELECT.

A placeholder is ``__START__``, ``__END__`` or ``__PARTITION__``, in capitals:

=====================================  =====================================================
written as                             becomes
=====================================  =====================================================
``__START__`` or ``'__START__'``       ``TIMESTAMP '2024-01-03 05:00:00'``: compares right with
                                       TIMESTAMP, TIMESTAMPTZ and DATE columns
``__PARTITION__``, ``'__PARTITION__'`` ``'EU'``: a string with the value's exact text
``DATE '__START__'`` and the like      ``DATE '2024-01-03 05:00:00'``: the type stays the SQL's
part of a longer string                the text, escaped for that kind of string
``"__START__"``, ``table.__START__``   itself: these are names
in a comment                           nothing: comments are dropped
=====================================  =====================================================

The session's time zone is UTC, so a TIMESTAMP literal is the same instant for every column type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from seeknal.engine import literals
from seeknal.engine.lexer import Token, tokens
from seeknal.engine.source import READERS, Query, Source
from seeknal.engine.statement import require_select, shape
from seeknal.errors import PermanentQueryError, UsageError
from seeknal.workflow.units import Unit

START, END, PARTITION = PLACEHOLDERS = ("__START__", "__END__", "__PARTITION__")
THIS = '"__THIS__"'
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PLACEHOLDER = re.compile("|".join(PLACEHOLDERS))
_TYPES = {
    "date", "datetime", "time", "timestamp", "timestamptz", "timestamp_s", "timestamp_ms",
    "timestamp_ns", "timestamp_us", "zone", "interval",
}  # fmt: skip
_PREFIXES = {"n", "x", "b"}
# The second would end every kind of literal and open every kind of comment.
_SAMPLES = ("a", "'\"; $$ $_$ \\' -- /* */ ) \n")
_BLANK = Token("space", "")


@dataclass(frozen=True, slots=True)
class Slot:
    """A placeholder's place in a step: ``form`` is ``value``, ``text`` or ``escape``."""

    name: str
    form: str


@dataclass(frozen=True, slots=True)
class Template:
    """A step, cut at its placeholders."""

    parts: tuple[str | Slot, ...]

    @property
    def names(self) -> frozenset[str]:
        """The placeholders that the step uses."""
        return frozenset(part.name for part in self.parts if isinstance(part, Slot))

    def fill(self, values: Mapping[str, Value]) -> str:
        """Return the SQL with every placeholder replaced.

        Raises:
            UsageError: the step uses a placeholder that has no value.
        """
        return "".join(p if isinstance(p, str) else _fill(p, values) for p in self.parts)


@dataclass(frozen=True, slots=True)
class Value:
    """A placeholder's value: as an expression, and as plain text for the inside of strings."""

    expression: str
    text: str


@lru_cache(maxsize=512)
def template(step: str) -> Template:
    """Cut a step at its placeholders; a trailing semicolon is dropped."""
    pieces = _without_semicolon(list(tokens(step)))
    parts: list[str | Slot] = []
    before = adjacent = _BLANK
    for token in pieces:
        parts.extend(_parts(token, before, adjacent))
        adjacent = token
        if not token.is_blank:
            before = token
    return Template(tuple(_joined(parts)))


def placeholders(query: Query) -> frozenset[str]:
    """Return the placeholders that a query's steps use."""
    return frozenset().union(*(template(step).names for step in query.steps))


def render(query: Query, unit: Unit, partition: str | None = None) -> str:
    """Return the one SELECT that computes ``unit``.

    ``partition`` is the text for ``__PARTITION__`` of an interval (``2024-01-03``); a value
    partition brings its own.

    Raises:
        UsageError: the SQL uses a placeholder that the unit has no value for.
    """
    if unit.value is not None:
        return compose(query, {PARTITION: value_of(unit.value)})
    return compose(query, values_of(unit.start, unit.end, partition))


def value_of(partition: str) -> Value:
    """Return a partition's text as a placeholder's value."""
    return Value(literals.text(partition), partition)


def values_of(start: int, end: int, partition: str | None = None) -> dict[str, Value]:
    """Return the values for the interval ``[start, end)`` in UTC seconds."""
    values = {START: _moment(start), END: _moment(end)}
    if partition is not None:
        values[PARTITION] = value_of(partition)
    return values


def compose(
    query: Query,
    values: Mapping[str, Value],
    *,
    steps: int | None = None,
    reads: str | None = None,
) -> str:
    """Nest the first ``steps`` steps (all by default) into one SELECT.

    ``reads`` stands in for the SELECT that reads a file input.

    Raises:
        PermanentQueryError: a step is not one SELECT.
        UsageError: a step uses a placeholder that has no value.
    """
    source = query.source.validate()
    filled = [_checked(step).fill(values) for step in query.steps[:steps]]
    reads = None if source.is_database else reads or relation(source)
    previous = reads
    for step in filled:
        previous = step if previous is None else _over(previous, step)
    if previous is None:
        raise UsageError("The flow has no SQL; add a task with add_sql.")
    if reads is None or source.name is None:
        return previous
    # The name stands outermost, so that every step sees it.
    return f"WITH {literals.name(source.name)} AS NOT MATERIALIZED ({reads}) " + (
        f"SELECT * FROM ({previous}\n)"
    )


def relation(source: Source) -> str:
    """Return the SELECT that reads a file input."""
    reader = READERS[source.kind]
    arguments = literals.texts(source.paths) + literals.options(source.options)
    return f"SELECT * FROM {reader}({arguments})"


@lru_cache(maxsize=512)
def _checked(step: str) -> Template:
    """Return a step's template once it is known that no value can change what the SQL is."""
    cut = template(step)
    samples = values_of(0, 86400)
    plain, hostile = (
        require_select(cut.fill({**samples, PARTITION: value_of(value)})) for value in _SAMPLES
    )
    if shape(plain) != shape(hostile):
        raise PermanentQueryError(
            "A placeholder stands where its value could be read as SQL; "
            "write it bare, or alone between single quotes."
        )
    return cut


def _over(previous: str, step: str) -> str:
    # DuckDB computes a CTE as a whole by default, which would read all of the input.
    # The newlines end a comment in the last line of either.
    return f"WITH {THIS} AS NOT MATERIALIZED ({previous}\n) SELECT * FROM ({step}\n)"


def _moment(seconds: int) -> Value:
    text = literals.moment(seconds)
    return Value(f"TIMESTAMP '{text}'", text)


def _fill(slot: Slot, values: Mapping[str, Value]) -> str:
    value = values.get(slot.name)
    if value is None:
        raise UsageError(
            f"The SQL uses {slot.name}, which this flow's units have no value for; "
            f"remove it, or give the flow a schedule or a partition that provides it."
        )
    if slot.form == "value":
        return value.expression
    return literals.inside(value.text, escapes=slot.form == "escape")


def _parts(token: Token, before: Token, adjacent: Token) -> list[str | Slot]:
    """Return a token's pieces, given the tokens that precede it with and without blanks."""
    text = token.text
    # Before it parses, DuckDB replaces Unicode spaces outside of quotes, and takes the quotes in
    # comments and in \' for such: it would replace those in the literals that follow.
    if token.kind in ("comment", "block"):
        return [" " + "\n" * text.count("\n")]
    if token.kind == "escape":
        text = _ESCAPED.sub(lambda m: "''" if m[1] == "'" else m[0], text)
    if not _PLACEHOLDER.search(text):
        return [text]
    match token.kind:
        case "word" if text in PLACEHOLDERS and before.text != ".":
            return [Slot(text, "value")]
        case "string":
            typed = before.text.lower() in _TYPES or adjacent.text.lower() in _PREFIXES
            if text[1:-1] not in PLACEHOLDERS or typed:
                return _split(text, "text")
            # A quote ends a word, as in SELECT'...'; the literal's type would prolong it.
            return [" " if adjacent.kind == "word" else "", Slot(text[1:-1], "value")]
        case "escape":
            return _split(text, "escape")
        case "dollar":
            # It has no escapes, so that a value could end it: write it as a plain string.
            tag = text.index("$", 1) + 1
            plain = "'" + text[tag:-tag].replace("'", "''") + "'"
            return _parts(Token("string", plain), before, _BLANK)
    return [text]


def _split(text: str, form: str) -> list[str | Slot]:
    parts: list[str | Slot] = []
    at = 0
    for match in _PLACEHOLDER.finditer(text):
        parts += [text[at : match.start()], Slot(match[0], form)]
        at = match.end()
    return [*parts, text[at:]]


def _joined(parts: list[str | Slot]) -> list[str | Slot]:
    """Return what lies between two slots in one piece: a step is filled for every unit."""
    found: list[str | Slot] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        else:
            found.append(part)
    return found


def _without_semicolon(pieces: list[Token]) -> list[Token]:
    for at in range(len(pieces) - 1, -1, -1):
        if not pieces[at].is_blank:
            return pieces[:at] + pieces[at + 1 :] if pieces[at].text == ";" else pieces
    return pieces
