"""A flow with its units and its output, by the project's folder or by what its runs say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from seeknal.cli.reach import Reached
from seeknal.errors import SeeknalError, TimeError, UnknownNameError, UsageError
from seeknal.flow import Flow
from seeknal.home import Home
from seeknal.outputs.parquet import ParquetOutput
from seeknal.project import Project
from seeknal.resolve import output_of
from seeknal.spec import sentence, suggest
from seeknal.workflow.instants import is_bare_date, parse_instant
from seeknal.workflow.partitions import partition_range
from seeknal.workflow.state import Run
from seeknal.workflow.units import Unit


@dataclass(frozen=True, slots=True)
class Located:
    """A flow, and its project on this machine."""

    flow: Flow
    project: Project

    def output(self) -> ParquetOutput | None:
        """Return where the flow's files are, or None where this machine sees none."""
        try:
            output = output_of(self.project, self.flow)
        except SeeknalError:
            return None
        return output if output is not None and output.root.is_dir() else None

    def unit(self, typed: str) -> Unit:
        """Read a unit as ``intervals`` and ``runs`` print it, or as ``runs export`` writes it.

        ``A to B`` is taken at its word, because a unit may be of a schedule that the flow had.

        Raises:
            UsageError: it is none.
        """
        flow, typed = self.flow, typed.strip()
        if flow.by_value:
            return (
                Unit.from_key(flow.name, typed)
                if typed[:6] == "value="
                else Unit(flow.name, value=typed)
            )
        return Unit(flow.name, *self._span(typed))

    def _span(self, typed: str) -> tuple[int, int]:
        flow, zone = self.flow, self.flow.timezone
        first, to, last = typed.partition(" to ")
        if to:
            return parse_instant(first, zone), parse_instant(last, zone)
        if "_" in typed and typed.endswith("Z"):
            unit = Unit.from_key(flow.name, typed)
            return unit.start, unit.end
        form = flow.partition_format
        if form is not None:
            try:
                return partition_range(typed, form, zone)
            except TimeError:
                pass  # it may be a date for all that
        schedule = flow.interval_schedule
        assert schedule is not None  # what does not run by value has one
        start = parse_instant(typed, zone)
        if is_bare_date(typed):
            return partition_range(typed, "%Y-%m-%d", zone)
        return start, schedule.next(start)


def locate(found: Reached, names: Sequence[str], run: Run | None = None) -> Located:
    """Return the flow that is meant: a run's, the one that is named, or the only one there is.

    Where the project's folder is not here it is as the latest run has it.

    Raises:
        UsageError: there are several, and none was named.
        UnknownNameError: there is none of that name.
    """
    if run is not None:
        return _of_run(found, run)
    project = None if found.home is None else Project.of(found.home)
    known = found.store.flows() if project is None else [f.name for f in project.flow_files()]
    name = names[0] if names else (known[0] if len(known) == 1 else None)
    if name is None:
        raise UsageError(f"Name the flow with --flow; there are {', '.join(known) or 'none yet'}.")
    if project is not None:
        return Located(project.flow(name), project)
    latest = found.store.runs(name, 1)
    if not latest:
        hint = sentence(suggest(name, known, "flows"))
        raise UnknownNameError(f"Project {found.project!r} has run no flow {name!r}; {hint}")
    return _of_run(found, latest[0])


def _of_run(found: Reached, run: Run) -> Located:
    """Return a run's flow as the run has it: the file may say something else by now."""
    home = found.home or Home.of_snapshot(run.options.get("project", {}))
    project = Project.of(home)
    return Located(Flow.from_spec(run.spec, project), project)
