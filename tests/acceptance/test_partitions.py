"""Partitions, by format and by value: each backfilled, one failing alone and retried alone."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from demo.flights import load_flights
from seeknal.engine import provenance
from tests.projects import Sandbox

CARRIERS = {"AS": 714, "F9": 685, "HA": 342}
BY_CARRIER = "SELECT * FROM flights WHERE carrier = '__PARTITION__' ORDER BY time_hour, flight"
FLOW = "by_carrier"


@pytest.fixture(scope="module")
def all_flights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("flights") / "all.duckdb"
    load_flights(file)
    return file


@pytest.fixture
def flights(sandbox: Sandbox, all_flights: Path) -> Sandbox:
    """A flow whose units are three carriers, each of which can be broken."""
    sandbox.declare(
        FLOW, schedule=None, sql=BY_CARRIER, database="flights", partition={"column": "carrier"}
    )
    with sandbox.data("flights") as connection:
        connection.execute(f"ATTACH '{all_flights}' AS source (READ_ONLY)")
        connection.execute(
            f"CREATE TABLE stored AS FROM source.flights WHERE carrier IN {(*CARRIERS,)}"
        )
    break_carriers(sandbox)
    return sandbox


def break_carriers(sandbox: Sandbox, *carriers: str) -> None:
    broken = ", ".join(f"'{carrier}'" for carrier in carriers) or "''"
    with sandbox.data("flights") as connection:
        connection.execute(
            "CREATE OR REPLACE VIEW flights AS SELECT * REPLACE (CASE WHEN carrier IN "
            f"({broken}) THEN error('tail numbers are missing') ELSE tailnum END AS tailnum) "
            "FROM stored"
        )


def published(sandbox: Sandbox) -> dict[str, tuple[int, str]]:
    """The rows of each carrier's file, and the run that made it."""
    found = {}
    for path in sandbox.files(FLOW).values():
        said = provenance.read(path)
        with duckdb.connect() as connection:
            (row,) = connection.execute(
                "SELECT count(*), min(carrier), max(carrier) FROM "
                "read_parquet(?, hive_partitioning = false)",
                [str(path)],
            ).fetchall()
        carrier = said["seeknal_unit"].removeprefix("value=")
        assert row[1:] == (carrier, carrier)
        assert path.parent.name == f"partition_value={carrier}"
        found[carrier] = (row[0], said["seeknal_run"])
    return found


def counts(sandbox: Sandbox) -> dict[str, int]:
    return {carrier: rows for carrier, (rows, _) in published(sandbox).items()}


def test_values_are_units_each_backfilled(flights: Sandbox) -> None:
    assert flights.seeknal("intervals", "pending").lines == [
        "Pending partitions (3):", "  AS", "  F9", "  HA"
    ]  # fmt: skip
    for carrier, rows in CARRIERS.items():
        result = flights.seeknal("run", "--partitions", carrier, "--backfill")
        assert result.lines[0] == f"Processing 1 missing partition ({carrier})"
        assert counts(flights)[carrier] == rows
    assert counts(flights) == CARRIERS
    assert flights.seeknal("run", "--backfill").out == f"Nothing to do for {FLOW}.\n"
    assert flights.seeknal("intervals", "show").lines == [
        f"Completed Partitions for {FLOW}:",
        *(f"  {carrier} ✓ (backfilled)" for carrier in CARRIERS),
    ]
    assert len({run for _, run in published(flights).values()}) == 3


def test_a_value_fails_alone_and_is_retried_alone(flights: Sandbox) -> None:
    break_carriers(flights, "F9")
    result = flights.seeknal("run", code=1)
    assert result.lines[0] == "Processing 3 new partitions (AS, F9, HA)"
    assert "Failed: F9 after 3 attempts" in result.err
    assert "tail numbers are missing" in result.err
    before = published(flights)
    assert set(before) == {"AS", "HA"}
    assert flights.seeknal("intervals", "pending").lines == ["Pending partitions (1):", "  F9"]

    break_carriers(flights)
    again = result.err.split("Go on with: ")[1].splitlines()[0]
    assert flights.bash(again).lines[0] == "Processing 1 failed partition (F9)"
    after = published(flights)
    assert {carrier: after[carrier] for carrier in before} == before
    assert counts(flights) == CARRIERS


def test_a_restated_value_is_done_again_alone_and_a_new_one_is_new(flights: Sandbox) -> None:
    flights.seeknal("run")
    before = published(flights)
    restate = ("intervals", "restate", "--partitions", "HA", "--reason", "Bookings were late")
    assert flights.seeknal(*restate).out == (
        f"Restated HA of {FLOW}; run them with: seeknal run --backfill --flow {FLOW}\n"
    )
    assert "  HA ↻ (restated, pending)" in flights.seeknal("intervals", "show").lines
    break_carriers(flights, "HA")
    flights.seeknal("run", "--backfill", code=1)
    assert published(flights) == before, "what fails again leaves what is published"
    break_carriers(flights)
    with flights.data("flights") as connection:
        connection.execute("INSERT INTO stored SELECT * REPLACE ('a/b ''c''' AS carrier) FROM "
                           "stored WHERE carrier = 'HA'")  # fmt: skip
    assert flights.seeknal("run").lines[0] == (
        "Processing 2 partitions: 1 new, 1 failed (HA, a/b 'c')"
    )
    files = flights.files(FLOW).values()
    assert len(files) == 4
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT carrier, count(*) FROM read_parquet(?, hive_partitioning = false) GROUP BY 1",
            [flights.glob(FLOW)],
        ).fetchall()
    assert dict(found) == {**CARRIERS, "a/b 'c'": CARRIERS["HA"]}


