"""After a run: what became of it, of each failure, of each unit; and what goes on from there."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import duckdb
import pytest

from tests.projects import Sandbox

ERROR = "The query failed: sensor 7 is broken."


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """A run of ten days, of which one has failed in one way, and two in another."""
    sandbox = Sandbox(tmp_path_factory.mktemp("ran") / "project")
    sandbox.events("2024-01-01", 10 * 24, "1 hour", table="stored").declare(
        sql=(
            "SELECT *, (CASE WHEN event_time::DATE IN ('2024-01-07', '2024-01-08') "
            "THEN 'day ' || day(event_time) ELSE '1' END)::INT AS one FROM events "
            "WHERE event_time >= '__START__' AND event_time < '__END__'"
        )
    )
    sandbox.breakable("event_time = '2024-01-03 05:00:00'")
    sandbox.call("run", "--backfill", code=1)
    return sandbox


@pytest.fixture
def project(ran: Sandbox, tmp_path: Path) -> Sandbox:
    """A copy of it for one test."""
    shutil.copytree(ran.root, tmp_path / "project")
    return Sandbox(tmp_path / "project")


@pytest.fixture
def failed(project: Sandbox) -> str:
    """The id of that run."""
    (run,) = project.call("runs", "list", "--json").json["runs"]
    assert (run["done"], run["failed"]) == (7, 3)
    return str(run["run"])


def mend(project: Sandbox) -> None:
    """Let the first of the failures be gone."""
    project.breakable()


# -- runs show ------------------------------------------------------------------------------------


def test_a_run_is_summed_up(project: Sandbox, failed: str) -> None:
    lines = project.call("runs", "show", failed).lines
    assert lines[0] == f"Run {failed} of events_flow: failed"
    text = "\n".join(lines)
    assert re.search(r"launched \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC by \S+@\S+", text)
    assert re.search(r"ended    \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, after [\d.]+ m?s", text)
    assert "  10 intervals (2024-01-01 to 2024-01-11)" in lines
    assert "  7 of 10 done, 3 failed, 0 running, 0 waiting" in lines
    assert re.search(r"168 rows, [\d.]+ kB, [\d.]+ m?s of work, 6 retries; [\d.]+/(s|min) on", text)


def test_failures_are_grouped_by_error_the_most_frequent_first(
    project: Sandbox, failed: str
) -> None:
    first, second = project.call("runs", "show", failed, "--json").json["failures"]
    assert (first["count"], second["count"]) == (2, 1)
    assert first["example"]["start"] == "2024-01-07T00:00:00+00:00"
    assert "Could not convert string 'day 7' to INT32" in first["example"]["error"]
    assert re.search(r"\(line 1, near \S+\)", first["example"]["error"])
    assert second["example"]["error"] == ERROR
    text = project.call("runs", "show", failed).out
    assert "2 units, for example 2024-01-07 to 2024-01-08 after 3 attempts: The query" in text
    assert f"1 unit, for example 2024-01-03 to 2024-01-04 after 3 attempts: {ERROR}" in text
    assert text.count("run them again: seeknal runs retry") == 2


def test_the_command_that_is_shown_retries_exactly_those(project: Sandbox, failed: str) -> None:
    mend(project)
    *_, line = project.call("runs", "show", failed).lines
    command = line.partition("run them again: ")[2]
    assert command.startswith(f"seeknal runs retry {failed} --failure ")
    retried = project.bash(command)
    assert retried.lines[0] == f"Retrying 1 failed unit of run {failed} (events_flow)"
    assert "is done: 1 of 1 done, 24 rows" in retried.lines[1]
    assert len(project.files()) == 8
    (rest,) = project.call("runs", "show", failed, "--json").json["failures"]
    assert rest["count"] == 2
    shown = project.call("runs", "show", failed).out
    assert "1 failed unit taken up by later runs" in shown


def test_an_id_is_the_same_in_the_next_run(project: Sandbox, failed: str) -> None:
    def ids(run: str) -> dict[str, int]:
        shown = project.call("runs", "show", run, "--json").json
        return {kind["id"]: kind["count"] for kind in shown["failures"]}

    before = ids(failed)
    project.call("runs", "retry", failed, code=1)
    newest = project.call("runs", "list", "--json").json["runs"][0]["run"]
    assert newest != failed
    assert ids(newest) == before


# -- runs retry -----------------------------------------------------------------------------------


def test_all_that_failed_is_retried_here_where_no_workers_share_the_store(
    project: Sandbox, failed: str
) -> None:
    mend(project)
    retried = project.seeknal("runs", "retry", failed, code=1)
    assert retried.lines[0] == f"Retrying 3 failed units of run {failed} (events_flow)"
    assert re.search(r"Run \S+ is failed: 1 of 3 done, 2 failed, 24 rows", retried.lines[1])
    assert re.search(r"See why with: seeknal runs show \S+", retried.err)
    assert len(project.files()) == 8
    newest = project.call("runs", "list", "--json").json["runs"][0]
    assert (newest["units"], newest["status"]) == (3, "failed")


def test_a_retry_that_is_complete_says_so_as_json(project: Sandbox, failed: str) -> None:
    mend(project)
    shown = project.call("runs", "show", failed, "--json").json
    name = next(k["id"] for k in shown["failures"] if k["example"]["error"] == ERROR)
    retried = project.call("runs", "retry", failed, "--failure", name, "--json").json
    assert (retried["units"], retried["done"], retried["status"]) == (1, 1, "done")


def test_what_cannot_be_retried_is_said(project: Sandbox, failed: str) -> None:
    unknown = project.call("runs", "retry", failed, "--failure", "abcdef", code=2)
    assert "is failed in the way 'abcdef'; there are " in unknown.err
    assert f"seeknal runs show {failed}" in unknown.err
    project.call("run", "--backfill", code=1)
    gone = project.call("runs", "retry", failed, code=2)
    assert f"No unit of run {failed} is failed; there is nothing to retry." in gone.err
    assert "There is no run 'nope'" in project.call("runs", "retry", "nope", code=2).err


# -- logs -----------------------------------------------------------------------------------------


def test_the_attempts_at_a_unit_that_failed(project: Sandbox, failed: str) -> None:
    shown = project.call("logs", "2024-01-03")
    assert shown.lines[0] == "2024-01-03 to 2024-01-04 of events_flow: failed"
    assert [line.strip() for line in shown.lines[2::2]] == [ERROR] * 3
    assert "failed for now after" in shown.lines[1]
    assert "failed for good after" in shown.lines[5]
    assert all(f", run {failed}" in line for line in shown.lines[1::2])
    told = project.call("logs", "2024-01-03", "--json").json
    assert [each["what"] for each in told["attempts"]] == ["retry", "retry", "failed"]
    assert told["published"] is None


def test_an_error_of_the_sql_says_where_in_it(project: Sandbox, failed: str) -> None:
    told = project.call("logs", "2024-01-07", "--run", failed, "--json").json
    assert re.search(r"\(line 1, near \S+\)\.$", told["attempts"][0]["error"])


def test_a_unit_that_failed_and_was_done_later_tells_all_of_it(
    project: Sandbox, failed: str
) -> None:
    mend(project)
    project.call("run", "--backfill", code=1)
    again = project.call("runs", "list", "--json").json["runs"][0]["run"]
    told = project.call("logs", "2024-01-03", "--json").json
    assert [(each["what"], each["run"]) for each in told["attempts"]] == [
        *[("retry", failed)] * 2, ("failed", failed), ("completed", again),
    ]  # fmt: skip
    assert told["status"] == "completed"
    assert told["published"]["provenance"]["seeknal_run"] == again
    first = project.call("logs", "2024-01-03", "--run", failed, "--json").json
    assert [each["what"] for each in first["attempts"]] == ["retry", "retry", "failed"]


def test_a_unit_that_went_well_at_once_has_its_event_and_its_file(
    project: Sandbox, failed: str
) -> None:
    shown = project.call("logs", "2024-01-02")
    assert shown.lines[0] == "2024-01-02 to 2024-01-03 of events_flow: completed"
    assert re.search(rf"completed after \S+ m?s on \S+, run {failed}: 24 rows, ", shown.lines[1])
    file = project.files()["20240102T000000Z_20240103T000000Z"]
    assert shown.lines[2] == f"Published: {file}"
    assert re.search(rf"24 rows, .* by run {failed}, token \d{{16}}$", shown.lines[3])
    told = project.call("logs", "2024-01-02", "--json").json["published"]
    assert told["rows"] == 24
    assert told["bytes"] == file.stat().st_size
    assert told["provenance"]["seeknal_attempt"] == "1"
    assert "seeknal_worker" in told["provenance"]


@pytest.mark.parametrize(
    "typed",
    [
        "2024-01-03",
        "2024-01-03 to 2024-01-04",
        "2024-01-03T00:00",
        "2024-01-03T00:00:00+00:00",
        "20240103T000000Z_20240104T000000Z",
        " 2024-01-03 ",
    ],
)
def test_a_unit_is_named_as_it_is_printed(project: Sandbox, failed: str, typed: str) -> None:
    assert project.call("logs", typed).lines[0].startswith("2024-01-03 to 2024-01-04 of events")


def test_what_intervals_failed_prints_can_be_pasted(project: Sandbox, failed: str) -> None:
    line = project.call("intervals", "failed").lines[1]
    unit = line.strip().partition(" (")[0]
    assert project.call("logs", unit, "--flow", "events_flow").lines[0].endswith(": failed")


def test_several_units_are_refused_with_one_of_them(project: Sandbox, failed: str) -> None:
    refused = project.call("logs", "2024-01-02 to 2024-01-05", code=2)
    assert "is 3 intervals of '@daily'" in refused.err
    assert "for example '2024-01-02 to 2024-01-03'" in refused.err


def test_a_unit_that_nobody_tried_is_refused(project: Sandbox, failed: str) -> None:
    refused = project.call("logs", "2024-03-01", code=2)
    assert "Nobody has tried '2024-03-01 to 2024-03-02' of flow 'events_flow' yet" in refused.err
    assert "is not a time" in project.call("logs", "nonsense", code=2).err


def test_a_unit_of_a_schedule_that_the_flow_had_is_found(project: Sandbox, failed: str) -> None:
    project.declare(schedule="@hourly")
    assert project.call("logs", "2024-01-03 to 2024-01-04").lines[0].endswith(": failed")
    assert project.call("logs", "2024-01-03").lines[0].endswith(": failed")
    refused = project.call("logs", "2024-02-03", code=2)
    assert "is 24 intervals of '@hourly'" in refused.err


def test_a_partition_is_a_unit(sandbox: Sandbox) -> None:
    sandbox.events("2024-01-01", 24, "1 hour").declare(
        "by_amount", schedule=None, partition={"column": "amount"},
        sql="SELECT * FROM events WHERE amount = '__PARTITION__'",
    )  # fmt: skip
    sandbox.call("run", "--partitions", "3,5")
    assert sandbox.call("logs", "3").lines[0] == "3 of by_amount: completed"
    assert sandbox.call("logs", "value=3").lines[0] == "3 of by_amount: completed"
    assert "Nobody has tried '4'" in sandbox.call("logs", "4", code=2).err


def test_what_was_marked_by_hand_is_completed_without_attempts(project: Sandbox) -> None:
    project.call("intervals", "complete", "--interval", "2024-01-20")
    assert project.call("logs", "2024-01-20").lines == [
        "2024-01-20 to 2024-01-21 of events_flow: completed"
    ]


# -- runs export ----------------------------------------------------------------------------------


def test_a_run_is_exported_for_duckdb(project: Sandbox, failed: str) -> None:
    wrote = project.seeknal("runs", "export", failed, "--to", "run.parquet")
    assert wrote.lines == ["Wrote 10 rows to run.parquet."]
    assert wrote.err == ""
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT status, count(*), sum(rows)::INT, min(attempts), max(attempts), "
            "count(worker), count(started), count(finished), count(error) "
            "FROM read_parquet(?) GROUP BY status ORDER BY status",
            [str(project.root / "run.parquet")],
        ).fetchall()
    assert found == [("done", 7, 168, 1, 1, 7, 7, 7, 0), ("failed", 3, None, 3, 3, 3, 3, 3, 3)]


def test_a_run_without_output_is_exported_as_well(project: Sandbox, failed: str) -> None:
    (project.root / "target" / "output").rename(project.root / "elsewhere")
    wrote = project.call("runs", "export", failed, "--to", "run.jsonl")
    assert "The run's output is not in sight here" in wrote.err
    rows = [json.loads(line) for line in (project.root / "run.jsonl").read_text().splitlines()]
    assert [row["status"] for row in rows].count("done") == 7
    assert sum(row["rows"] or 0 for row in rows) == 168


def test_a_file_that_cannot_be_written_is_said(project: Sandbox, failed: str) -> None:
    refused = project.call("runs", "export", failed, "--to", "run.csv", code=2)
    assert "neither Parquet nor JSON by its name" in refused.err
    (project.root / "file").write_text("")
    refused = project.call("runs", "export", failed, "--to", "file/run.json", code=2)
    assert "a file stands where a folder is needed" in refused.err
    assert not list(Path(project.root).glob("*.csv"))
