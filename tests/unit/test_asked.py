"""What follows from the options of a run: what fits together, and the commands to go on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seeknal.cli.asked import Asked
from seeknal.errors import UsageError


def asked(**more: Any) -> Asked:
    plain: dict[str, Any] = {
        "project_path": None,
        "flows": [],
        "start_date": None,
        "end_date": None,
        "partitions": None,
        "backfill": False,
        "include_empty": False,
        "workers": None,
        "dry_run": False,
        "every": False,
        "as_json": False,
    }
    return Asked(**{**plain, **more})


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ({}, "seeknal run"),
        ({"only": ("failed",)}, "seeknal run --only failed"),
        ({"only": ("missing",)}, "seeknal run --only missing --only failed"),
        ({"only": ("missing",), "lookback": 2},
         "seeknal run --only missing --only failed --only restated"),
        ({"force": True, "reason": "a bug"}, "seeknal run --backfill"),
        ({"lookback": 3, "limit": 10}, "seeknal run --limit 10"),
        ({"newest_first": True, "max_active": 2, "max_attempts": 5, "backoff": 0, "timeout": 90,
          "stop_after": 3, "priority": -1},
         "seeknal run --newest-first --max-active 2 --max-attempts 5 --backoff 0s --timeout 1m30s "
         "--stop-after 3 --priority -1"),
        ({"redis": "redis://:secret@queue:6379/1", "project_path": Path("/data/my shop")},
         "seeknal run --redis redis://queue:6379/1 --project-path '/data/my shop'"),
    ],
)  # fmt: skip
def test_what_goes_on_keeps_what_matters(options: dict[str, Any], command: str) -> None:
    assert asked(**options).going_on([]) == command


def test_what_looked_back_goes_on_from_there() -> None:
    found = asked(start_date="2024-01-05", lookback=2)
    assert found.going_on(["f"], "2024-01-03") == "seeknal run --flow f --start-date 2024-01-03"


def test_what_is_asked_again_forces_again() -> None:
    found = asked(force=True, reason="it's wrong", lookback=1, start_date="2024-01-05")
    assert found.again(["f", "g"]) == (
        "seeknal run --flow f --flow g --start-date 2024-01-05 --force "
        """--reason 'it'"'"'s wrong' --lookback 1"""
    )


def test_a_run_remembers_only_what_was_given() -> None:
    assert asked().options() == {}
    assert asked(backoff=0, priority=0, newest_first=True).options() == {
        "backoff": 0,
        "newest_first": True,
    }


@pytest.mark.parametrize(
    "options",
    [
        {"force": True},
        {"force": True, "reason": "  "},
        {"reason": "why"},
        {"limit": 2, "lookback": 2},
    ],
)
def test_what_does_not_go_together_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        asked(**options).check()


def test_look_back_comes_last_where_the_newest_comes_first() -> None:
    asked(limit=2, lookback=2, newest_first=True).check()
