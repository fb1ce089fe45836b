"""Finds which column of the input a flow's SQL compares with its placeholders, with sqlglot."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.scope import Scope, build_scope

from seeknal.engine.render import PLACEHOLDERS, Value, compose, relation
from seeknal.engine.source import Query

# Names the columns of a table, which is given as SQL; empty if it cannot be known.
Columns = Callable[[str], list[str]]

_INPUT = "__seeknal_input__"
_COMPARISONS = (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ, exp.Between, exp.In)
_DIALECT = "duckdb"


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the input, and what the SQL makes of it, all three as SQL.

    ``expression`` is what is compared, in terms of the table's own columns; ``table`` can stand
    behind FROM. ``is_plain`` says that the expression is the column itself, at most cast or
    truncated, so that both have their extremes in the same rows.
    """

    table: str
    column: str
    expression: str
    is_plain: bool = True

    @property
    def name(self) -> str:
        """The column's name alone."""
        return self.column.replace('"', "")

    def __str__(self) -> str:
        table = self.table.replace('"', "")
        return self.name if table.startswith("(") else f"{table}.{self.name}"


@dataclass(frozen=True)
class _Found:
    """A base table, and an expression over one of its columns."""

    table: str
    column: exp.Column
    expression: exp.Expr

    def column_of(self) -> Column:
        name = exp.to_identifier(self.column.name, quoted=True)
        return Column(
            self.table,
            name.sql(_DIALECT),
            self.expression.sql(_DIALECT),
            isinstance(_unwrapped(self.expression), exp.Column),
        )


class Tracer:
    """One query's tables and columns, as far as they can be told from its SQL."""

    def __init__(self, query: Query, columns: Columns) -> None:
        self._relation = None if query.source.is_database else f"({relation(query.source)})"
        self._columns = columns
        markers = {name: Value(name, name) for name in PLACEHOLDERS}
        self._scopes = _scopes(compose(query, markers, reads=f'SELECT * FROM "{_INPUT}"'))

    def compared(self, names: Iterable[str]) -> list[tuple[Column, frozenset[str]]]:
        """Return the input's columns that are compared with some of these placeholders.

        Each comes with the placeholders it is compared with.
        """
        wanted = frozenset(names)
        met: dict[tuple[str, str], tuple[Column, frozenset[str]]] = {}
        for scope in self._scopes:
            for side, used in _compared_sides(scope, wanted):
                for found in self._trace_all(scope, side):
                    column = found.column_of()
                    key = (column.table.lower(), column.column.lower())
                    known = met.get(key, (column, frozenset[str]()))
                    met[key] = (known[0], known[1] | used)
        return list(met.values())

    def tables(self) -> list[str]:
        """Return the tables of the input that the SQL reads, as SQL."""
        found: dict[str, None] = {}
        for scope in self._scopes:
            for source in scope.sources.values():
                if isinstance(source, exp.Table):
                    found[self._table(source)] = None
        return list(found)

    def _table(self, table: exp.Table) -> str:
        if table.name == _INPUT and self._relation is not None:
            return self._relation
        bare = table.copy()
        for argument in ("alias", "joins", "pivots", "laterals", "sample"):
            bare.set(argument, None)
        return bare.sql(_DIALECT, identify=True)  # one table, one text

    def _trace_all(self, scope: Scope, side: exp.Expr) -> Iterator[_Found]:
        """Yield what the one column in ``side`` is in the input; nothing if there are several."""
        columns = {column.sql(_DIALECT): column for column in side.find_all(exp.Column)}
        if len(columns) != 1 or _aggregates(side):
            return
        (column,) = columns.values()
        for found in self._trace(scope, column):
            yield _Found(found.table, found.column, _substituted(side, found.expression))

    def _trace(self, scope: Scope, column: exp.Column) -> Iterator[_Found]:
        source = self._source_of(scope, column)
        if isinstance(source, exp.Table):
            bare = exp.column(exp.to_identifier(column.name, quoted=True))
            yield _Found(self._table(source), bare, bare)
        elif isinstance(source, Scope):
            first, *others = _branches(source)
            yield from self._trace_through(first, column.name)
            at = _position(first, column.name)
            for other in others:  # a UNION's columns are named by its first SELECT
                names = _projections(other)
                placed = at is not None and at < len(names) and not names[at].is_star
                yield from self._trace_through(
                    other, names[at].alias_or_name if placed and at is not None else column.name
                )

    def _trace_through(self, scope: Scope, name: str) -> Iterator[_Found]:
        """Yield what the output column ``name`` of a SELECT is in the input."""
        at = _position(scope, name)
        if at is not None:
            yield from self._trace_all(scope, _projections(scope)[at].unalias())
            return
        for star in _projections(scope):
            if star.is_star and not _excludes(star, name):
                table = star.args.get("table") if isinstance(star, exp.Column) else None
                yield from self._trace(scope, exp.column(name, table=table and table.copy()))

    def _source_of(self, scope: Scope, column: exp.Column) -> exp.Table | Scope | None:
        """Return the table or subquery of ``scope`` that a column belongs to, if that is clear."""
        here = {key.lower(): source for key, (_, source) in scope.selected_sources.items()}
        if column.table:
            found = here.get(column.table.lower())
            outer = scope.parent if scope.is_correlated_subquery else None
            if found is None and outer is not None:
                return self._source_of(outer, column)
            return found
        if len(here) == 1:
            return next(iter(here.values()))
        having = [s for s in here.values() if column.name.lower() in self._outputs(s)]
        return having[0] if len(having) == 1 or (having and _joined_on(scope, column)) else None

    def _outputs(self, source: exp.Table | Scope) -> set[str]:
        """Return the columns a table or subquery has, in lower case."""
        if isinstance(source, exp.Table):
            return {name.lower() for name in self._columns(self._table(source))}
        names: set[str] = set()
        for projection in _projections(source):
            if not projection.is_star:
                names.add(projection.alias_or_name.lower())
                continue
            for inner in source.selected_sources.values():
                names |= self._outputs(inner[1])
        return names


