"""A flow's SQL changes: what is told, counted, warned of, and done again by the command given."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import pytest

from tests.projects import EVENTS_SQL, Result, Sandbox

DAYS = 5
WITH_TAX = EVENTS_SQL.replace("*", "*, amount * 0.2 AS tax")
ONLY_PAID = EVENTS_SQL + " AND amount > 0"


@pytest.fixture
def done(sandbox: Sandbox) -> Sandbox:
    """A daily flow with five days done."""
    sandbox.declare().events("2024-01-01", DAYS * 24, "1 hour")
    sandbox.call("run")
    return sandbox


def commands(result: Result) -> list[str]:
    """The commands that a plan says."""
    return re.findall(r"^  (seeknal .+)$", result.out, flags=re.MULTILINE)


def follow(sandbox: Sandbox, result: Result) -> Result:
    """Copy a plan's commands into a shell."""
    assert commands(result)
    return sandbox.bash("\n".join(commands(result)))


def assert_silent(sandbox: Sandbox, name: str = "events_flow") -> None:
    result = sandbox.call("plan")
    assert (result.out, result.err) == ("", f"{name}: nothing changed.\n")
    assert "Warning" not in sandbox.call("run", "--dry-run").err


def test_a_column_more_is_told_counted_and_done_again_by_what_is_printed(done: Sandbox) -> None:
    assert_silent(done)
    done.declare(sql=WITH_TAX)
    told = done.seeknal("plan", code=1)
    assert told.lines == [
        "events_flow: column added: tax (5 intervals)",
        "Made before:",
        "  2024-01-01 to 2024-01-06 (5 intervals)",
        "To do them again:",
        "  seeknal intervals restate --flow events_flow --start 2024-01-01 --end 2024-01-06 "
        "--reason 'Column added: tax'",
        "  seeknal run --backfill --flow events_flow",
    ]
    assert told.err == ""
    ran = follow(done, told)
    assert "Processing 5 restated intervals (2024-01-01 to 2024-01-06)" in ran.out
    done.assert_output_is("SELECT *, amount * 0.2 AS tax FROM events")
    assert_silent(done)
    (entry,) = done.call("audit", "--json").json["audit"]
    assert entry["reason"] == "Column added: tax"


def test_formatting_is_told_and_nobody_is_warned(done: Sandbox) -> None:
    done.declare(
        sql="select  *\nfrom events -- all\nwhere event_time >= '__START__' and "
        "event_time < __END__;"
    )
    told = done.call("plan")
    assert told.lines == ["events_flow: formatting only (5 intervals)"]
    for command in (["run"], ["run", "--dry-run"], ["intervals", "pending"]):
        assert "Warning" not in done.call(*command).err
    assert "other version" not in done.call("intervals", "show").out


def test_whoever_runs_is_warned_in_one_line(done: Sandbox) -> None:
    done.declare(sql=ONLY_PAID)
    warning = (
        "Warning: 5 completed intervals of events_flow were made by other logic than the "
        "present; see: seeknal plan --flow events_flow"
    )
    for command in (["run"], ["run", "--dry-run"], ["run", "--json"], ["intervals", "pending"]):
        result = done.call(*command)
        assert result.err.splitlines().count(warning) == 1
        assert "Warning" not in result.out
    shown = done.call("intervals", "show")
    assert shown.lines[1] == "  2024-01-01 to 2024-01-02 ✓ (other version)"
    # What is restated is decided.
    restate = ["intervals", "restate", "--start", "2024-01-01", "--reason", "Unpaid"]
    done.call(*restate, "--end", "2024-01-05")
    assert "Warning: 1 completed interval of events_flow was made by" in done.call("run").err
    done.call(*restate, "--end", "2024-01-06")
    assert "Warning" not in done.call("run").err
    told = done.call("plan")
    assert told.lines == [
        "events_flow: logic changed (5 intervals, all restated)",
        "  filter added: amount > 0",
        "To do them again:",
        "  seeknal run --backfill --flow events_flow",
    ]
    follow(done, told)
    assert_silent(done)
    done.assert_output_is("SELECT * FROM events WHERE amount > 0")


def test_several_versions_are_told_apart_and_restated_together(done: Sandbox) -> None:
    done.declare(sql=ONLY_PAID).events("2024-01-06", 48, "1 hour")
    done.call("run")
    done.call("intervals", "complete", "--interval", "2024-01-09")
    done.declare(sql=WITH_TAX).events("2024-01-10", 24, "1 hour")
    done.call("run")
    done.declare(sql=WITH_TAX.replace("0.2", "0.25"))
    told = done.call("plan", code=1)
    assert told.lines == [
        "events_flow: column added: tax (5 intervals)",
        "Made before:",
        "  2024-01-01 to 2024-01-06 (5 intervals)",
        "events_flow: logic changed (2 intervals)",
        "  column added: tax = amount * 0.25",
        "  filter removed: amount > 0",
        "Made before:",
        "  2024-01-06 to 2024-01-08 (2 intervals)",
        "events_flow: logic changed (2 intervals)",
        "  column tax: amount * 0.2 -> amount * 0.25",
        "Made before:",
        "  2024-01-08 to 2024-01-09",
        "  2024-01-10 to 2024-01-11",
        "To do them again:",
        "  seeknal intervals restate --flow events_flow --start 2024-01-01 --end 2024-01-09 "
        "--reason 'Logic changed'",
        "  seeknal intervals restate --flow events_flow --start 2024-01-10 --end 2024-01-11 "
        "--reason 'Logic changed'",
        "  seeknal run --backfill --flow events_flow",
    ]
    found = done.call("plan", "--json", code=1).json["flows"][0]
    assert found["commands"] == commands(told)
    assert found["units"] == 9
    assert [v["change"] for v in found["versions"]] == ["columns_added", "logic", "logic"]
    (stretch,) = found["versions"][0]["ranges"]
    assert stretch == {
        "start": "2024-01-01T00:00:00+00:00",
        "end": "2024-01-06T00:00:00+00:00",
        "units": 5,
    }
    follow(done, told)
    assert_silent(done)


