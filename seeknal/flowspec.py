"""The parts of a flow as a person writes them: what ``flows/<name>.yml`` holds, validated.

The order of the fields here is their order in the file.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from seeknal.errors import SeeknalError
from seeknal.home import Name, is_uri
from seeknal.spec import RefusedError, Spec, describe
from seeknal.tasks.duckdb import DuckDBTask
from seeknal.workflow.durations import format_duration, parse_duration
from seeknal.workflow.instants import to_seconds
from seeknal.workflow.partitions import validate_format
from seeknal.workflow.schedule import Schedule

_FILES = ("parquet", "csv", "json")
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")


def _refused(error: SeeknalError, *at: str) -> RefusedError:
    return RefusedError(str(error), at=at, kind=type(error))


def _path(value: object) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if not isinstance(value, str):
        raise RefusedError(f"a path must be text, not {describe(value)}")
    if not value.strip() or "\0" in value:
        raise RefusedError("a path must not be empty, nor hold a NUL character")
    return value


def _paths(value: object) -> str | tuple[str, ...]:
    if not isinstance(value, list | tuple):
        return _path(value)
    if not value:
        raise RefusedError("the list of paths is empty; name at least one")
    return tuple(_path(each) for each in value)


def _column(value: str) -> str:
    if not value.strip() or "\0" in value:
        raise RefusedError("a column's name must not be empty")
    return value


def _format(value: str) -> str:
    try:
        return validate_format(value)
    except SeeknalError as error:
        raise _refused(error) from None


def _duration(value: object) -> int:
    try:
        return parse_duration(value)
    except SeeknalError as error:
        raise _refused(error) from None


def _json_like(value: object, at: tuple[str, ...]) -> None:
    if isinstance(value, list | tuple):
        for each in value:
            _json_like(each, at)
    elif isinstance(value, dict):
        for key, each in value.items():
            _json_like(key, at)
            _json_like(each, at)
    elif not isinstance(value, str | int | float) or (
        isinstance(value, float) and not math.isfinite(value)
    ):
        raise RefusedError(
            "an option is text, a number, true, false, or a list or mapping of them, not "
            f"{describe(value)}",
            at=at,
        )


def _day(value: object) -> object:
    """Return a date, or a datetime, as the ISO text it is kept as; others are checked later."""
    if isinstance(value, datetime) and value.tzinfo is None and value.time() == time():
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else value


Column = Annotated[str, AfterValidator(_column)]


class FlowInput(Spec):
    """What a flow reads.

    ``kind="database"``: ``value`` names a connection of the project, or its DuckDB file of that
    name; the SQL names its tables. ``parquet``, ``csv`` and ``json``: ``value`` is a path or glob
    or a list of them, relative to the project's data root; the SQL calls it ``__THIS__``, or
    ``name``. ``options`` are handed to DuckDB's reader (``{"delim": ";"}``).

    Raises:
        UsageError: something of it is not valid.
    """

    kind: Literal["database", "parquet", "csv", "json"]
    value: Annotated[str | list[str] | tuple[str, ...], BeforeValidator(_paths)]
    name: str | None = None
    time_column: Column | None = None
    options: dict[str, Any] = Field(default_factory=dict)

    @property
    def paths(self) -> tuple[str, ...]:
        """The value as a tuple: one database, or the paths of the files."""
        return (self.value,) if isinstance(self.value, str) else tuple(self.value)

    @field_validator("name")
    @classmethod
    def _identifier(cls, name: str | None) -> str | None:
        if name is not None and not _IDENTIFIER.fullmatch(name):
            raise RefusedError(f"{name!r} is not a name for SQL; use letters, digits and '_'")
        return name

    @field_validator("options")
    @classmethod
    def _plain(cls, options: dict[str, Any]) -> dict[str, Any]:
        for key, value in options.items():
            if not _IDENTIFIER.fullmatch(key):
                raise RefusedError(f"{key!r} is not the name of an option", at=(key,))
            _json_like(value, (key,))
        return options

    @model_validator(mode="after")
    def _fits(self) -> FlowInput:
        if self.kind == "database":
            if not isinstance(self.value, str):
                raise RefusedError("a database is one name, not a list", at=("value",))
            for field in ("name", "options"):
                if getattr(self, field):
                    raise RefusedError("only files have it, a database does not", at=(field,))
        return self

    def to_spec(self) -> dict[str, Any]:
        """Return the input as JSON values, without what is default."""
        value = self.value if isinstance(self.value, str) else list(self.value)
        optional = {"name": self.name, "time_column": self.time_column, "options": self.options}
        return {"kind": self.kind, "value": value, **{k: v for k, v in optional.items() if v}}


class FlowOutput(Spec):
    """Where a flow's result goes: Parquet files, one a unit, or nowhere (``kind="none"``).

    ``value`` is another folder than ``target/output/<flow>``, relative to the data root.

    Raises:
        UsageError: something of it is not valid.
    """

    kind: Literal["parquet", "none"] = "parquet"
    value: Annotated[str, BeforeValidator(_path)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> FlowOutput:
        if self.kind == "none" and self.value is not None:
            raise RefusedError(
                "an output of the kind 'none' goes nowhere; remove it", at=("value",)
            )
        if self.value is not None and not is_uri(self.value) and re.search(r"[*?\[]", self.value):
            raise RefusedError("an output is one folder, not a pattern", at=("value",))
        return self

    def to_spec(self) -> dict[str, Any]:
        """Return the output as JSON values; nothing for the default."""
        if self == FlowOutput():
            return {}
        return {"kind": self.kind, **({"value": self.value} if self.value is not None else {})}


class Partition(Spec):
    """What partitions are named by: a column's values, or with a format ranges of time.

    Raises:
        UsageError: something of it is not valid.
    """

    column: Column
    format: Annotated[str, AfterValidator(_format)] | None = None

    def to_spec(self) -> dict[str, Any]:
        """Return the partition as JSON values."""
        return {"column": self.column, **({"format": self.format} if self.format else {})}


class FlowSpec(Spec):
    """All of a flow."""

    name: Name
    description: str | None = None
    schedule: str | None = None
    timezone: str = "UTC"
    start_date: Annotated[str, BeforeValidator(_day)] | None = None
    data_lag: Annotated[int, BeforeValidator(_duration)] = 0
    time_column: Column | None = None
    partition: Partition | None = None
    input: FlowInput
    tasks: tuple[DuckDBTask, ...]
    output: FlowOutput = FlowOutput()

    @field_validator("tasks")
    @classmethod
    def _has_sql(cls, tasks: tuple[DuckDBTask, ...]) -> tuple[DuckDBTask, ...]:
        if not tasks:
            raise RefusedError("a flow needs at least one task")
        for number, task in enumerate(tasks):
            if not task.sql:
                raise RefusedError(
                    "the task has no SQL; add some: add_sql(...)", at=(number, "sql")
                )
        return tasks

    @model_validator(mode="after")
    def _times(self) -> FlowSpec:
        at = "timezone"
        try:
            Schedule("@daily", self.timezone)
            at = "schedule"
            if self.schedule is not None:
                Schedule(self.schedule, self.timezone)
            at = "start_date"
            if self.start_date is not None:
                to_seconds(self.start_date, self.timezone)
        except SeeknalError as error:
            raise _refused(error, at) from None
        return self

    @model_validator(mode="after")
    def _agrees(self) -> FlowSpec:
        ours, theirs = self.time_column, self.input.time_column
        if ours and theirs and ours != theirs:
            raise RefusedError(
                f"it is {ours!r} here and {theirs!r} in the input; keep one", at=("time_column",)
            )
        if self.schedule is not None and self.partition and self.partition.format is None:
            raise RefusedError(
                f"the flow has a schedule ({self.schedule}), so its partitions need a format "
                "such as '%Y-%m-%d'; without a format the values of the column "
                f"{self.partition.column!r} are the units, and the schedule must go "
                "(set_interval_schedule(None))",
                at=("partition",),
            )
        return self

    def portable(self, shorten: Callable[[str], str]) -> FlowSpec:
        """Return the spec with its paths as ``shorten`` makes them."""
        given = self.input.value
        changes: dict[str, Any] = {}
        if self.input.kind in _FILES:
            value = (
                shorten(given) if isinstance(given, str) else tuple(shorten(each) for each in given)
            )
            changes["input"] = self.input.model_copy(update={"value": value})
        if self.output.value is not None:
            value = shorten(self.output.value)
            changes["output"] = self.output.model_copy(update={"value": value})
        return self.model_copy(update=changes)

    def to_spec(self) -> dict[str, Any]:
        """Return the flow as JSON values, without what is default."""
        optional = {
            "description": self.description,
            "schedule": self.schedule,
            "timezone": None if self.timezone == "UTC" else self.timezone,
            "start_date": self.start_date,
            "data_lag": format_duration(self.data_lag) if self.data_lag else None,
            "time_column": self.time_column,
            "partition": self.partition.to_spec() if self.partition else None,
        }
        spec = {
            "name": self.name,
            **{key: value for key, value in optional.items() if value is not None},
            "input": self.input.to_spec(),
            "tasks": [task.to_spec() for task in self.tasks],
            "output": self.output.to_spec(),
        }
        return spec if spec["output"] else {k: v for k, v in spec.items() if k != "output"}
