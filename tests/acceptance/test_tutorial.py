"""The tutorial's blocks in the tutorial's order, run as a newcomer runs them: from the wheel.

Every block stands here as it is printed there, but for ``/path/to/project``, which is a real
path. What a block prints is compared to the letter with what the tutorial says it prints.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from tests.projects import Result, Sandbox

PART_1 = """\
NodeState.completed_intervals = [
    (datetime(2024, 1, 1), datetime(2024, 1, 2)),
    (datetime(2024, 1, 2), datetime(2024, 1, 3)),
    # ...
]
"""

STEP_2_1 = """\
from seeknal.workflow.intervals import IntervalCalculator
from seeknal.project import Project

# Set up your project
project = Project(name="ecommerce")
project.get_or_create()

# Define your source with interval schedule
from seeknal.flow import Flow, FlowInput, FlowOutput
from seeknal.tasks.duckdb import DuckDBTask

task = DuckDBTask()
task.add_sql("SELECT * FROM events WHERE event_time >= '__START__' AND event_time < '__END__'")

flow = Flow(
    name="events_flow",
    input=FlowInput(kind="database", value="raw_events"),
    tasks=[task],
    output=FlowOutput()
)

# Configure with schedule
flow.set_interval_schedule(schedule="@daily")
"""

STEP_2_2 = """\
# First run - processes all available data
seeknal run --project-path /path/to/project

# Check completed intervals
seeknal intervals show
"""

STEP_2_2_PRINTS = """\
Completed Intervals for events_flow:
  2024-01-01 to 2024-01-02 ✓
  2024-01-02 to 2024-01-03 ✓
  2024-01-03 to 2024-01-04 ✓
"""

STEP_3_1 = """\
# Second run - only processes new data
seeknal run --project-path /path/to/project

# Output: Processing 1 new interval (2024-01-04 to 2024-01-05)
"""

STEP_3_2 = """\
# Show what's pending
seeknal intervals pending --schedule @daily

# Output:
# Pending intervals (1):
#   2024-01-05 to 2024-01-06
"""

STEP_4_1 = """\
from seeknal.workflow.intervals import IntervalCalculator
from datetime import datetime

calculator = IntervalCalculator()

# Find gaps in completed intervals
missing = calculator.get_missing_intervals(
    completed_intervals=[
        (datetime(2024, 1, 1), datetime(2024, 1, 3)),  # Gap here!
        (datetime(2024, 1, 5), datetime(2024, 1, 7)),
    ],
    start_date=datetime(2024, 1, 1),
    end_date=datetime(2024, 1, 7),
    schedule="@daily"
)

print(f"Missing {len(missing)} intervals")
# Output: Missing 2 intervals (2024-01-03, 2024-01-04)
"""

STEP_4_2 = """\
# Backfill specific date range
seeknal run \\
  --project-path /path/to/project \\
  --start-date 2024-01-03 \\
  --end-date 2024-01-04 \\
  --backfill
"""

STEP_4_3 = """\
seeknal intervals show

# Output now includes:
#   2024-01-03 to 2024-01-04 ✓ (backfilled)
"""

RESTATE = """\
# Mark intervals for reprocessing
seeknal intervals restate \\
  --start 2024-01-01 \\
  --end 2024-01-07 \\
  --reason "Fixed aggregation bug"
"""

RERUN = """\
# Run reprocessing
seeknal run --backfill
"""

PARTITIONS_PYTHON = """\
# Enable partition tracking
flow.set_partition_tracking(
    partition_column="event_date",
    partition_format="%Y-%m-%d"  # e.g., 2024-01-01
)
"""

PARTITIONS_SHELL = """\
# Backfill specific partitions
seeknal run \\
  --partitions 2024-01-01,2024-01-02,2024-01-03 \\
  --backfill
"""

HOURLY_PYTHON = """\
# Set hourly schedule
flow.set_interval_schedule(schedule="0 * * * *")  # Every hour
"""

HOURLY_SHELL = """\
# Backfill last 24 hours
seeknal run \\
  --start-date "$(date -u -d '24 hours ago' +%Y-%m-%dT%H:%M:%S)" \\
  --end-date "$(date -u +%Y-%m-%dT%H:%M:%S)" \\
  --backfill
"""

NOT_TRACKED = """\
# Check your flow has schedule set
flow = Flow.load("events_flow")
print(flow.interval_schedule)  # Should not be None
"""

TOO_MUCH = """\
# Check state file
cat target/run_state.json | grep completed_intervals
"""

OVERLAP = """\
# Merged intervals look like:
merged = [
    (datetime(2024, 1, 1), datetime(2024, 1, 7)),  # Merged range
]
"""

QUICK_REFERENCE = """\
# Show completed intervals
seeknal intervals show

