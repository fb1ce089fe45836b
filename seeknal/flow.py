"""Flows: an input, SQL over it, an output, and the schedule or partition that cuts it into units.

A flow made while a project is current (:meth:`seeknal.project.Project.get_or_create`) saves
itself to ``flows/<name>.yml`` when it is made and whenever it changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Never, Protocol

from pydantic import ValidationError

from seeknal.errors import ConfigError, SeeknalError, UsageError
from seeknal.files import write_atomic
from seeknal.flowspec import FlowInput, FlowOutput, FlowSpec, Partition
from seeknal.home import Home, current_home
from seeknal.spec import describe, sentence, shorten, suggest, usage_error
from seeknal.tasks.duckdb import DuckDBTask
from seeknal.workflow.nodestate import NodeState
from seeknal.workflow.schedule import Schedule
from seeknal.yamledit import edited_yaml
from seeknal.yamlfile import Block, Document, dump_yaml, parse_document

__all__ = ["Flow", "FlowInput", "FlowOutput", "Partition"]


class InProject(Protocol):
    """Whatever has a project's folder: a Project."""

    @property
    def home(self) -> Home:
        """The project's folder."""
        ...


class Flow:
    """One flow.

    Args:
        name: 1 to 100 letters, digits, ``_`` or ``-``.
        input: what the SQL reads.
        tasks: what is done, one after the other; each sees its predecessor as ``__THIS__``.
        output: where the result goes; Parquet files in the project's ``target`` by default.
        schedule: a cron expression or ``@hourly``, ``@daily`` and the like.
        timezone: the IANA zone that the schedule's clock shows.
        start_date: a date or ISO datetime; local to the zone unless it has an offset.
        data_lag: how long after its end an interval is due: seconds, or text such as ``"2h"``.
        time_column: the column that the intervals cut, where the SQL does not tell.
        partition: see :meth:`set_partition_tracking`.
        description: for people.

    Raises:
        UsageError: something of it is not valid, each mistake a sentence.
        ConfigError: the flow's file is broken, or cannot be written.
    """

    _spec: FlowSpec
    _home: Home | None

    def __init__(
        self,
        name: str = "",
        input: FlowInput | Mapping[str, Any] | None = None,  # noqa: A002
        tasks: Sequence[DuckDBTask] | DuckDBTask = (),
        output: FlowOutput | Mapping[str, Any] | None = None,
        *,
        schedule: str | Schedule | None = None,
        timezone: str | None = None,
        start_date: str | date | None = None,
        data_lag: str | int | timedelta = 0,
        time_column: str | None = None,
        partition: Partition | Mapping[str, Any] | None = None,
        description: str | None = None,
        **unknown: Never,
    ) -> None:
        if unknown:
            wrong = next(iter(unknown))
            known = list(FlowSpec.model_fields)
            hint = suggest(wrong, known, "fields")
            raise UsageError(sentence(f"Flow: unknown field {wrong!r}; {hint}"))
        cron, zone = _split_schedule(schedule, timezone, "UTC")
        fields: dict[str, Any] = {
            "name": name, "description": description, "schedule": cron, "timezone": zone,
            "start_date": start_date, "data_lag": data_lag, "time_column": time_column,
            "partition": partition, "tasks": [tasks] if isinstance(tasks, DuckDBTask) else tasks,
            "output": FlowOutput() if output is None else output,
        }  # fmt: skip
        if input is not None:
            fields["input"] = input
        self._adopt(_validated(fields), current_home())
        self._save_in_project()

    # -- what it is -------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The flow's name, and that of its file."""
        return self._spec.name

    @property
    def input(self) -> FlowInput:
        """What the SQL reads."""
        return self._spec.input

    @property
    def tasks(self) -> tuple[DuckDBTask, ...]:
        """What is done, in order."""
        return self._spec.tasks

    @property
    def output(self) -> FlowOutput:
        """Where the result goes."""
        return self._spec.output

    @property
    def schedule(self) -> str | None:
        """The cron expression, or None."""
        return self._spec.schedule

    @property
    def timezone(self) -> str:
        """The IANA zone of the schedule, of dates without an offset, and of what is shown."""
        return self._spec.timezone

    @property
    def interval_schedule(self) -> Schedule | None:
        """The schedule in its zone, or None for a flow without one."""
        if self._spec.schedule is None:
            return None
        return Schedule(self._spec.schedule, self._spec.timezone)

    @property
    def start_date(self) -> str | None:
        """Where the flow begins, as ISO text; None for the data's own minimum."""
        return self._spec.start_date

    @property
    def data_lag(self) -> int:
        """How many seconds after its end an interval is due."""
        return self._spec.data_lag

    @property
    def time_column(self) -> str | None:
        """The column that the intervals cut, if it is declared here or with the input."""
        return self._spec.time_column or self._spec.input.time_column

    @property
    def partition(self) -> Partition | None:
        """What partitions are named by, or None."""
        return self._spec.partition

    @property
    def partition_column(self) -> str | None:
        """The column that names partitions, or None."""
        return self._spec.partition.column if self._spec.partition else None

    @property
    def partition_format(self) -> str | None:
        """The format of partitions that are ranges of time, or None."""
        return self._spec.partition.format if self._spec.partition else None

    @property
    def by_value(self) -> bool:
        """Whether the units are distinct values of the partition column, not intervals."""
        return self._spec.partition is not None and self._spec.partition.format is None

    @property
    def description(self) -> str | None:
        """What people should know about it."""
        return self._spec.description

    @property
    def state(self) -> NodeState:
        """What is done of the flow, read from the project's store at this moment.

        Raises:
            UsageError: the flow is in no project.
            StoreError: the store cannot be read.
        """
        store = self._in_project().open_store()
        try:
            found = store.state(self.name)
        finally:
            store.close()
        return NodeState(
            self.name,
            found,
            timezone=self.timezone,
            partition_format=self.partition_format,
        )

    # -- changing it ------------------------------------------------------------------------

    def set_interval_schedule(
        self, schedule: str | Schedule | None = "@daily", timezone: str | None = None
    ) -> Flow:
        """Cut the flow into the intervals of a cron schedule; None takes the schedule away.

        Without a timezone the flow keeps the one it has. Returns the flow itself.

        Raises:
            ScheduleError: the expression or the zone is not valid.
            UsageError: the units are values of a column, which have no schedule.
        """
        cron, zone = _split_schedule(schedule, timezone, self.timezone)
        return self._change(schedule=cron, timezone=zone)

    def set_partition_tracking(
        self, partition_column: str | None, partition_format: str | None = None
    ) -> Flow:
        """Name partitions by a column; None as the column takes the partition away.

        With a format such as ``%Y-%m-%d`` a partition names a range of time, and the units stay
        the schedule's. Without one the units are the distinct values of the column, and the flow
        has no schedule. Returns the flow itself.

        Raises:
            UsageError: the format is not valid, or there is a schedule beside values.
        """
        if partition_column is None and partition_format is None:
            return self._change(partition=None)
        return self._change(partition={"column": partition_column, "format": partition_format})

    def save(self) -> None:
        """Write the flow's file; one that says the same already is not touched.

        A flow made outside of any project joins the current one.

        Raises:
            UsageError: the flow is in no project.
            ConfigError: the file that is there is broken, or cannot be written.
        """
        if self._home is None:
            self._home = self._in_project()
            self._spec = self._spec.portable(self._home.portable)
        _write(self._home, self.to_spec())

    # -- specs ------------------------------------------------------------------------------

    def to_spec(self) -> dict[str, Any]:
        """Return the flow as JSON values, without what is default, in a fixed order."""
        return self._spec.to_spec()

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any], project: InProject | None = None) -> Flow:
        """Return the flow of a spec, without a file; nothing is saved.

        Raises:
            ConfigError: it is not a spec of a flow.
        """
        if not isinstance(spec, Mapping):
            raise ConfigError(f"A flow's spec must be a mapping, not {describe(spec)}.")
        try:
            checked = _validated(spec)
        except SeeknalError as error:
            raise ConfigError(str(error)) from None
        return cls._made(checked, project.home if project else None)

    @classmethod
    def load(cls, name: str, project: InProject | None = None) -> Flow:
        """Return a flow of the given project, the current one, or the nearest one upwards.

        Raises:
            UnknownNameError: the project has no such flow.
            ConfigError: the flow's file is not valid, or there is no project.
        """
        home = project.home if project else current_home() or Home.find()
        return cls.from_document(home.read_flow(name), name, home)

    @classmethod
    def from_document(cls, document: Document, name: str, home: Home) -> Flow:
        """Return the flow of a file of the name ``name``.

        Raises:
            ConfigError: the file is not valid; one sentence a mistake, with its line.
        """
        return cls._made(_read(document, name), home)

    @classmethod
    def _made(cls, spec: FlowSpec, home: Home | None) -> Flow:
        flow = cls.__new__(cls)
        flow._adopt(spec, home)
        return flow

    def _adopt(self, spec: FlowSpec, home: Home | None) -> None:
        self._home = home
        self._spec = spec if home is None else spec.portable(home.portable)
        for task in spec.tasks:
            task.on_change(self._save_in_project)

    def _change(self, **fields: Any) -> Flow:
        """Replace fields, all or none of them."""
        values = {each: getattr(self._spec, each) for each in FlowSpec.model_fields}
        before = self._spec
        self._spec = _validated({**values, **fields})
        try:
            self._save_in_project()
        except SeeknalError:
            self._spec = before
            raise
        return self

    def _save_in_project(self) -> None:
        if self._home is not None:
            _write(self._home, self.to_spec())

    def _in_project(self) -> Home:
        home = self._home or current_home()
        if home is None:
            raise UsageError(
                f"The flow {self.name!r} is in no project; call Project(...).get_or_create() "
                "before it is made."
            )
        return home

    def __repr__(self) -> str:
        return f"Flow({self.name!r}, schedule={self.schedule!r}, timezone={self.timezone!r})"


