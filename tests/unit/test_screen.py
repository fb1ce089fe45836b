"""What a terminal shows of a run, in the room that it has."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from seeknal.cli.runtext import in_force, shortened, worker_name
from seeknal.cli.screen import screen
from seeknal.view import Crew, View
from seeknal.workflow.state import Counts, Event, Run, RunStatus, UnitRecord, UnitStatus
from seeknal.workflow.units import PlannedUnit, Unit

DAY = 86_400
START = 19_723 * DAY
WORKER = "seeknal-4242@host/4242#4243"
ERROR = (
    "The query failed: Could not convert string 'n/a' to DOUBLE when casting from source column "
    "amount (line 12, near ::DOUBLE)."
)


def unit(number: int) -> Unit:
    return Unit("events_flow", START + number * DAY, START + (number + 1) * DAY)


def event(number: int, kind: str, seconds: float, detail: str = "") -> Event:
    return Event(
        str(number), START + 100 - number, kind, unit(number).key, WORKER, detail, seconds, 1234
    )


RUN = Run(
    "20240105T060000Z-1f2e3d", "events_flow", {"timezone": "UTC"}, "p", (), 2_400_000,
    options={"newest_first": True, "max_active": 4, "priority": 5}, created=START,
)  # fmt: skip
VIEW = View(
    at=START + 100.0,
    run=RUN,
    counts=Counts(2_400_000, 1_234_567, 1003, 128, 55, 12_345_678, 1_400_000_000, 120.0),
    rate=12.4,
    left=3000.0,
    running=tuple(
        UnitRecord(
            RUN.id, PlannedUnit(unit(n), "run"), UnitStatus.RUNNING, n % 2, worker=WORKER,
            since=START + 10.0 * n,
        )
        for n in range(5)
    ),
    slowest=tuple(event(n, "completed", 90.0 - n) for n in range(5)),
    failures=tuple(event(n, "failed" if n % 2 else "retry", 1.0, ERROR) for n in range(5)),
    crew=Crew(4, 16, 9),
)  # fmt: skip


def shown(view: View, width: int, height: int, note: str = "") -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    console.print(screen(view, width, height, note))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("width", "height"), [(80, 24), (120, 40), (60, 20), (200, 60), (40, 17), (100, 30)]
)
@pytest.mark.parametrize("note", ["", "The store cannot be reached."])
def test_nothing_is_wider_or_taller_than_the_terminal(width: int, height: int, note: str) -> None:
    lines = shown(VIEW, width, height, note)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_a_small_terminal_shows_what_matters() -> None:
    text = "\n".join(shown(VIEW, 80, 24))
    assert text.startswith("events_flow  run 20240105T060000Z-1f2e3d  active")
    for part in (
        " 51.5%",
        "1,234,567 of 2,400,000 done, 1,003 failed, 128 running, 1,164,302 waiting",
        "12.4/s over the last minute, about 50 min left; launched 2 min ago",
        "12,345,678 rows, 1.4 GB, 2 min of work, 55 retries",
        "4 workers alive, 9 of 16 slots busy",
        "2024-01-01 to 2024-01-02  2 min  on host/4242#4243",
        "2024-01-02 to 2024-01-03  2 min  on host/4242#4243  after 1 failure",
        "2024-01-01 to 2024-01-02   2 min  on host/4242#4243  1,234 rows",
        "(line 12, near ::DOUBLE).",
        "failed: The query failed",
    ):
        assert part in text or part.replace("   ", "  ") in text, part


def test_a_large_one_shows_more_of_each_and_errors_beside_their_units() -> None:
    lines = shown(VIEW, 160, 50)
    assert sum(line.startswith("2024-01-0") for line in lines) == 15
    assert any(line.startswith("2024-01-01") and line.rstrip().endswith(ERROR) for line in lines)


def test_what_there_is_nothing_of_has_no_heading() -> None:
    lines = shown(replace(VIEW, running=(), slowest=(), failures=(), crew=None), 80, 24)
    assert len(lines) == 5
    assert not any("worker" in line for line in lines)


def test_a_run_that_is_over_has_no_pace() -> None:
    done = replace(RUN, status=RunStatus.DONE, ended=START + 50.0)
    counts = Counts(10, 10)
    lines = shown(View(START + 100.0, done, counts), 80, 24)
    assert "100.0%" in lines[1]
    assert lines[3] == "50 s from launch to end"


@pytest.mark.parametrize("counts", [Counts(0), Counts(1, 1), Counts(3, 0, 3)])
def test_any_counts_can_be_shown(counts: Counts) -> None:
    assert shown(View(START, RUN, counts), 80, 24)


def test_an_error_that_is_cut_keeps_its_place_in_the_sql() -> None:
    assert shortened(ERROR, 60).endswith("… (line 12, near ::DOUBLE).")
    assert len(shortened(ERROR, 60)) == 60
    assert shortened(ERROR, 500) == ERROR
    assert shortened("x" * 50, 20) == "x" * 19 + "…"
    assert len(shortened(ERROR, 20)) == 20


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("seeknal-4242@host/4242#4243", "host/4242#4243"),
        ("celery@box.example.org/77#80", "box.example.org/77#80"),
        ("laptop/1a2b3c4d pid=4242 start=881 boot=3f-2a space=40", "laptop/4242"),
        ("laptop pid=4242", "laptop/4242"),
        ("anything", "anything"),
    ],
)
def test_a_worker_has_a_short_name(name: str, short: str) -> None:
    assert worker_name(name) == short


def test_what_is_set_for_a_run_reads_as_words() -> None:
    assert in_force(RUN) == "newest first, priority 5, at most 4 at once"
    assert in_force(replace(RUN, options={"newest_first": False, "project": {"name": "x"}})) == ""