def _excludes(star: exp.Expr, name: str) -> bool:
    node = star.this if isinstance(star, exp.Column) else star
    left_out = node.args.get("except_") or node.args.get("except") or []
    return any(item.name.lower() == name.lower() for item in left_out)


def _position(scope: Scope, name: str) -> int | None:
    """Return where a SELECT lists the output column ``name``; None if a star brings it."""
    for at, projection in enumerate(_projections(scope)):
        if not projection.is_star and projection.alias_or_name.lower() == name.lower():
            return at
    return None


def _scopes(sql: str) -> list[Scope]:
    try:
        root = build_scope(parse_one(sql, dialect=_DIALECT))
        return list(root.traverse()) if root else []
    except (SqlglotError, AttributeError, KeyError, ValueError, RecursionError):
        return []  # SQL that DuckDB knows and sqlglot does not


def _projections(scope: Scope) -> list[exp.Expr]:
    found: list[exp.Expr] = getattr(scope.expression, "selects", [])
    return found


def _branches(scope: Scope) -> list[Scope]:
    """Return a scope's SELECTs: several for a UNION."""
    # The attribute's name depends on sqlglot's version.
    parts = getattr(scope, "set_operation_scopes", None) or getattr(scope, "union_scopes", None)
    return [leaf for part in parts for leaf in _branches(part)] if parts else [scope]


def _compared_sides(
    scope: Scope, wanted: frozenset[str]
) -> Iterator[tuple[exp.Expr, frozenset[str]]]:
    """Yield each side that faces a wanted placeholder in a comparison, with those it faces."""
    for comparison in scope.find_all(*_COMPARISONS):
        sides = [s for s in comparison.iter_expressions() if not s.find(exp.Select)]
        used = {id(side): _placeholders(side) for side in sides}
        faced = frozenset[str]().union(*used.values()) & wanted
        for side in sides:
            if faced and not used[id(side)]:
                yield side, faced


def _placeholders(side: exp.Expr) -> frozenset[str]:
    found = {node.name for node in side.find_all(exp.Column) if node.name in PLACEHOLDERS}
    for literal in side.find_all(exp.Literal):
        found |= {name for name in PLACEHOLDERS if name in literal.name}
    return frozenset(found)


def _aggregates(side: exp.Expr) -> bool:
    return side.find(exp.AggFunc, exp.Window, exp.Subquery, exp.Select) is not None


def _unwrapped(side: exp.Expr) -> exp.Expr:
    """Return what is left of an expression without casts, parentheses and truncation."""
    while isinstance(side, (exp.Cast, exp.TryCast, exp.Paren, exp.DateTrunc, exp.TimestampTrunc)):
        side = side.this
    return side


def _substituted(side: exp.Expr, value: exp.Expr) -> exp.Expr:
    def replace(node: exp.Expr) -> exp.Expr:
        return value.copy() if isinstance(node, exp.Column) else node

    return side.copy().transform(replace)


def _joined_on(scope: Scope, column: exp.Column) -> bool:
    """Whether a JOIN ... USING makes the column one, whichever table it is taken from."""
    return any(
        column.name.lower() == using.name.lower()
        for join in scope.find_all(exp.Join)
        for using in join.args.get("using") or []
    )
