"""Flows made in Python: what they hold, refuse, save and tell."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from seeknal.errors import (
    ConfigError,
    ScheduleError,
    SeeknalError,
    TimeError,
    UnknownNameError,
    UsageError,
)
from seeknal.flow import Flow, FlowInput, FlowOutput, Partition
from seeknal.home import set_current_home
from seeknal.project import Project
from seeknal.stores.base import Change
from seeknal.tasks.duckdb import DuckDBTask
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import CompletedValue, Completion, Origin, Restatement

SQL = "SELECT * FROM events WHERE event_time >= '__START__' AND event_time < '__END__'"
DAY = 86_400
JAN_1 = 1_704_067_200


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


def text(name: str = "events_flow") -> str:
    return Path("flows", f"{name}.yml").read_text("utf-8")


class TestSaving:
    def test_a_flow_saves_itself_when_it_is_made_and_when_it_changes(
        self, project: Project
    ) -> None:
        flow = make(output=FlowOutput())
        made = text()
        flow.set_interval_schedule(schedule="@daily")
        flow.set_partition_tracking(partition_column="event_date", partition_format="%Y-%m-%d")
        assert "schedule" not in made
        assert text() == (
            "name: events_flow\n"
            "schedule: '@daily'\n"
            "partition:\n"
            "  column: event_date\n"
            "  format: '%Y-%m-%d'\n"
            "input:\n"
            "  kind: database\n"
            "  value: raw_events\n"
            "tasks:\n"
            "- kind: duckdb\n"
            "  sql: |\n"
            f"    {SQL}\n"
        )

    def test_nothing_is_saved_while_no_project_is_current(self, tmp_path: Path) -> None:
        flow = make()
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(UsageError, match=r"'events_flow' is in no project; call Project"):
            flow.save()
        with pytest.raises(UsageError, match="is in no project"):
            _ = flow.state

    def test_a_flow_made_before_the_project_joins_it_when_it_is_saved(self) -> None:
        flow = make()
        Project(name="p").get_or_create()
        flow.save()
        flow.set_interval_schedule("@hourly")
        assert "schedule: '@hourly'" in text()

    def test_all_fields_are_written_in_their_order_and_read_back(self, project: Project) -> None:
        flow = make(
            name="full",
            input=FlowInput(
                kind="csv", value=["a.csv", "b/*.csv"], name="rows", options={"delim": ";"}
            ),
            tasks=[DuckDBTask().add_sql("SELECT 1\nFROM rows").add_sql("SELECT * FROM __THIS__")],
            output=FlowOutput(value="elsewhere"),
            schedule="0 6 * * *",
            timezone="America/New_York",
            start_date=date(2024, 1, 1),
            data_lag="90m",
            time_column="t",
            partition=Partition(column="day", format="%Y%m%d"),
            description="One.\nTwo.",
        )
        assert text("full") == (
            "name: full\ndescription: |-\n  One.\n  Two.\nschedule: 0 6 * * *\n"
            "timezone: America/New_York\nstart_date: 2024-01-01\ndata_lag: 90m\ntime_column: t\n"
            "partition:\n  column: day\n  format: '%Y%m%d'\n"
            "input:\n  kind: csv\n  value:\n  - a.csv\n  - b/*.csv\n  name: rows\n"
            "  options:\n    delim: ;\n"
            "tasks:\n- kind: duckdb\n  sql:\n  - |\n    SELECT 1\n    FROM rows\n"
            "  - |\n    SELECT * FROM __THIS__\n"
            "output:\n  kind: parquet\n  value: elsewhere\n"
        )
        loaded = Flow.load("full")
        assert loaded.to_spec() == flow.to_spec()
        assert loaded.data_lag == 5400
        assert loaded.input.options == {"delim": ";"}

    def test_a_rewrite_that_changes_nothing_does_not_touch_the_file(self, project: Project) -> None:
        make(schedule="@daily")
        path = Path("flows/events_flow.yml")
        path.write_text("# Mine.\n" + path.read_text() + "timezone: UTC\n")
        before = path.stat()
        make(schedule="@daily")
        Flow.load("events_flow").set_interval_schedule("@daily").save()
        after = path.stat()
        assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_a_change_keeps_the_comments_of_what_did_not_change(self, project: Project) -> None:
        make(schedule="@daily")
        path = Path("flows/events_flow.yml")
        path.write_text(
            "# Owned by sales.\n"
            + path.read_text().replace("input:", "# From the shop.\ninput:  # raw\n  # as it is")
        )
        before = path.read_text()
        Flow.load("events_flow").set_interval_schedule("@hourly", "Asia/Tokyo")
        assert path.read_text() == before.replace(
            "schedule: '@daily'\n", "schedule: '@hourly'\ntimezone: Asia/Tokyo\n"
        )

    def test_a_file_whose_fields_share_a_line_is_written_anew(self, project: Project) -> None:
        path = Path("flows/f.yml")
        path.write_text(
            "{name: f, schedule: '@daily', input: {kind: csv, value: x},\n"
            " tasks: [{sql: SELECT 1}]}\n"
        )
        Flow.load("f").set_interval_schedule("@hourly")
        assert path.read_text().startswith("name: f\nschedule: '@hourly'\n")

    def test_a_broken_file_is_not_replaced(self, project: Project) -> None:
        path = Path("flows/events_flow.yml")
        path.write_text("name: events_flow\nshedule: x\n")
        with pytest.raises(ConfigError, match=r"flows/events_flow\.yml, line 2: unknown field"):
            make()
        assert path.read_text() == "name: events_flow\nshedule: x\n"

    def test_a_setter_that_cannot_save_changes_nothing(self, project: Project) -> None:
        task = DuckDBTask().add_sql("SELECT 1")
        flow = make(tasks=[task])
        Path("flows/events_flow.yml").write_text("- broken\n")
        with pytest.raises(ConfigError):
            flow.set_interval_schedule("@daily")
        assert flow.schedule is None
        with pytest.raises(ConfigError):
            task.add_sql("SELECT 2")
        assert task.sql == ("SELECT 1",)

    def test_a_step_added_later_is_saved_too(self, project: Project) -> None:
        task = DuckDBTask().add_sql("SELECT 1")
        flow = make(tasks=task)
        task.add_sql("SELECT 2 FROM __THIS__")
        assert Flow.load("events_flow").tasks[0].sql == ("SELECT 1", "SELECT 2 FROM __THIS__")
        assert flow.tasks == (task,)

    def test_a_file_with_the_other_suffix_is_kept(self, project: Project) -> None:
        Path("flows/f.yaml").write_text(
            "name: f\ninput: {kind: csv, value: x}\ntasks: [{sql: S}]\n"
        )
        Flow.load("f").set_interval_schedule("@daily")
        assert "@daily" in Path("flows/f.yaml").read_text()
        assert not Path("flows/f.yml").exists()

    def test_a_link_is_followed_and_permissions_stay(self, project: Project) -> None:
        make()
        real = Path("flows/events_flow.yml").rename(Path("real.yml"))
        real.chmod(0o640)
        Path("flows/events_flow.yml").symlink_to(real.resolve())
        Flow.load("events_flow").set_interval_schedule("@daily")
        assert Path("flows/events_flow.yml").is_symlink()
        assert "@daily" in real.read_text()
        assert real.stat().st_mode & 0o777 == 0o640

    def test_a_name_that_differs_only_by_case_is_refused(self, project: Project) -> None:
        make()
        with pytest.raises(ConfigError, match="'events_flow' differs from 'Events_Flow' only by"):
            make(name="Events_Flow")

    def test_readers_never_see_half_a_file(self, project: Project) -> None:
        make()
        failures: list[BaseException] = []

        def write(cron: str) -> None:
            try:
                for _ in range(15):
                    make(schedule=cron)
                    Flow.load("events_flow")
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=write, args=(c,)) for c in ("@daily", "@hourly", None)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert [path.name for path in Path("flows").iterdir()] == ["events_flow.yml"]

    def test_paths_within_the_data_root_enter_a_spec_as_relative_ones(
        self, project: Project, tmp_path: Path
    ) -> None:
        flow = make(
            input=FlowInput(kind="parquet", value=[str(tmp_path / "data" / "*.parquet"), "/far/x"]),
            output=FlowOutput(value=str(tmp_path / "out")),
        )
        assert flow.to_spec()["input"]["value"] == ["data/*.parquet", "/far/x"]
        assert flow.output.value == "out"
        assert str(tmp_path) not in text()


class TestMeaning:
    def test_the_schedule_reads_well(self) -> None:
        flow = make(schedule="@daily", timezone="America/New_York")
        assert flow.interval_schedule == Schedule("@daily", "America/New_York")
        assert str(flow.interval_schedule) == "@daily America/New_York"
        assert make().interval_schedule is None

    def test_a_schedule_may_be_given_as_one(self) -> None:
        flow = make().set_interval_schedule(Schedule("@hourly", "Asia/Tokyo"))
        assert (flow.schedule, flow.timezone) == ("@hourly", "Asia/Tokyo")

    def test_the_zone_stays_unless_it_is_given(self) -> None:
        flow = make(timezone="Asia/Tokyo").set_interval_schedule("@daily")
        assert flow.timezone == "Asia/Tokyo"
        assert flow.set_interval_schedule("@daily", "UTC").timezone == "UTC"

    def test_without_a_format_the_units_are_values(self) -> None:
        flow = make().set_partition_tracking("region")
        assert flow.by_value
        assert flow.partition == Partition(column="region")
        assert not flow.set_partition_tracking("day", "%Y-%m").by_value
        assert flow.set_partition_tracking(None).partition is None

    def test_values_and_a_schedule_exclude_each_other(self) -> None:
        flow = make(schedule="@daily")
        with pytest.raises(UsageError, match=r"has a schedule \(@daily\), so its partitions need"):
            flow.set_partition_tracking("region")
        assert flow.partition is None
        flow.set_interval_schedule(None).set_partition_tracking("region")
        with pytest.raises(UsageError, match="the values of the column 'region' are the units"):
            flow.set_interval_schedule("@daily")
        assert flow.schedule is None

    @pytest.mark.parametrize(
        ("given", "seconds", "written"),
        [("2h", 7200, "2h"), (7200, 7200, "2h"), ("1d", 86_400, "1d"), ("1d12h", 129_600, "36h"),
         ("1w", 604_800, "7d"), (timedelta(minutes=90), 5400, "90m"), ("45", 45, "45s"),
         (0, 0, None),         (200_000, 200_000, "2d7h33m20s")],
    )  # fmt: skip
    def test_a_lag_is_seconds_or_text(self, given: Any, seconds: int, written: str | None) -> None:
        flow = make(data_lag=given)
        assert flow.data_lag == seconds
        assert flow.to_spec().get("data_lag") == written
        assert Flow.from_spec(flow.to_spec()).data_lag == seconds

    @pytest.mark.parametrize(
        ("given", "kept"),
        [("2024-01-01", "2024-01-01"), (date(2024, 1, 1), "2024-01-01"),
         (datetime(2024, 1, 1), "2024-01-01"), (datetime(2024, 1, 1, 5), "2024-01-01T05:00:00"),
         (datetime(2024, 1, 1, tzinfo=UTC), "2024-01-01T00:00:00+00:00")],
    )  # fmt: skip
    def test_a_start_is_a_date_or_a_datetime(self, given: Any, kept: str) -> None:
        assert make(start_date=given).start_date == kept

    def test_the_time_column_may_stand_with_the_input(self) -> None:
        given = FlowInput(kind="csv", value="x", time_column="t")
        assert make(input=given).time_column == "t"
        assert make(input=given, time_column="t").time_column == "t"

    def test_indentation_that_comes_from_python_is_taken_off(self) -> None:
        task = DuckDBTask().add_sql(
            """
            SELECT a,
                   b
            FROM t
            """
        )
        assert task.sql == ("SELECT a,\n       b\nFROM t",)

    @pytest.mark.parametrize(
        "sql", ["SELECT 'a  \n  b'", "SELECT $$\n  x  \n$$", '  SELECT 1 AS "a \n b"']
    )
    def test_blanks_within_a_literal_stay(self, sql: str, project: Project) -> None:
        make(tasks=[DuckDBTask().add_sql(sql)])
        assert Flow.load("events_flow").tasks[0].sql == (sql.strip(),)

    def test_a_spec_is_json_and_makes_the_same_flow(self) -> None:
        flow = make(schedule="@daily", data_lag="2h", output=FlowOutput(kind="none"))
        spec = json.loads(json.dumps(flow.to_spec()))
        assert spec == {
            "name": "events_flow",
            "schedule": "@daily",
            "data_lag": "2h",
            "input": {"kind": "database", "value": "raw_events"},
            "tasks": [{"kind": "duckdb", "sql": SQL}],
            "output": {"kind": "none"},
        }
        assert Flow.from_spec(spec).to_spec() == spec

    def test_a_flow_of_a_spec_is_not_saved(self, project: Project) -> None:
        Flow.from_spec(make().to_spec() | {"name": "other"}, project)
        assert [path.name for path in Path("flows").iterdir()] == ["events_flow.yml"]


class TestLoading:
    def test_a_flow_is_found_from_a_folder_below_the_project(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make(schedule="@daily")
        set_current_home(None)
        monkeypatch.chdir("flows")
        assert str(Flow.load("events_flow").interval_schedule) == "@daily UTC"

    def test_a_loaded_flow_saves_itself_when_it_changes(self, project: Project) -> None:
        make()
        set_current_home(None)
        Flow.load("events_flow").set_interval_schedule("0 * * * *")
        assert "schedule: 0 * * * *" in text()

    def test_an_unknown_flow_is_said_with_the_nearest(self, project: Project) -> None:
        with pytest.raises(UnknownNameError, match=r"no flow 'x' .*; there are no flows yet\."):
            Flow.load("x")
        make()
        with pytest.raises(UnknownNameError, match=r"did you mean 'events_flow'\?"):
            Flow.load("event_flow")

    def test_a_file_must_have_its_flows_name(self, project: Project) -> None:
        make()
        Path("flows/events_flow.yml").rename("flows/other.yml")
        with pytest.raises(
            ConfigError,
            match=r"flows/other\.yml, line 1: the name 'events_flow' is not the file's, 'other'",
        ):
            Flow.load("other")

    def test_two_files_of_one_flow_are_refused(self, project: Project) -> None:
        make()
        Path("flows/events_flow.yaml").write_text(text())
        with pytest.raises(ConfigError, match="both name the flow 'events_flow'; remove one"):
            Flow.load("events_flow")


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
        lambda: make(
            input=FlowInput(kind="csv", value="x", time_column="a"), time_column="b"
        ),
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


class TestState:
    def complete(self, project: Project, *completions: Completion, values: str = "") -> None:
        store = project.open_store()
        done = [CompletedValue(value, Origin.RUN, "f") for value in values]
        store.mark("events_flow", completions, done, Change("me", "complete", "these"))
        store.close()

    def test_it_lists_units_and_merges_ranges(self, project: Project) -> None:
        flow = make(schedule="@daily").set_partition_tracking("d", "%Y-%m-%d")
        self.complete(
            project, Completion(JAN_1, JAN_1 + 2 * DAY, Origin.RUN, "@daily UTC", "f")
        )
        state = flow.state
        assert state.completed_intervals == [
            (datetime(2024, 1, 1), datetime(2024, 1, 2)),
            (datetime(2024, 1, 2), datetime(2024, 1, 3)),
        ]
        assert state.merged_intervals == [(datetime(2024, 1, 1), datetime(2024, 1, 3))]
        assert state.completed_partitions == ["2024-01-01", "2024-01-02"]
        assert state.restatement_intervals == []
        assert repr(state) == (
            "NodeState('events_flow', completed=[2024-01-01 00:00:00 to 2024-01-03 00:00:00], "
            "restated=[])"
        )

    def test_units_have_the_shape_of_the_schedule_that_completed_them(
        self, project: Project
    ) -> None:
        flow = make(schedule="@daily", timezone="America/New_York")
        zone, hour = "America/New_York", 3600
        midnight = JAN_1 + 5 * hour
        self.complete(
            project,
            Completion(midnight, midnight + DAY, Origin.RUN, f"@daily {zone}", "f"),
            Completion(midnight + DAY, midnight + DAY + hour, Origin.RUN, f"@hourly {zone}", "f"),
        )
        assert flow.state.completed_intervals == [
            (datetime(2024, 1, 1), datetime(2024, 1, 2)),
            (datetime(2024, 1, 2), datetime(2024, 1, 2, 1)),
        ]

    def test_restatements_and_values(self, project: Project) -> None:
        flow = make()
        flow.set_partition_tracking("region")
        self.complete(
            project, Completion(JAN_1, JAN_1 + DAY, Origin.RUN, "@daily UTC", "f"), values="AB"
        )
        store = project.open_store()
        store.restate(
            "events_flow",
            [Restatement(JAN_1, JAN_1 + DAY, "@daily UTC", "a bug")],
            ["B"],
            Change("me", "restate", "these", "a bug"),
        )
        store.close()
        state = flow.state
        assert state.completed_partitions == ["A", "B"]
        assert state.restatement_intervals == [(datetime(2024, 1, 1), datetime(2024, 1, 2))]
        assert state.restatement_partitions == ["B"]

    def test_what_documentation_assigns_to_the_class_changes_no_flow(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from seeknal.state import NodeState

        monkeypatch.setattr(NodeState, "completed_intervals", [("a", "b")], raising=False)
        assert make().state.completed_intervals == []
