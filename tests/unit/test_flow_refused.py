"""Mistakes in flows made in Python: each is one sentence, and names the field."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seeknal.errors import (
    ConfigError,
    ScheduleError,
    SeeknalError,
    TimeError,
    UsageError,
)
from seeknal.flow import Flow, FlowInput, FlowOutput
from seeknal.home import set_current_home
from seeknal.project import Project
from seeknal.tasks.duckdb import DuckDBTask

SQL = "SELECT * FROM events WHERE event_time >= '__START__' AND event_time < '__END__'"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in os.environ if name.startswith("SEEKNAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    set_current_home(None)
    yield
    set_current_home(None)


@pytest.fixture
def project() -> Project:
    return Project(name="ecommerce").get_or_create()


def make(**fields: Any) -> Flow:
    given: dict[str, Any] = {
        "name": "events_flow",
        "input": FlowInput(kind="database", value="raw_events"),
        "tasks": [DuckDBTask().add_sql(SQL)],
    }
    return Flow(**{**given, **fields})


REFUSED: list[tuple[str, Callable[[], object], type[SeeknalError], str]] = [
    ("no name", lambda: make(name=""), UsageError, "Flow: 'name': the text '' is not a name;"),
    ("a slash", lambda: make(name="a/b"), UsageError, "Flow 'a/b': 'name': the text 'a/b' is not"),
    ("a quote", lambda: make(name="a'b"), UsageError, "is not a name"),
    ("a space", lambda: make(name="a b"), UsageError, "is not a name"),
    ("a dot", lambda: make(name="a.b"), UsageError, "is not a name"),
    ("a dash first", lambda: make(name="-a"), UsageError, "not beginning with '-'."),
    ("too long", lambda: make(name="a" * 101), UsageError, "use 1 to 100 letters"),
    ("a newline", lambda: make(name="a\n"), UsageError, "is not a name"),
    ("not ASCII", lambda: make(name="é"), UsageError, "is not a name"),
    ("a number", lambda: make(name=5), UsageError, "a name must be text, not the number 5"),
    ("no input", lambda: make(input=None), UsageError, "the field 'input' is missing."),
    ("text as input", lambda: make(input="x"), UsageError, "'input' must be a FlowInput, not the"),
    ("no tasks", lambda: make(tasks=[]), UsageError, "a flow needs at least one task"),
    ("no SQL", lambda: make(tasks=[DuckDBTask()]), UsageError, "the task has no SQL; add some"),
    ("tasks of text", lambda: make(tasks=["S"]), UsageError, "'tasks[0]' must be a DuckDBTask,"),
    ("tasks of None", lambda: make(tasks=None), UsageError, "'tasks' must be a list, not nothing."),
    (
        "an unknown field",
        lambda: make(shedule="@daily"),
        UsageError,
        "Flow: unknown field 'shedule'; did you mean 'schedule'?",
    ),
    ("cron", lambda: make(schedule="every day"), ScheduleError, "Flow 'events_flow': 'schedule': "),
    ("cron", lambda: make().set_interval_schedule("x"), ScheduleError, "'schedule': "),
    ("empty cron", lambda: make().set_interval_schedule(""), ScheduleError, "'schedule': "),
    (
        "cron of a number",
        lambda: make().set_interval_schedule(5),  # type: ignore[arg-type]
        UsageError,
        "'schedule' must be text, not the number 5",
    ),
    ("a zone", lambda: make(timezone="Mars"), ScheduleError, "'timezone': There is no time zone"),
    (
        "a zone",
        lambda: make().set_interval_schedule("@daily", "Europe/Lodnon"),
        ScheduleError,
        "did you mean 'Europe/London'?",
    ),
    ("a start", lambda: make(start_date="soon"), TimeError, "'start_date': 'soon' is not a time;"),
    ("a start of a number", lambda: make(start_date=5), UsageError, "'start_date' must be text"),
    ("a lag", lambda: make(data_lag="2 parsecs"), TimeError, "'2 parsecs' is not a duration;"),
    ("a negative lag", lambda: make(data_lag=-1), TimeError, "-1 is not a duration"),
    ("half a second", lambda: make(data_lag=0.5), TimeError, "0.5 is not a duration"),
    ("a lag of truth", lambda: make(data_lag=True), TimeError, "True is not a duration"),
    ("a lag twice", lambda: make(data_lag="1h1h"), TimeError, "'1h1h' is not a duration"),
    (
        "a format",
        lambda: make().set_partition_tracking("d", "%d"),
        UsageError,
        "'partition.format': The partition format '%d' does not name a range of time",
    ),
    (
        "an empty column",
        lambda: make().set_partition_tracking(""),
        UsageError,
        "'partition.column': a column's name must not be empty.",
    ),
    (
        "a format alone",
        lambda: make().set_partition_tracking(None, "%Y"),
        UsageError,
        "'partition.column' must be text, not nothing.",
    ),
    (
        "two time columns",
        lambda: make(input=FlowInput(kind="csv", value="x", time_column="a"), time_column="b"),
        UsageError,
        "'time_column': it is 'b' here and 'a' in the input; keep one.",
    ),
    (
        "a kind of input",
        lambda: FlowInput(kind="databse", value="x"),  # type: ignore[arg-type]
        UsageError,
        "FlowInput: 'kind' cannot be the text 'databse'; did you mean 'database'?",
    ),
    (
        "a field of the input",
        lambda: FlowInput(kind="csv", valeu="x"),  # type: ignore[call-arg]
        UsageError,
        "FlowInput: unknown field 'valeu'; did you mean 'value'?",
    ),
    ("no paths", lambda: FlowInput(kind="csv", value=()), UsageError, "the list of paths is empty"),
    ("an empty path", lambda: FlowInput(kind="csv", value=" "), UsageError, "must not be empty"),
    (
        "two databases",
        lambda: FlowInput(kind="database", value=("a", "b")),
        UsageError,
        "'value': a database is one name, not a list.",
    ),
    (
        "a database's options",
        lambda: FlowInput(kind="database", value="a", options={"x": 1}),
        UsageError,
        "'options': only files have it, a database does not.",
    ),
    (
        "an SQL name",
        lambda: FlowInput(kind="csv", value="a", name="a b"),
        UsageError,
        "'name': 'a b' is not a name for SQL; use letters, digits and '_'.",
    ),
    (
        "an option",
        lambda: FlowInput(kind="csv", value="a", options={"x": float("nan")}),
        UsageError,
        "'options.x': an option is text, a number, true, false, or a list or mapping of them",
    ),
    (
        "a kind of output",
        lambda: FlowOutput(kind="csv"),  # type: ignore[arg-type]
        UsageError,
        "FlowOutput: 'kind' cannot be the text 'csv'; choose from: parquet, none.",
    ),
    (
        "a place for nothing",
        lambda: FlowOutput(kind="none", value="x"),
        UsageError,
        "an output of the kind 'none' goes nowhere",
    ),
    ("an output's pattern", lambda: FlowOutput(value="out/*"), UsageError, "not a pattern."),
    ("empty SQL", lambda: DuckDBTask().add_sql(" \n"), UsageError, "the SQL is empty; write a"),
    (
        "SQL of bytes",
        lambda: DuckDBTask().add_sql(b"S"),  # type: ignore[arg-type]
        UsageError,
        "DuckDBTask: SQL must be text, not a bytes.",
    ),
    (
        "assignment",
        lambda: setattr(FlowOutput(), "kind", "none"),
        UsageError,
        "FlowOutput.kind cannot be assigned; make a new one.",
    ),
    (
        "a spec",
        lambda: Flow.from_spec({"name": "x", "tasks": [{"sql": "S"}]}),
        ConfigError,
        "Flow 'x': the field 'input' is missing.",
    ),
    (
        "a spec of text",
        lambda: Flow.from_spec("x"),  # type: ignore[arg-type]
        ConfigError,
        "A flow's spec must be a mapping, not the text 'x'.",
    ),
]


@pytest.mark.parametrize(
    ("call", "kind", "part"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_a_mistake_is_refused_in_a_sentence(
    call: Callable[[], object], kind: type[SeeknalError], part: str, project: Project
) -> None:
    with pytest.raises(SeeknalError) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) is kind, message
    assert part in message
    assert message.endswith((".", "?"))
    assert "\n" not in message
    assert "pydantic" not in message