def test_bounds_of_the_flows_wall_clock_name_the_very_hours(sandbox: Sandbox) -> None:
    zone: dict[str, Any] = {"schedule": "@hourly", "timezone": "America/New_York"}
    sandbox.declare(**zone).events("2024-11-03 02:00", 10, "1 hour")
    # 01:00 is there twice; what is done ends between the two.
    sandbox.call("run", "--end-date", "2024-11-03T01:00-05:00")
    sandbox.declare(sql=WITH_TAX, **zone)
    sandbox.call("run")
    sandbox.declare(sql=ONLY_PAID, **zone)
    sandbox.call("intervals", "restate", "--start", "2024-11-03T01:00-05:00", "--end",
                 "2024-11-04", "--reason", "Decided")  # fmt: skip
    told = sandbox.call("plan", "--flow", "events_flow", code=1)
    assert commands(told)[0] == (
        "seeknal intervals restate --flow events_flow --start 2024-11-02T22:00 "
        "--end 2024-11-03T01:00-05:00 --reason 'Logic changed'"
    )
    follow(sandbox, told)
    assert_silent(sandbox)
    sandbox.assert_output_is("SELECT * FROM events WHERE amount > 0")


def test_value_partitions_are_restated_by_name(sandbox: Sandbox) -> None:
    by_region = "SELECT * FROM events WHERE region = '__PARTITION__'"
    how: dict[str, Any] = {"schedule": None, "partition": {"column": "region"}}
    with sandbox.data() as connection:
        connection.execute("CREATE TABLE events AS SELECT unnest(['EU', 'U S', 'a,b']) AS region")
    sandbox.declare(sql=by_region, **how)
    sandbox.call("run")
    assert_silent(sandbox)
    sandbox.declare(sql=by_region.replace("*", "region AS area"), **how)
    told = sandbox.call("plan", code=1)
    assert told.lines == [
        "events_flow: logic changed (3 partitions)",
        "  column removed: *",
        "  column added: area = region",
        "Made before:",
        "  EU",
        "  U S",
        "  a,b",
        "To do them again:",
        "  seeknal intervals restate --flow events_flow --partitions 'EU,U S' --reason "
        "'Logic changed'",
        "  seeknal run --backfill --flow events_flow",
    ]
    assert told.err == "Not in the command, for a comma or blank in it: a,b.\n"
    assert "Warning: 3 completed partitions" in sandbox.call("run", "--dry-run").err
    assert "  EU ✓ (other version)" in sandbox.call("intervals", "show").lines
    follow(sandbox, told)
    assert sandbox.call("plan", code=1).lines[0].endswith("(1 partition)")


def test_of_a_rebuilt_state_it_is_known_that_it_is_other_but_not_what(done: Sandbox) -> None:
    for file in (done.root / "target").glob("state.db*"):
        file.unlink()
    done.call("state", "rebuild")
    assert_silent(done)
    done.declare(sql=WITH_TAX)
    told = done.call("plan", code=1)
    assert told.lines[0] == ("events_flow: made by a version that is not kept here (5 intervals)")
    follow(done, told)
    assert_silent(done)


def test_what_is_no_logic_is_noted_and_nothing_is_to_be_decided(done: Sandbox) -> None:
    done.declare(schedule="@hourly", output={"kind": "parquet", "value": "elsewhere"})
    told = done.call("plan")
    assert told.lines == [
        "events_flow: the logic is the same (5 intervals)",
        "  note: output changed: parquet -> parquet elsewhere; files of what is done stay where "
        "they are",
        "  note: schedule changed: @daily in UTC -> @hourly in UTC; what is done stays done",
    ]


def test_data_that_this_machine_does_not_see_are_not_asked_for(done: Sandbox) -> None:
    (done.root / "raw_events.duckdb").unlink()
    assert done.call("plan").err == "events_flow: nothing changed.\n"
    done.declare(sql=WITH_TAX)
    assert done.call("plan", code=1).lines[0] == "events_flow: column added: tax (5 intervals)"


def test_what_cannot_be_compared_is_told_in_a_sentence(done: Sandbox) -> None:
    done.declare(sql="SELECT 1; SELECT 2")
    told = done.call("plan", code=2)
    assert told.err == (
        "Error: Flow 'events_flow': The SQL holds 2 statements; a task is exactly one SELECT.\n"
    )
    assert done.call("intervals", "show").lines[1] == "  2024-01-01 to 2024-01-02 ✓"
    assert "no flow" in done.call("plan", "--flow", "evnts", code=2).err


def test_nothing_done_is_nothing_to_compare(sandbox: Sandbox) -> None:
    sandbox.declare()
    told = sandbox.call("plan")
    assert (told.out, told.err) == ("", "events_flow: nothing is done yet.\n")


def test_another_project_is_named_in_every_command(done: Sandbox) -> None:
    done.declare(sql=WITH_TAX)
    elsewhere = done.root.parent / "else where"
    elsewhere.mkdir()
    told = done.seeknal("plan", "--project-path", str(done.root), code=1, cwd=elsewhere)
    done.bash("\n".join(commands(told)), cwd=elsewhere)
    with duckdb.connect() as connection:
        (row,) = connection.execute(f"SELECT count(tax) FROM '{done.glob()}'").fetchall()
    assert row == (DAYS * 24,)