def _validated(fields: Mapping[str, Any]) -> FlowSpec:
    try:
        return FlowSpec.model_validate(dict(fields))
    except ValidationError as error:
        name = fields.get("name")
        what = f"Flow {shorten(name)!r}" if isinstance(name, str) and name else "Flow"
        raise usage_error(what, FlowSpec, error) from None


def _split_schedule(
    schedule: str | Schedule | None, timezone: str | None, default: str
) -> tuple[Any, Any]:
    if isinstance(schedule, Schedule):
        return schedule.cron, timezone if timezone is not None else schedule.timezone
    return schedule, timezone if timezone is not None else default


def _read(document: Document, name: str) -> FlowSpec:
    spec = document.validate(FlowSpec)
    if spec.name != name:
        raise document.error(
            ("name",),
            f"the name {spec.name!r} is not the file's, {name!r}; change one of them",
        )
    return spec


def _write(home: Home, spec: dict[str, Any]) -> None:
    """Write a flow's file: what did not change stays as it is, comments and all.

    A file that is broken is not replaced: a person may be in the middle of editing it.
    """
    name = spec["name"]
    path = home.flow_path(name)
    if path is None:
        write_atomic(home.new_flow_path(name), dump_yaml(_for_people(spec)))
        return
    document = home.read_flow(name)
    before = _read(document, name).to_spec()
    if before != spec:
        text = edited_yaml(document, before, _for_people(spec), list(FlowSpec.model_fields))
        write_atomic(path, text if _says(text, spec) else dump_yaml(_for_people(spec)))


def _says(text: str, spec: dict[str, Any]) -> bool:
    """Return whether a text is that of a spec.

    An edited one is not when its fields shared their lines: ``{name: a, schedule: b}``.
    """
    try:
        return parse_document(text.encode(), "").validate(FlowSpec).to_spec() == spec
    except ConfigError:
        return False


def _for_people(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return a spec with its SQL as blocks."""

    def block(sql: Any) -> Any:
        return Block(sql) if isinstance(sql, str) else [Block(step) for step in sql]

    tasks = [{**task, "sql": block(task["sql"])} for task in spec["tasks"]]
    return {**spec, "tasks": tasks}
