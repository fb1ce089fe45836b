"""Flows made in Python: what they hold, and how they are saved and loaded."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from seeknal.errors import (
    ConfigError,
    UnknownNameError,
    UsageError,
)
from seeknal.flow import Flow, FlowInput, FlowOutput, Partition
from seeknal.home import set_current_home
from seeknal.project import Project
from seeknal.tasks.duckdb import DuckDBTask
from seeknal.workflow.schedule import Schedule

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