# Show pending intervals
seeknal intervals pending --schedule @daily

# Mark interval complete
seeknal intervals complete --interval "2024-01-01"

# Backfill date range
seeknal run --start-date 2024-01-01 --end-date 2024-01-31 --backfill

# Backfill missing intervals only
seeknal run --backfill

# Restate intervals
seeknal intervals restate --start 2024-01-01 --end 2024-01-07 --reason "Fixed bug"
"""

THE_FLOW = "from seeknal.flow import Flow\nflow = Flow.load('events_flow')\n"
ALL_EVENTS = "SELECT * FROM events"
SUMMARY = re.compile(r"Run \S+: (\d+) done, ([\d,]+) rows?, \S+ k?B, \S+ s of work\.")


def test_the_tutorial_from_its_first_block_to_its_last(newcomer: Sandbox) -> None:
    assert newcomer.seeknal("--version").out.startswith("seeknal ")
    part_1_an_interval_is_a_pair_of_datetimes(newcomer)
    part_2_the_first_run_takes_all_there_is(newcomer)
    part_3_later_runs_take_what_is_new(newcomer)
    part_4_a_day_that_failed_is_backfilled(newcomer)
    part_5_what_was_done_is_done_again(newcomer)
    part_5_partitions_name_days(newcomer)
    part_5_hours_take_the_place_of_days(newcomer)
    part_6_where_to_look(newcomer)
    quick_reference(newcomer)


def part_1_an_interval_is_a_pair_of_datetimes(sandbox: Sandbox) -> None:
    imports = "from datetime import datetime\nfrom seeknal.state import NodeState\n"
    sandbox.python(imports + PART_1)


def part_2_the_first_run_takes_all_there_is(sandbox: Sandbox) -> None:
    sandbox.events("2024-01-01", 3 * 24, "1 hour")
    declared = sandbox.python(STEP_2_1, "setup.py")
    assert (declared.out, declared.err) == ("", "")
    first = shell(sandbox, STEP_2_2)
    processing, summary, *shown = first.out.splitlines(keepends=True)
    assert processing == "Processing 3 new intervals (2024-01-01 to 2024-01-04)\n"
    assert done_and_rows(summary) == (3, 72)
    assert "".join(shown) == STEP_2_2_PRINTS
    sandbox.assert_output_is(ALL_EVENTS)


def part_3_later_runs_take_what_is_new(sandbox: Sandbox) -> None:
    sandbox.events("2024-01-04", 24, "1 hour")
    processing, summary = shell(sandbox, STEP_3_1).lines
    assert processing == "Processing 1 new interval (2024-01-04 to 2024-01-05)"
    assert done_and_rows(summary) == (1, 24)
    assert processing in STEP_3_1

    sandbox.events("2024-01-05", 24, "1 hour")
    pending = shell(sandbox, STEP_3_2)
    assert pending.out == "Pending intervals (1):\n  2024-01-05 to 2024-01-06\n"
    assert pending.lines == [line[2:] for line in STEP_3_2.splitlines()[-2:]]
    assert pending.err == ""


def part_4_a_day_that_failed_is_backfilled(sandbox: Sandbox) -> None:
    """The same day was done in part 2; so state is lost, and the day fails when all runs again."""
    found = sandbox.python(STEP_4_1)
    assert found.out == "Missing 2 intervals\n"

    sandbox.bash("rm -r target")
    with sandbox.data() as connection:
        connection.execute("ALTER TABLE events RENAME TO stored")
    sandbox.events("2024-01-06", 4 * 24, "1 hour", table="stored")
    sandbox.breakable("event_time >= '2024-01-03' AND event_time < '2024-01-04'")
    failed = sandbox.seeknal("run", code=1)
    assert "Failed: 2024-01-03 to 2024-01-04 after 3 attempts" in failed.err
    assert "sensor 7 is broken" in failed.err
    assert "2024-01-03 to 2024-01-04" not in sandbox.seeknal("intervals", "show").out
    sandbox.breakable()

    processing, summary = shell(sandbox, STEP_4_2).lines
    assert processing == "Processing 1 failed interval (2024-01-03 to 2024-01-04)"
    assert done_and_rows(summary) == (1, 24)
    shown = shell(sandbox, STEP_4_3)
    assert shown.lines == [
        "Completed Intervals for events_flow:",
        "  2024-01-01 to 2024-01-02 ✓",
        "  2024-01-02 to 2024-01-03 ✓",
        STEP_4_3.splitlines()[-1][2:],
        *(f"  2024-01-0{day} to 2024-01-{day + 1:02} ✓" for day in range(4, 10)),
    ]
    sandbox.assert_output_is(ALL_EVENTS)


def part_5_what_was_done_is_done_again(sandbox: Sandbox) -> None:
    before = sandbox.runs_of_files()
    restated = [key for key in before if key < "20240107"]
    assert (len(before), len(restated)) == (9, 6)
    asked = shell(sandbox, RESTATE)
    assert asked.out == (
        "Restated 6 intervals of events_flow (2024-01-01 to 2024-01-07); run them with: "
        "seeknal run --backfill --flow events_flow\n"
    )
    assert sandbox.seeknal("intervals", "pending").lines == [
        "Pending intervals (6):",
        *(f"  2024-01-0{day} to 2024-01-0{day + 1} (restated)" for day in range(1, 7)),
    ]
    assert sandbox.runs_of_files() == before

    processing, summary = shell(sandbox, RERUN).lines
    assert processing == "Processing 6 restated intervals (2024-01-01 to 2024-01-07)"
    assert done_and_rows(summary) == (6, 144)
    (run,) = re.findall(r"Run (\S+):", summary)
    after = sandbox.runs_of_files()
    assert {key for key, made_by in after.items() if made_by == run} == set(restated)
    assert {key: after[key] for key in after if key not in restated} == {
        key: before[key] for key in before if key not in restated
    }
    assert sandbox.seeknal("intervals", "pending").out == "Pending intervals (0):\n"
    sandbox.assert_output_is(ALL_EVENTS)


def part_5_partitions_name_days(sandbox: Sandbox) -> None:
    sandbox.python(THE_FLOW + PARTITIONS_PYTHON)
    restate = ("intervals", "restate", "--partitions", "2024-01-02", "--reason", "Looked odd")
    sandbox.seeknal(*restate)
    processing, summary = shell(sandbox, PARTITIONS_SHELL).lines
    assert processing == "Processing 1 restated interval (2024-01-02 to 2024-01-03)"
    assert done_and_rows(summary) == (1, 24)
    assert shell(sandbox, PARTITIONS_SHELL).lines == ["Nothing to do for events_flow."]
    partitions = "print(flow.state.completed_partitions)"
    named = [f"2024-01-0{day}" for day in range(1, 10)]
    assert sandbox.python(THE_FLOW + partitions).out == f"{named}\n"


def part_5_hours_take_the_place_of_days(sandbox: Sandbox) -> None:
    yesterday = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)
    sandbox.events(f"{yesterday:%Y-%m-%d %H:%M:%S}", 3 * 24, "1 hour", table="stored")
    sandbox.python(THE_FLOW + HOURLY_PYTHON)
    processing, summary = shell(sandbox, HOURLY_SHELL).lines
    assert processing.startswith("Processing 24 missing intervals (")
    assert done_and_rows(summary) == (24, 24)
    assert shell(sandbox, HOURLY_SHELL).lines[-1] in {
        "Nothing to do for events_flow.",
        summary,  # the hour may have struck in between
    }


def part_6_where_to_look(sandbox: Sandbox) -> None:
    shown = sandbox.python("from seeknal.flow import Flow\n" + NOT_TRACKED)
    assert shown.out.strip() not in ("", "None")
    found = shell(sandbox, TOO_MUCH)
    assert '"completed_intervals"' in found.out
    sandbox.python("from datetime import datetime\n" + OVERLAP)


def quick_reference(sandbox: Sandbox) -> None:
    sandbox.python(THE_FLOW + "flow.set_interval_schedule('@daily')")
    done = shell(sandbox, QUICK_REFERENCE)
    assert "Completed Intervals for events_flow:" in done.lines
    assert "Already complete: 2024-01-01 to 2024-01-02 of events_flow." in done.lines
    assert len(done.lines) < 120
    days = "event_time < date_trunc('day', now()::TIMESTAMP)"
    sandbox.assert_output_is(
        f"SELECT * FROM events WHERE {days} UNION SELECT * FROM $output WHERE NOT {days}"
    )
    assert sandbox.query("SELECT count(*) - count(DISTINCT id) FROM $output") == [(0,)]
    # The days of January were done already, and the last block's restatement is pending.
    assert "Pending intervals (6):" in sandbox.seeknal("intervals", "pending").out


def shell(sandbox: Sandbox, block: str) -> Result:
    """Run a shell block in the project's folder."""
    return sandbox.bash(block.replace("/path/to/project", str(sandbox.root)))


def done_and_rows(summary: str) -> tuple[int, int]:
    found = SUMMARY.fullmatch(summary.strip())
    assert found, summary
    return int(found[1]), int(found[2].replace(",", ""))
