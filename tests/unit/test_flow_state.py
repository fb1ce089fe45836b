"""What a flow tells of its state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from seeknal.flow import Flow, FlowInput
from seeknal.home import set_current_home
from seeknal.project import Project
from seeknal.stores.base import Change
from seeknal.tasks.duckdb import DuckDBTask
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


class TestState:
    def complete(self, project: Project, *completions: Completion, values: str = "") -> None:
        store = project.open_store()
        done = [CompletedValue(value, Origin.RUN, "f") for value in values]
        store.mark("events_flow", completions, done, Change("me", "complete", "these"))
        store.close()

    def test_it_lists_units_and_merges_ranges(self, project: Project) -> None:
        flow = make(schedule="@daily").set_partition_tracking("d", "%Y-%m-%d")
        self.complete(project, Completion(JAN_1, JAN_1 + 2 * DAY, Origin.RUN, "@daily UTC", "f"))
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
