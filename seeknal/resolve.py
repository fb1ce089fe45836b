"""From a flow's spec to what this machine executes: input found, SQL checked, output placed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from seeknal.engine.analysis import check, fingerprint
from seeknal.engine.extent import extent, values
from seeknal.engine.session import Engine
from seeknal.engine.source import Query, Source
from seeknal.errors import ConfigError, UsageError
from seeknal.flow import Flow
from seeknal.outputs.parquet import RESERVED_COLUMNS, ParquetOutput
from seeknal.plan import Data, Plan, Taken, Window, make_plan
from seeknal.project import Project
from seeknal.stores.base import Store
from seeknal.workbench import Job
from seeknal.workflow.instants import parse_instant
from seeknal.workflow.partitions import partition_of
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import Run
from seeknal.workflow.units import Unit

_SAMPLE = Unit("sample", 1704067200, 1704153600)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A flow, resolved and checked on this machine, ready to be planned.

    ``start`` is its ``start_date`` in UTC seconds, ``lag`` its ``data_lag`` in seconds.
    """

    name: str
    timezone: str
    schedule: Schedule | None
    query: Query
    fingerprint: str
    spec: Mapping[str, Any]
    start: int | None
    lag: int

    def data(self, engine: Engine) -> Data:
        """Ask the input for its extent in time, or for its partitions' values.

        Raises:
            SeeknalError: the input cannot be read, or the column is not there.
        """
        with engine.session(self.query) as session:
            if self.schedule is None:
                return Data(values=tuple(values(session)))
            return Data(extent=extent(session))

    def plan(
        self, store: Store, data: Data, window: Window, now: float, taken: Taken | None = None
    ) -> Plan:
        """Plan a window by the flow's present state; ``now`` in UTC seconds."""
        return make_plan(
            self.name, self.schedule, store.state(self.name), data, window,
            now=now, start=self.start, lag=self.lag, taken=taken or Taken(),
        )  # fmt: skip


def prepare(project: Project, flow: Flow, engine: Engine) -> Prepared:
    """Resolve a flow on this machine and check that its SQL fits its input.

    Raises:
        UsageError: the flow has neither a schedule nor value partitions, or no task.
        ConfigError: the data root is no folder.
        SeeknalError: the input cannot be read, or the SQL does not fit it.
    """
    _refuse_unscheduled(flow)
    if not project.data_root.is_dir():
        raise ConfigError(
            f"The data root {project.data_root} is no folder on this machine; correct data_root in "
            "seeknal_project.yml, or SEEKNAL_DATA_ROOT."
        )
    output_of(project, flow)
    query = query_of(project, flow)
    with engine.session(query) as session:
        sample = None if flow.by_value else namer(flow)(_SAMPLE)
        reserved = () if flow.output.kind == "none" else RESERVED_COLUMNS
        check(session, by_value=flow.by_value, partition=sample, reserved=reserved)
    return _prepared(flow, query)


def outline(flow: Flow) -> Prepared:
    """Resolve a flow whose input this machine cannot see; nothing is checked against it.

    Raises:
        UsageError: the flow has neither a schedule nor value partitions, or no task.
    """
    _refuse_unscheduled(flow)
    return _prepared(flow, _query(flow, ()))


def _refuse_unscheduled(flow: Flow) -> None:
    if flow.interval_schedule is None and not flow.by_value:
        raise UsageError(
            f"Flow {flow.name!r} has no schedule; set one, for example 'schedule: \"@daily\"' in "
            f"flows/{flow.name}.yml, or name a partition column."
        )


def _prepared(flow: Flow, query: Query) -> Prepared:
    start = None if flow.start_date is None else parse_instant(flow.start_date, flow.timezone)
    return Prepared(
        flow.name, flow.timezone, flow.interval_schedule, query, fingerprint(query),
        flow.to_spec(), start, flow.data_lag,
    )  # fmt: skip


def fingerprint_of(flow: Flow) -> str:
    """Return the fingerprint of a flow's logic; its input need not be there."""
    return fingerprint(_query(flow, ()))


def query_of(project: Project, flow: Flow) -> Query:
    """Return what a flow asks of the engine of this machine.

    Raises:
        UsageError: the flow has no task.
        DataUnavailableError: the input is a database that is not there.
    """
    return _query(flow, project.resolve_paths(flow))


def _query(flow: Flow, paths: tuple[str, ...]) -> Query:
    steps = tuple(step for task in flow.tasks for step in task.sql)
    if not steps:
        raise UsageError(f"Flow {flow.name!r} has no SQL; add a task with add_sql.")
    source = Source(flow.input.kind, paths, flow.input.name, dict(flow.input.options or {}))
    # With a format a partition only names time: its column says nothing of the result.
    values = flow.partition_column if flow.by_value else None
    return Query(source, steps, flow.time_column, values)


def output_of(project: Project, flow: Flow) -> ParquetOutput | None:
    """Return where a flow's results go on this machine; None if they go nowhere.

    Raises:
        UsageError: this version cannot write there.
    """
    if flow.output.kind == "none":
        return None
    return ParquetOutput(project.output_path(flow))


def load_job(project: Project, run: Run) -> Job:
    """Make a registered run into what this machine executes.

    Raises:
        SeeknalError: the run's spec is not valid here, or its input is not there.
    """
    flow = Flow.from_spec(run.spec, project)
    output = output_of(project, flow)
    if output is not None:
        output.sweep()
    return Job(run.id, query_of(project, flow), output, run.fingerprint, run.options, namer(flow))


def namer(flow: Flow) -> Callable[[Unit], str | None]:
    """Return what names a unit's partition: its value, or its start by the flow's format."""
    if flow.partition_format is None:
        return _value
    return partial(_formatted, flow.partition_format, flow.timezone)


def _value(unit: Unit) -> str | None:
    return unit.value


def _formatted(form: str, timezone: str, unit: Unit) -> str | None:
    return partition_of(unit.start, form, timezone)