def test_a_value_of_two_lines_is_shown_on_one(flights: Sandbox) -> None:
    with flights.data("flights") as connection:
        connection.execute("UPDATE stored SET carrier = 'H\nA' WHERE carrier = 'HA'")
    break_carriers(flights, "H\nA")
    flow = ("--flow", FLOW)
    typed = "H\nA"
    shown = [
        flights.call("run", "--dry-run"),
        flights.call("run", "--explain", typed),
        flights.call("run", code=1),
        flights.call("intervals", "failed", *flow),
        flights.call("runs", "show"),
        flights.call("logs", typed, *flow),
    ]
    break_carriers(flights)
    shown += [
        flights.call("run"),
        flights.call("intervals", "show", *flow),
        flights.call("intervals", "restate", *flow, "--partitions", typed, "--reason", "late"),
        flights.call("intervals", "show", *flow),
        flights.call("intervals", "pending", *flow),
        flights.call("logs", typed, *flow),
    ]
    for result in shown:
        said, _, sql = result.out.partition("SQL:")
        assert r"H\nA" in said + result.err
        assert typed not in said + result.err
        assert not sql or f"'{typed}'" in sql  # as it is run


@pytest.mark.parametrize(
    ("schedule", "form", "names", "units"),
    [
        ("@daily", "%Y-%m-%d", ("2024-01-01", "2024-01-02", "2024-01-03"), (1, 1, 1)),
        ("0 * * * *", "%Y%m%d", ("20240101", "20240102", "20240103"), (24, 24, 24)),
        ("0 * * * *", "%Y-%m-%dT%H", ("2024-01-01T22", "2024-01-01T23"), (1, 1)),
    ],
)
def test_formats_name_ranges_of_time_each_backfilled(
    sandbox: Sandbox, schedule: str, form: str, names: tuple[str, ...], units: tuple[int, ...]
) -> None:
    # The data have no column of the partition's name.
    sandbox.declare(schedule=schedule, partition={"column": "event_date", "format": form})
    sandbox.events("2024-01-01", 3 * 24, "1 hour", table="stored")
    sandbox.breakable()
    for number, (name, many) in enumerate(zip(names, units, strict=True)):
        plan = sandbox.call("run", "--partitions", name, "--backfill", "--dry-run", "--json")
        assert plan.json["flows"][0]["units"] == many
        sandbox.call("run", "--partitions", name, "--backfill")
        assert len(sandbox.files()) == sum(units[: number + 1])
        assert completed_partitions(sandbox) == list(names[: number + 1])
    assert sandbox.seeknal("run", "--partitions", ",".join(names), "--backfill").out == (
        "Nothing to do for events_flow.\n"
    )


def test_a_named_day_of_hours_fails_alone_and_is_retried_alone(sandbox: Sandbox) -> None:
    sandbox.declare(
        schedule="0 * * * *",
        sql="SELECT *, '__PARTITION__' AS day FROM events WHERE event_time >= '__START__' "
        "AND event_time < '__END__'",
        partition={"column": "event_date", "format": "%Y-%m-%d"},
    )
    sandbox.events("2024-01-01", 3 * 24 * 2, "30 minutes", table="stored")
    sandbox.breakable("event_time = '2024-01-02 05:30:00'")
    days = ("--partitions", "2024-01-01,2024-01-02,2024-01-03", "--backfill")
    result = sandbox.seeknal("run", *days, code=1)
    assert "Failed: 2024-01-02T05:00 to 2024-01-02T06:00 after 3 attempts" in result.err
    assert len(sandbox.files()) == 71
    assert completed_partitions(sandbox) == ["2024-01-01", "2024-01-03"]

    sandbox.breakable()
    again = result.err.split("Go on with: ")[1].splitlines()[0]
    assert "--partitions 2024-01-01,2024-01-02,2024-01-03" in again
    assert sandbox.bash(again).lines[0] == (
        "Processing 1 failed interval (2024-01-02T05:00 to 2024-01-02T06:00)"
    )
    assert len(sandbox.files()) == 72
    assert completed_partitions(sandbox) == ["2024-01-01", "2024-01-02", "2024-01-03"]
    sandbox.assert_output_is("SELECT *, strftime(event_time, '%Y-%m-%d') AS day FROM events")


def completed_partitions(sandbox: Sandbox) -> list[str]:
    from seeknal.flow import Flow
    from seeknal.project import Project

    return Flow.load("events_flow", Project.find(sandbox.root)).state.completed_partitions
