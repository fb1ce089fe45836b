"""The file of an exported state: read whole or refused, and readable by people."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seeknal.errors import ConfigError
from seeknal.statefile import Flow, StateFile, read_state, write_state
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import (
    CompletedValue,
    Completion,
    FlowState,
    Origin,
    Restatement,
    UnitRecord,
    UnitStatus,
)
from seeknal.workflow.units import PlannedUnit, Unit
from tests.contract.building import DAILY, DAY, HOUR, HOURLY, START

FAILED = UnitRecord(
    "run-1",
    PlannedUnit(Unit("events", START + 9 * DAY, START + 10 * DAY), Origin.RUN, DAILY),
    UnitStatus.FAILED,
    3,
    error='sensor "7" is broken',
)
STATE = FlowState(
    completions=(
        Completion(START, START + 3 * DAY, Origin.RUN, DAILY, "fp-1"),
        Completion(START + 3 * DAY, START + 3 * DAY + HOUR, Origin.MANUAL, HOURLY, ""),
    ),
    values=(CompletedValue("EU / ü", Origin.BACKFILL, "fp-2"),),
    restatements=(Restatement(START + DAY, START + 2 * DAY, DAILY, "late\ndata"),),
    restated_values={"EU / ü": "wrong"},
    unfinished=IntervalSet([(START + 9 * DAY, START + 10 * DAY)]),
    unfinished_values=frozenset({"US"}),
)
FILE = StateFile("shop", "2024-02-01T00:00:00+00:00", 1_795_409_793_325_057, {})
WHOLE = StateFile(FILE.project, FILE.exported, FILE.token, {"events": Flow(STATE, (FAILED,))})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "state.json"
    write_state(path, WHOLE)
    return path


def test_what_is_written_is_read(file: Path) -> None:
    found = read_state(file)
    assert (found.project, found.exported, found.token) == (
        WHOLE.project, WHOLE.exported, WHOLE.token,
    )  # fmt: skip
    assert dict(found.flows) == {"events": Flow(STATE)}


def test_no_flows_are_no_mistake(tmp_path: Path) -> None:
    write_state(tmp_path / "empty.json", FILE)
    assert read_state(tmp_path / "empty.json") == FILE


def test_people_can_read_it(file: Path) -> None:
    lines = file.read_text().splitlines()
    assert '  "seeknal_state": 1,' in lines
    (failed,) = (line for line in lines if "broken" in line)
    assert json.loads(failed) == {
        "unit": "20240110T000000Z_20240111T000000Z",
        "run": "run-1",
        "attempts": 3,
        "error": 'sensor "7" is broken',
    }
    assert '"start": "2024-01-01T00:00:00Z", "end": "2024-01-04T00:00:00Z"' in file.read_text()


def test_an_earlier_export_is_replaced_and_nothing_else(file: Path, tmp_path: Path) -> None:
    write_state(file, FILE)
    assert read_state(file) == FILE
    other = tmp_path / "notes.json"
    other.write_text('{"mine": 1}')
    with pytest.raises(ConfigError, match="is not a state file of Seeknal; give another name"):
        write_state(other, FILE)
    assert other.read_text() == '{"mine": 1}'
    with pytest.raises(ConfigError, match="a folder stands where a file is needed"):
        write_state(tmp_path, FILE)


def test_a_file_that_was_cut_off_is_refused_wherever_the_cut_is(file: Path) -> None:
    content = file.read_bytes()
    for length in range(0, len(content) - 2, 7):
        file.write_bytes(content[:length])
        with pytest.raises(ConfigError, match="cut off"):
            read_state(file)


@pytest.mark.parametrize(
    "content", ["[]", '"text"', "{}", '{"project": "shop", "flows": {}}', "null"]
)
def test_what_is_none_of_ours_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(content)
    with pytest.raises(ConfigError, match="is not a state file of Seeknal; give one"):
        read_state(file)


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read .*: No such file"):
        read_state(tmp_path / "gone.json")
    with pytest.raises(ConfigError, match=r"Cannot read .*: Is a directory"):
        read_state(tmp_path)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="not whole JSON"):
        read_state(tmp_path / "deep.json")


def changed(path: Path, change: Callable[[dict[str, Any]], object]) -> str:
    """Change the file by hand; return what reading it then says."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigError) as caught:
        read_state(path)
    assert str(caught.value).startswith(f"{path}")
    return str(caught.value)


def flow(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = content["flows"]["events"]
    return found


MISTAKES: list[tuple[Callable[[dict[str, Any]], object], str]] = [
    (lambda c: c.update(seeknal_state=2), "written by a newer Seeknal (its form is 2"),
    (lambda c: c.update(seeknal_state=0), "the number 0 is no version"),
    (lambda c: c.update(seeknal_state="1"), "is no version"),
    (lambda c: c.pop("token"), "the field 'token' is missing"),
    (lambda c: c.update(token=-1), "'token': the number -1 is not valid"),
    (lambda c: c.update(token=2**53), "'token': "),
    (lambda c: c.update(project="a b"), "'project': the text 'a b' is not a name"),
    (lambda c: c.update(token_="x"), "unknown field 'token_'"),
    (lambda c: c["flows"].update({"../x": {}}), "the text '../x' is not a name"),
    (lambda c: flow(c).update(complete=[]), "unknown field 'complete'"),
    (lambda c: flow(c)["completions"][0].update(start="soon"), "the text 'soon' is not a time"),
    (lambda c: flow(c)["completions"][0].update(start=5), "the number 5 is not a time"),
    (lambda c: flow(c)["completions"][0].update(end="2023-01-01"), "ends before it starts"),
    (lambda c: flow(c)["completions"][0].update(origin="magic"), "'magic'"),
    (lambda c: flow(c)["completions"][0].update(schedule="daily"), "is not a schedule"),
    (lambda c: flow(c)["completions"][1].update(start="2024-01-02"), "overlaps another one"),
    (lambda c: flow(c).update(values=[{"value": 7}]), "must be text, not the number 7"),
]


@pytest.mark.parametrize(("change", "told"), MISTAKES, ids=[told for _, told in MISTAKES])
def test_what_does_not_fit_is_refused_with_its_place(
    file: Path, change: Callable[[dict[str, Any]], object], told: str
) -> None:
    assert told in changed(file, change)


def test_of_many_mistakes_the_first_are_told(file: Path) -> None:
    said = changed(file, lambda c: flow(c).update(completions=[{}] * 10))
    assert "There are 45 more mistakes." in said
    assert said.endswith("Nothing was changed; export anew, or correct the file.")
