"""The DuckDB task: SQL steps, as a person writes them. DuckDB itself is the engine's business."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, PrivateAttr

from seeknal.errors import SeeknalError, UsageError
from seeknal.spec import RefusedError, Spec, describe, sentence


def tidy_sql(sql: object) -> str:
    """Return a statement without the indentation and blanks that its source gave it.

    Text in which a quoted literal may go over a line's end keeps its inner blanks, because they
    may be data.

    Raises:
        RefusedError: it is no text, or empty.
    """
    if not isinstance(sql, str):
        raise RefusedError(f"SQL must be text, not {describe(sql)}")
    if not sql.strip():
        raise RefusedError("the SQL is empty; write a SELECT")
    if "\0" in sql:
        raise RefusedError("the SQL holds a NUL character; remove it")
    text = sql.replace("\r\n", "\n")
    if _literals_end_on_their_line(text):
        text = textwrap.dedent("\n".join(line.rstrip() for line in text.split("\n")))
    return text.strip()


def _literals_end_on_their_line(sql: str) -> bool:
    return "$" not in sql and all(
        line.count("'") % 2 == 0 and line.count('"') % 2 == 0 for line in sql.split("\n")
    )


def _steps(value: object) -> tuple[str, ...]:
    steps = value if isinstance(value, list | tuple) else [value]
    return tuple(tidy_sql(step) for step in steps)


class DuckDBTask(Spec):
    """SQL that DuckDB runs for each unit.

    ``sql`` holds the steps. The first reads the flow's input, each later one the result of the
    one before it, as ``__THIS__``.

    Raises:
        UsageError: a step is not text, or is empty.
    """

    kind: Literal["duckdb"] = "duckdb"
    sql: Annotated[tuple[str, ...], BeforeValidator(_steps)] = ()

    _changed: list[Callable[[], None]] = PrivateAttr(default_factory=list)

    def add_sql(self, sql: str) -> DuckDBTask:
        """Add a step; returns the task itself. A flow that has the task saves itself.

        Raises:
            UsageError: ``sql`` is not text, or is empty.
        """
        try:
            step = tidy_sql(sql)
        except RefusedError as error:
            raise UsageError(sentence(f"DuckDBTask: {error}")) from None
        before = self.sql
        # Spec forbids assignment, so that this is the one way in.
        self.__dict__["sql"] = (*before, step)
        try:
            for tell in self._changed:
                tell()
        except SeeknalError:
            self.__dict__["sql"] = before
            raise
        return self

    def on_change(self, tell: Callable[[], None]) -> None:
        """Have ``tell`` called whenever a step is added."""
        self._changed.append(tell)

    def to_spec(self) -> dict[str, Any]:
        """Return the task as JSON values; the SQL is one text when there is one step."""
        return {"kind": self.kind, "sql": self.sql[0] if len(self.sql) == 1 else list(self.sql)}
