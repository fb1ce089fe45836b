"""What can be said of a flow's SQL before any of it runs."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from seeknal.engine import literals
from seeknal.engine.lexer import tokens
from seeknal.engine.render import (
    END,
    PARTITION,
    PLACEHOLDERS,
    START,
    Value,
    compose,
    placeholders,
    relation,
    template,
    value_of,
    values_of,
)
from seeknal.engine.source import Query
from seeknal.engine.statement import nodes, normal, require_select
from seeknal.errors import PermanentQueryError, UsageError

if TYPE_CHECKING:
    from seeknal.engine.columns import Column, Tracer
    from seeknal.engine.session import Session

_SAMPLE = (946_684_800, 946_771_200)  # 2000-01-01; any interval will do


def check(
    session: Session,
    *,
    by_value: bool = False,
    partition: str | None = None,
    reserved: Collection[str] = (),
) -> list[tuple[str, str]]:
    """Check a flow's SQL against its input, without running it, and return its result's columns.

    ``by_value`` is for flows whose units are a column's values. ``partition`` is a sample of the
    text for ``__PARTITION__``, for flows whose intervals have one. ``reserved`` are names that
    the output gives a meaning of its own.

    Raises:
        PermanentQueryError: a step is not one SELECT, lacks its placeholders, or does not bind.
        UsageError: a step uses a placeholder that the flow has no value for, or the result has
            a column with a reserved name.
        DataUnavailableError: the input cannot be read.
    """
    query = session.query
    values = _samples(by_value, partition)
    compose(query, values)
    _require_placeholders(query, by_value, partition is not None)
    columns: list[tuple[str, str]] = []
    for number in range(1, len(query.steps) + 1):
        columns = _bind(session, values, number)
    for name, _ in columns:
        if name.lower() in reserved:
            raise UsageError(
                f"The result has a column {name!r}, a name that the output's directories use; "
                "give it another name with AS."
            )
    return columns


def fingerprint(query: Query) -> str:
    """Return a hash of a query's logic.

    Two queries that DuckDB parses to the same tree have the same: layout, comments, the case
    of keywords and an optional AS do not count. Where the input lies does not count either.

    Raises:
        PermanentQueryError: a step is not one SELECT.
    """
    declared = [query.time_column, query.partition_column]
    text = json.dumps([logic(query.steps), declared], sort_keys=True, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()[:16]


def logic(steps: Sequence[str]) -> list[dict[str, Any]]:
    """Return DuckDB's syntax tree of each step, with placeholders as names.

    Raises:
        PermanentQueryError: a step is not one SELECT.
    """
    markers = {name: Value(name, name) for name in PLACEHOLDERS}
    return [normal(require_select(template(step).fill(markers))) for step in steps]


def advice(query: Query) -> list[str]:
    """Return what is probably not meant, a sentence each: boundaries that two intervals share."""
    found = []
    for number, tree in enumerate(logic(query.steps), 1):
        if any(_closes_at_end(node) for node in nodes(tree)):
            found.append(
                f"Task {number} includes rows at {END} itself, which the next interval has too; "
                f"compare with < {END} (BETWEEN includes both ends)."
            )
    return found


def time_column(session: Session) -> Column:
    """Return the input's column that says when a row happened.

    It is the one that the flow declares, or else the one its SQL compares with ``__START__``
    and ``__END__`` (with ``__PARTITION__``, if it uses neither).

    Raises:
        UsageError: no column, or more than one, can be meant; the flow must declare it.
    """
    query = session.query
    used = placeholders(query)
    marks = (START, END) if used & {START, END} else (PARTITION,)
    return _column(session, query.time_column, marks, "time_column")


def partition_column(session: Session) -> Column:
    """Return the input's column whose values are the flow's units.

    Raises:
        UsageError: no column, or more than one, can be meant; the flow must declare it.
    """
    return _column(session, session.query.partition_column, (PARTITION,), "partition_column")


def _column(session: Session, declared: str | None, marks: tuple[str, ...], setting: str) -> Column:
    from seeknal.engine.columns import Tracer  # sqlglot is slow to import

    tracer = Tracer(session.query, lambda table: _columns_of(session, table))
    compared = tracer.compared(marks)
    if declared is not None:
        return _declared(session, tracer, [column for column, _ in compared], declared, setting)
    most = max((len(used) for _, used in compared), default=0)
    best = [column for column, used in compared if len(used) == most]
    shown = " and ".join(marks)
    if not best:
        raise UsageError(
            f"The SQL does not show which column is compared with {shown}; "
            f"set {setting} to the column's name."
        )
    if len(best) > 1:
        names = ", ".join(str(column) for column in best)
        raise UsageError(
            f"The SQL compares several columns with {shown} ({names}); "
            f"set {setting} to the one that is meant."
        )
    return best[0]


def _declared(
    session: Session, tracer: Tracer, compared: list[Column], declared: str, setting: str
) -> Column:
    """Return the column of a declared name: a compared one, or else one of the tables read."""
    from seeknal.engine.columns import Column

    table, _, name = declared.rpartition(".")
    for column in compared:
        if column.name.lower() == name.lower() and _is_table(column.table, table):
            return column
    tables = tracer.tables()
    if not session.query.source.is_database:
        tables = [f"({relation(session.query.source)})"]
    elif table and not any(_is_table(known, table) for known in tables):
        tables.append(".".join(literals.name(part) for part in table.split(".")))
    having = [
        known
        for known in tables
        if (not table or _is_table(known, table) or not session.query.source.is_database)
        and name.lower() in {column.lower() for column in _columns_of(session, known)}
    ]
    if len(having) != 1:
        reason = (
            "no table of the input has it"
            if not having
            else ", ".join(having).replace('"', "") + " have it"
        )
        raise UsageError(
            f"{setting} is {declared!r}, but {reason}; "
            "set it to a column of the input, as table.column if need be."
        )
    quoted = literals.name(name)
    return Column(having[0], quoted, quoted)


def _is_table(sql: str, name: str) -> bool:
    return not name or sql.replace('"', "").lower().split(".")[-1] == name.lower().split(".")[-1]


def _columns_of(session: Session, table: str) -> list[str]:
    try:
        return [name for name, _ in session.describe(f"SELECT * FROM {table}")]
    except PermanentQueryError:
        return []


def _samples(by_value: bool, partition: str | None) -> dict[str, Value]:
    if by_value:
        return {PARTITION: Value("NULL", "0")}  # NULL binds to a column of any type
    values = values_of(*_SAMPLE)
    if partition is not None:
        values[PARTITION] = value_of(partition)
    return values


def _require_placeholders(query: Query, by_value: bool, has_partition: bool) -> None:
    used = placeholders(query)
    if by_value or (has_partition and PARTITION in used):
        missing = [] if PARTITION in used else [PARTITION]
        example = "WHERE region = '__PARTITION__'"
    else:
        missing = [name for name in (START, END) if name not in used]
        example = "WHERE event_time >= '__START__' AND event_time < '__END__'"
    if not missing:
        return
    shown = " and no ".join(missing)
    quoted = {t.text[1:-1] for step in query.steps for t in tokens(step) if t.kind == "quoted"}
    if quoted.intersection(missing):
        raise PermanentQueryError(
            f"The SQL has no {shown} but a name in double quotes; write '{missing[0]}' with "
            "single quotes."
        )
    raise PermanentQueryError(
        f"The SQL has no {shown}, so every unit would read everything; write it as in {example}."
    )


def _bind(session: Session, values: dict[str, Value], number: int) -> list[tuple[str, str]]:
    query = session.query
    sql = compose(query, values, steps=number)
    step = template(query.steps[number - 1]).fill(values)
    try:
        return session.describe(sql, sql.count("\n", 0, sql.rindex(step)))
    except PermanentQueryError as error:
        if len(query.steps) == 1:
            raise
        raise PermanentQueryError(f"Task {number} of {len(query.steps)}: {error}") from None


def _closes_at_end(node: dict[str, Any]) -> bool:
    if node.get("type") == "COMPARE_BETWEEN":
        return _is_end(node.get("upper"))
    if node.get("type") == "COMPARE_LESSTHANOREQUALTO":
        return _is_end(node.get("right"))
    return node.get("type") == "COMPARE_GREATERTHANOREQUALTO" and _is_end(node.get("left"))


def _is_end(node: Any) -> bool:
    return isinstance(node, dict) and node.get("column_names") == [END]
