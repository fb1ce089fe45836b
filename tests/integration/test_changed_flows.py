"""A flow's SQL changes on a machine that sees no data, while workers elsewhere run it."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

from tests.fleet import fleet
from tests.projects import EVENTS_SQL


def test_a_plan_needs_no_data_and_its_commands_work_on_workers(tmp_path: Path) -> None:
    with fleet(tmp_path) as ships:
        ships.box.events("2024-01-01", 4 * 24, "1 hour").declare()
        far = tmp_path / "far"
        far.mkdir()
        shutil.move(ships.box.root / "raw_events.duckdb", far)
        ships.worker(data=far)
        assert ships.seeknal("plan").err == "events_flow: nothing is done yet.\n"
        ships.seeknal("run")
        told = ships.seeknal("plan")
        assert (told.out, told.err) == ("", "events_flow: nothing changed.\n")

        ships.box.declare(sql=EVENTS_SQL.replace("*", "id, event_time"))
        told = ships.seeknal("plan", code=1)
        assert told.lines[0] == "events_flow: logic changed (4 intervals)"
        assert "made by other logic than the present" in ships.seeknal("run", "--dry-run").err
        commands = re.findall(r"^  seeknal (.+)$", told.out, flags=re.MULTILINE)
        assert len(commands) == 2
        for command in commands:
            done = ships.seeknal(*shlex.split(command))
        assert "Processing 4 restated intervals (2024-01-01 to 2024-01-05)" in done.out
        told = ships.seeknal("plan")
        assert (told.out, told.err) == ("", "events_flow: nothing changed.\n")
        assert "other version" not in ships.seeknal("intervals", "show").out
