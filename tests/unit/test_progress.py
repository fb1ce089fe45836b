"""A run's progress on one line."""

from __future__ import annotations

import pytest

from seeknal.cli.progress import Progress
from seeknal.workflow.state import Counts, Run
from tests.contract.harness import Clock

RUN = Run("r", "f", {}, "print", (), 1000)


def test_lines_are_said_now_and_then_with_the_rate_of_the_last_minute(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = Clock(0.0)
    shown = Progress("events", quiet=False, clock=clock)
    # A hundred at once, then one each second: what is told soon forgets the hundred.
    for second in range(101):
        clock.now = float(second)
        shown.update(RUN, Counts(1000, 0 if not second else 100 + second, 1))
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 10
    assert lines[0] == "events: 110 of 1,000 done, 1 failed (11.0/s, about 81 s left)"
    assert lines[-1] == "events: 200 of 1,000 done, 1 failed (1.0/s, about 13 min left)"


def test_a_run_that_stands_still_promises_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock(0.0)
    shown = Progress("events", quiet=False, clock=clock)
    for second in range(0, 90, 5):
        clock.now = float(second)
        shown.update(RUN, Counts(1000, 7))
    assert capsys.readouterr().err.splitlines()[-1] == "events: 7 of 1,000 done (0.0/s)"


def test_nothing_is_said_where_only_data_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock(0.0)
    shown = Progress("events", quiet=True, clock=clock)
    shown.update(RUN, Counts(1000))
    clock.now = 100.0
    shown.update(RUN, Counts(1000, 7))
    shown.close()
    assert capsys.readouterr() == ("", "")


def test_runs_of_one_command_have_a_pace_each(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock(0.0)
    shown = Progress("events", quiet=False, clock=clock)
    for second in range(12):
        clock.now = float(second)
        shown.update(RUN, Counts(1000, 10 * second))
    clock.now = 12.0
    other = Run("other", "f", {}, "print", (), 50)
    shown.update(other, Counts(50, 0))
    clock.now = 22.0
    shown.update(other, Counts(50, 10))
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == "events: 10 of 50 done (1.0/s, about 40 s left)"
