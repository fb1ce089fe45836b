"""Mistakes with the Python API: one sentence, and nothing changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from seeknal.errors import ConfigError, SeeknalError, TimeError, UnknownNameError, UsageError
from seeknal.flow import Flow, FlowInput, FlowOutput
from seeknal.home import set_current_home
from seeknal.project import Project
from seeknal.tasks.duckdb import DuckDBTask
from seeknal.workflow.intervals import IntervalCalculator
from tests.acceptance.mistakes.world import NEVER, World
from tests.projects import EVENTS_SQL


def flow_of(**fields: object) -> Callable[[Project], object]:
    """Make a flow with some fields of its own."""
    good: dict[str, object] = {
        "name": "new_flow",
        "input": FlowInput(kind="database", value="raw_events"),
        "tasks": [DuckDBTask().add_sql(EVENTS_SQL)],
    }
    return lambda project: Flow(**{**good, **fields})  # type: ignore[arg-type]


def day(number: int, *, aware: bool = False) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC if aware else None)


def stateless(project: Project) -> object:
    """Ask for the state of a flow that belongs nowhere."""
    spec = project.flow("events_flow").to_spec()
    set_current_home(None)
    return Flow.from_spec(spec).state


Call = Callable[[Project], object]

API: list[tuple[str, Call, type[SeeknalError], str]] = [
    ("project with a slash", lambda _: Project("a/b"), UsageError, "'a/b' is not a name; use 1"),
    ("project without a name", lambda _: Project(""), UsageError, "Project: the text '' is not a"),
    ("project not opened", lambda _: Project("x").root, UsageError, "call get_or_create() first."),
    ("two projects in a folder", lambda p: Project("other").get_or_create(p.root), ConfigError,
     "holds the project 'shop', not 'other'; use that name, or another folder."),
    ("project in a file", lambda p: Project("shop").get_or_create(p.root / "raw_events.duckdb"),
     ConfigError, "a file stands where a folder is needed"),
    ("flow with a slash", flow_of(name="a/b"), UsageError, "'a/b' is not a name"),
    ("flow with a quote", flow_of(name='a"b'), UsageError, "'a\"b' is not a name"),
    ("flow without a name", flow_of(name=""), UsageError, "the text '' is not a name"),
    ("flow named by a number", flow_of(name=7), UsageError, "a name must be text, not the number"),
    ("flow with a misspelt field", flow_of(shedule="@daily"), UsageError,
     "unknown field 'shedule'; did you mean 'schedule'?"),
    ("flow that differs by case", flow_of(name="Events_Flow"), ConfigError, "only by case"),
    ("flow without tasks", flow_of(tasks=[]), UsageError, "a flow needs at least one task."),
    ("flow with an empty task", flow_of(tasks=[DuckDBTask()]), UsageError, "add_sql(...)"),
    ("flow with bad cron", flow_of(schedule="* * *"), UsageError, "has 3 fields; write five"),
    ("flow in no zone", flow_of(schedule="@daily", timezone="Mars/Base"), UsageError,
     "There is no time zone 'Mars/Base'"),
    ("flow that begins never", flow_of(start_date="2024-02-30"), TimeError, "'2024-02-30'"),
    ("schedule beside values", flow_of(schedule="@daily", partition={"column": "region"}),
     UsageError, "its partitions need a format"),
    ("input of no kind", lambda _: FlowInput(kind="ftp", value="x"),  # type: ignore[arg-type]
     UsageError, "'kind' cannot be the text 'ftp'; choose from: database, parquet, csv, json."),
    ("input without paths", lambda _: FlowInput(kind="csv", value=()), UsageError,
     "the list of paths is empty; name at least one."),
    ("output that is a pattern", lambda _: FlowOutput(value="out/*"), UsageError,
     "an output is one folder, not a pattern."),
    ("empty SQL", lambda _: DuckDBTask().add_sql("  "), UsageError, "the SQL is empty; write a"),
    ("SQL that is no text", lambda _: DuckDBTask().add_sql(5),  # type: ignore[arg-type]
     UsageError, "SQL must be text, not the number 5."),
    ("unknown flow", lambda p: Flow.load("event_flow", p), UnknownNameError, "'events_flow'?"),
    ("bad schedule", lambda p: p.flow("events_flow").set_interval_schedule("@often"), UsageError,
     "'@often' has no times; use one of @hourly"),
    ("bad format", lambda p: p.flow("events_flow").set_partition_tracking("d", "%H"), UsageError,
     "does not name a range of time"),
    ("state of no project", stateless, UsageError,
     "The flow 'events_flow' is in no project; call Project(...).get_or_create()"),
    ("intervals backwards",
     lambda _: IntervalCalculator().get_missing_intervals([], day(7), day(1), "@daily"),
     TimeError, "is before the start 2024-01-07 00:00:00; swap the two."),
    ("naive and aware times", lambda _: IntervalCalculator().get_missing_intervals(
        [], day(1), day(7, aware=True), "@daily"), TimeError,
     "Some of these times carry a UTC offset and some do not; give all"),
    ("intervals of no schedule",
     lambda _: IntervalCalculator().calculate_intervals(day(1), day(2), "never"),
     UsageError, "'never' has 1 fields; write five"),
    ("calculator in no zone", lambda _: IntervalCalculator("Mars/Base"), UsageError, "Mars/Base"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "kind", "part"), [row[1:] for row in API], ids=[row[0] for row in API]
)
def test_a_mistake_in_python_is_one_sentence_and_changes_nothing(
    call: Call, kind: type[SeeknalError], part: str, world: World
) -> None:
    project = Project("shop").get_or_create(world.root)
    before, flows = world.state(), {p: p.read_text() for p in (world.root / "flows").iterdir()}
    with pytest.raises(kind) as caught:
        call(project)
    said = str(caught.value)
    assert part in said
    assert said.endswith((".", "?"))
    assert "\n" not in said
    assert all(never not in said for never in NEVER)
    assert world.state() == before
    assert {p: p.read_text() for p in (world.root / "flows").iterdir()} == flows
