"""How far an input's data reaches, and which values it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seeknal.engine.analysis import partition_column, time_column
from seeknal.errors import UsageError

if TYPE_CHECKING:
    from seeknal.engine.columns import Column
    from seeknal.engine.session import Session

_TIMES = ("TIMESTAMP", "DATE")


def extent(session: Session) -> tuple[float, float] | None:
    """Return the least and greatest time of the input, in UTC seconds; None without any.

    NULL and infinite times do not count. A plain column's extremes come from the file's
    statistics where it has them.

    Raises:
        UsageError: the time column cannot be told, or holds no times.
    """
    column = time_column(session)
    moment = _moment(session, column)
    table = column.table
    low, high, finite = session.fetch(
        f"SELECT epoch_us(low), epoch_us(high), isfinite(low) AND isfinite(high) FROM "
        f"(SELECT CAST(min({moment}) AS TIMESTAMP) AS low, CAST(max({moment}) AS TIMESTAMP) "
        f"AS high FROM {table} AS input)"
    )[0]
    if finite is False:
        low, high = session.fetch(
            f"SELECT epoch_us(min(t)), epoch_us(max(t)) FROM "
            f"(SELECT CAST({moment} AS TIMESTAMP) AS t FROM {table} AS input) WHERE isfinite(t)"
        )[0]
    if low is None or high is None:
        return None
    return low / 1e6, high / 1e6


def values(session: Session) -> list[str]:
    """Return the distinct values of the partition column, as text, sorted.

    Rows where it is NULL belong to no partition: SQL's ``=`` matches them with nothing.

    Raises:
        UsageError: the partition column cannot be told.
    """
    column = partition_column(session)
    rows = session.fetch(
        f"SELECT DISTINCT CAST({column.expression} AS VARCHAR) AS value "
        f"FROM {column.table} AS input WHERE value IS NOT NULL ORDER BY value"
    )
    return [row[0] for row in rows]


def _moment(session: Session, column: Column) -> str:
    """Return the SQL of a time for each row, the cheapest that has the right extremes.

    Raises:
        UsageError: there is none.
    """
    described = session.describe(
        f"SELECT {column.column} AS c, {column.expression} AS e FROM {column.table} AS input"
    )
    (_, plain), (_, compared) = described
    is_time = compared.startswith(_TIMES)
    if plain.startswith(_TIMES) and (column.is_plain or not is_time):
        return column.column  # also under strftime(...) or epoch(...)
    if is_time:
        return column.expression
    if plain == "VARCHAR":
        return f"CAST({column.column} AS TIMESTAMP)"
    raise UsageError(
        f"The time column {column.name} is of type {plain}; "
        "set time_column to a column of times, or cast it in the comparison."
    )
