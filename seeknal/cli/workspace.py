"""What a command works on: the project found, its store and engine opened, its flows chosen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from seeknal.cli.reach import actor
from seeknal.cli.streams import say
from seeknal.config import Settings
from seeknal.engine.session import Engine
from seeknal.errors import (
    DataUnavailableError,
    SeeknalError,
    TimeError,
    UnknownNameError,
    UsageError,
)
from seeknal.flow import Flow
from seeknal.mirror import write_mirror
from seeknal.plan import Data, Window
from seeknal.project import Project
from seeknal.resolve import Prepared, prepare
from seeknal.stores.base import Change, Store
from seeknal.workflow.instants import parse_instant
from seeknal.workflow.intervals import IntervalSet, due
from seeknal.workflow.partitions import partition_range


class Workspace:
    """One project, opened for one command."""

    def __init__(self, project: Project, settings: Settings) -> None:
        self.project = project
        self.settings = settings
        self._changed = False

    @classmethod
    @contextmanager
    def open(cls, path: Path | None, redis: str | None = None) -> Iterator[Workspace]:
        """Find and open the project; close what was opened, and mirror what was changed.

        ``redis`` is the address of the store to use in place of the project's.
        """
        project = Project.find(path)
        if redis is not None:
            project.home.use_redis(redis)
        space = cls(project, project.settings)
        try:
            yield space
        finally:
            space._close()

    @cached_property
    def store(self) -> Store:
        """The project's store."""
        return self.project.open_store()

    @cached_property
    def engine(self) -> Engine:
        """This process's DuckDB."""
        return Engine()

    @cached_property
    def actor(self) -> str:
        """Who is at the keyboard: what the audit keeps."""
        return actor()

    def flows(self, names: Sequence[str]) -> list[Flow]:
        """Return the flows of these names, or all.

        Raises:
            UnknownNameError: there is no flow of such a name, or none at all.
        """
        if names:
            return [self.project.flow(name) for name in dict.fromkeys(names)]
        flows = self.project.flows()
        if not flows:
            raise UnknownNameError(
                f"Project {self.project.name!r} has no flows; declare one in {self.project.root}"
                "/flows/."
            )
        return flows

    def names(self, names: Sequence[str]) -> list[str]:
        """Return the names of the flows of these names, or of all."""
        return [flow.name for flow in self.flows(names)]

    def one(self, names: Sequence[str], doing: str) -> Flow:
        """Return the one flow that is meant; several are no one's guess.

        Raises:
            UsageError: the project has several flows and none was named.
        """
        flows = self.flows(names)
        if len(flows) > 1:
            listed = ", ".join(flow.name for flow in flows)
            raise UsageError(f"Name one flow to {doing} with --flow; there are {listed}.")
        return flows[0]

    def prepare(self, flow: Flow) -> Prepared:
        """Resolve and check a flow on this machine."""
        return prepare(self.project, flow, self.engine)

    def ready(self, flow: Flow) -> tuple[Prepared, Data]:
        """Resolve and check a flow, and ask its input what it holds; errors name the flow.

        Where workers share a store, one of them is asked what this machine cannot see.
        """
        shared = self.project.redis_url is not None
        try:
            if shared and not self.project.data_root.is_dir():
                return self._ask_worker(flow)
            try:
                prepared = self.prepare(flow)
                return prepared, prepared.data(self.engine)
            except DataUnavailableError:
                if not shared:
                    raise
                return self._ask_worker(flow)
        except SeeknalError as error:
            if repr(flow.name) in str(error):
                raise
            raise type(error)(f"Flow {flow.name!r}: {error}") from None

    def _ask_worker(self, flow: Flow) -> tuple[Prepared, Data]:
        from seeknal.cli.shared import ask_worker

        return ask_worker(self.project, self.store, flow)

    def change(self, action: str, what: str, reason: str = "") -> Change:
        """Describe a change by hand, for the audit."""
        self._changed = True
        return Change(self.actor, action, what, reason)

    def touch(self) -> None:
        """Remember that this command changes state."""
        self._changed = True

    def _close(self) -> None:
        opened = self.__dict__
        if "engine" in opened:
            self.engine.close()
        if "store" in opened:
            try:
                if self._changed:
                    self._mirror()
            finally:
                self.store.close()

    def _mirror(self) -> None:
        """Write the mirror; nothing reads it, so that what was done stays done without it."""
        try:
            names = self.store.flows()
            write_mirror(self.project, {name: self.store.state(name) for name in names})
        except SeeknalError as error:
            say(f"Warning: the state is kept, but not mirrored: {error}")


def window_of(
    flow: Flow,
    start: str | None,
    end: str | None,
    partitions: str | None,
    *,
    backfill: bool = False,
    include_empty: bool = False,
) -> Window:
    """Read a window as it was typed; local times are the flow's.

    Raises:
        TimeError: a date is none, or the end is not after the start.
        UsageError: both dates and partitions are given.
    """
    if partitions is not None and (start is not None or end is not None):
        raise UsageError("Give dates or --partitions, not both.")
    if partitions is None:
        low, high = bounds(flow, start, end)
        return Window(low, high, backfill=backfill, include_empty=include_empty)
    names = [name.strip() for name in partitions.split(",") if name.strip()]
    if not names:
        raise UsageError("--partitions is empty; give names separated by commas.")
    if flow.partition_format is None:
        return Window(values=tuple(names), backfill=backfill, include_empty=include_empty)
    ranges = IntervalSet(
        partition_range(name, flow.partition_format, flow.timezone) for name in names
    )
    schedule = flow.interval_schedule
    if schedule is not None and not any(due(schedule, *each) for each in ranges.ranges):
        raise TimeError(
            f"No interval of {schedule.cron!r} ends within {', '.join(names)}; the partitions of "
            f"flow {flow.name!r} are shorter than its intervals: give dates."
        )
    return Window(ranges=ranges, backfill=backfill, include_empty=include_empty)


def bounds(flow: Flow, start: str | None, end: str | None) -> tuple[int | None, int | None]:
    """Read two bounds as they were typed.

    Raises:
        TimeError: one is no date or datetime, or the end is not after the start.
    """
    low = None if start is None else parse_instant(start, flow.timezone)
    high = None if end is None else parse_instant(end, flow.timezone)
    if low is not None and high is not None and low >= high:
        raise TimeError(f"The end, {end}, is not after the start, {start}; the end is exclusive.")
    return low, high
