"""The readable copy of the state: what it says, how small it is, and that it is replaced whole."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from seeknal.errors import ConfigError
from seeknal.flow import Flow, FlowInput
from seeknal.home import set_current_home
from seeknal.mirror import write_mirror
from seeknal.project import Project
from seeknal.tasks.duckdb import DuckDBTask
from seeknal.workflow.state import CompletedValue, Completion, FlowState, Origin, Restatement

JAN_1 = 1_704_067_200
HOUR = 3600
DAY = 24 * HOUR
HOURLY = "@hourly UTC"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    for name in [name for name in os.environ if name.startswith("SEEKNAL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    yield Project(name="p").get_or_create()
    set_current_home(None)


def flow(name: str = "f", form: str | None = None, **fields: str) -> Flow:
    made = Flow(
        name=name,
        input=FlowInput(kind="csv", value="x"),
        tasks=[DuckDBTask().add_sql("SELECT 1")],
        **fields,  # type: ignore[arg-type]
    )
    return made.set_partition_tracking("d", form) if form else made


def done(start: int, end: int, schedule: str = HOURLY, origin: Origin = Origin.RUN) -> Completion:
    return Completion(start, end, origin, schedule, "f")


def test_it_says_what_is_completed_and_what_is_restated(project: Project) -> None:
    flow("daily", "%Y-%m-%d", timezone="America/New_York", schedule="@daily")
    flow("regions").set_partition_tracking("region")
    zone, start = "@daily America/New_York", JAN_1 + 5 * HOUR
    states = {
        "regions": FlowState(
            values=(CompletedValue("EU", Origin.RUN, "f"),), restated_values={"EU": "a bug"}
        ),
        "daily": FlowState(
            completions=(
                done(start, start + 2 * DAY, zone),
                done(start + 2 * DAY, start + 3 * DAY, zone, Origin.BACKFILL),
            ),
            restatements=(Restatement(start, start + DAY, zone, "a bug"),),
        ),
    }
    path = write_mirror(project, states)
    assert path == project.target / "run_state.json"
    nothing: list[str] = []
    assert json.loads(path.read_text()) == {
        "project": "p",
        "flows": {
            "daily": {
                "timezone": "America/New_York",
                "completed_intervals": [["2024-01-01T00:00:00-05:00", "2024-01-04T00:00:00-05:00"]],
                "completed_partitions": ["2024-01-01..2024-01-03"],
                "restatement_intervals": [
                    ["2024-01-01T00:00:00-05:00", "2024-01-02T00:00:00-05:00"]
                ],
                "restatement_partitions": nothing,
                "counts": {"completed": 3, "backfill": 1, "run": 2},
            },
            "regions": {
                "timezone": "UTC",
                "completed_intervals": nothing,
                "completed_partitions": ["EU"],
                "restatement_intervals": nothing,
                "restatement_partitions": ["EU"],
                "counts": {"completed": 1, "run": 1},
            },
        },
    }


def test_what_the_tutorial_greps_is_on_a_line(project: Project) -> None:
    flow()
    path = write_mirror(project, {"f": FlowState(completions=(done(JAN_1, JAN_1 + DAY),))})
    lines = [line for line in path.read_text().splitlines() if "completed_intervals" in line]
    assert lines == [
        '      "completed_intervals": [["2024-01-01T00:00:00+00:00", "2024-01-02T00:00:00+00:00"]],'
    ]


def test_it_stays_small_however_many_units_are_contiguous(project: Project) -> None:
    flow(form="%Y-%m-%dT%H", schedule="@hourly")
    state = FlowState(completions=(done(JAN_1 - 100_000 * HOUR, JAN_1),))
    path = write_mirror(project, {"f": state})
    assert path.stat().st_size < 1000
    found = json.loads(path.read_text())["flows"]["f"]
    assert found["counts"]["completed"] == 100_000
    assert found["completed_partitions"] == ["2012-08-04T08..2023-12-31T23"]


def test_flows_whose_file_is_gone_or_broken_are_in_it(project: Project) -> None:
    Path("flows/broken.yml").write_text("- no\n")
    state = FlowState(completions=(done(JAN_1, JAN_1 + DAY),))
    path = write_mirror(project, {"broken": state, "gone": state})
    assert sorted(json.loads(path.read_text())["flows"]) == ["broken", "gone"]


def test_it_replaces_what_was_there_whatever_it_was(project: Project) -> None:
    (project.target / "run_state.json").write_text('{"flows": {"f"')
    assert json.loads(write_mirror(project, {}).read_text()) == {"project": "p", "flows": {}}
    assert [path.name for path in project.target.iterdir()] == ["run_state.json"]


def test_it_says_when_it_cannot_be_written(project: Project) -> None:
    (project.target / "run_state.json").mkdir()
    with pytest.raises(ConfigError, match=r"Cannot write .*run_state\.json: Is a directory"):
        write_mirror(project, {})
