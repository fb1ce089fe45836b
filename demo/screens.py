"""Records what a terminal shows of a backfill: makes docs/screens.md from a real run.

A year of flights out of New York, hour by hour, with two broken hours in it, executed by a worker
that shares a Redis. The terminal is real as well: what is written down is what it showed.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from demo.flights import load_flights
from tests.server import Server
from tests.terminal import Terminal, terminal
from tests.waiting import wait_until

PAGE = Path(__file__).resolve().parent.parent / "docs" / "screens.md"
BIN = Path(sys.executable).parent
FLOW = """\
name: {name}
schedule: "{schedule}"
timezone: America/New_York
input: {{kind: database, value: flights}}
tasks:
- sql: |
    SELECT carrier, count(*) AS flights, avg(dep_delay::INTEGER) AS delay
    FROM flights
    WHERE time_hour >= '__START__' AND time_hour < '__END__'
    GROUP BY carrier
"""
INTRO = """\
# What it looks like

Recorded from a real run by `make screens`: flights out of New York in 2013, hour by hour. In two of
the hours a delay is no number. A terminal has colours as well, unless `NO_COLOR` is set. What is on
these screens, and how to have it elsewhere, is in [commands.md](commands.md).
"""


class Recorder:
    """Runs commands on terminals, and writes down what they show."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        kept = {k: v for k, v in os.environ.items() if not k.startswith("SEEKNAL_")}
        path = f"{BIN}{os.pathsep}{kept.get('PATH', '')}"
        self.env = {**kept, "PATH": path, "NO_COLOR": "1"}
        self.parts = [INTRO]

    @contextmanager
    def running(self, command: str, columns: int = 80, rows: int = 24) -> Iterator[Terminal]:
        """A command on a terminal, that ends with the block."""
        size = {"columns": columns, "rows": rows}
        with terminal(command.split(), cwd=self._folder, env=self.env, **size) as shown:
            yield shown

    def ends(self, command: str) -> None:
        """Run a command to its end, and write down what it showed."""
        with self.running(command, columns=250, rows=50) as shown:
            shown.wait(600)
            self.write(command, shown.text)

    def write(self, command: str, text: str) -> None:
        """Write a screen down, below the command that made it."""
        self.parts.append(f"```console\n$ {command}\n{text}\n```\n")

    def say(self, text: str) -> None:
        """Write a paragraph, or a heading."""
        self.parts.append(f"{text}\n")


def prepare(folder: Path) -> None:
    """Make the project: its data, with two broken hours, and its flows."""
    load_flights(folder / "flights.duckdb")
    with duckdb.connect(str(folder / "flights.duckdb")) as connection:
        connection.execute("ALTER TABLE flights ALTER dep_delay TYPE VARCHAR")
        connection.execute(
            "UPDATE flights SET dep_delay = 'late' WHERE flight % 7 = 0 AND time_hour IN "
            "('2013-01-10 12:00:00+00', '2013-01-23 20:00:00+00')"
        )
    (folder / "flows").mkdir()
    (folder / "seeknal_project.yml").write_text("name: flights\n")
    for name, schedule in (("by_day", "@daily"), ("by_hour", "@hourly")):
        (folder / "flows" / f"{name}.yml").write_text(FLOW.format(name=name, schedule=schedule))


def on_this_machine(recorder: Recorder) -> None:
    """Record a run that this machine executes alone."""
    recorder.say("## A run on this machine\n\n`seeknal run` has a bar while it works.")
    command = "seeknal run --flow by_day --backfill --end-date 2013-07-01"
    with recorder.running(command, columns=110) as shown:
        wait_until(
            "half of it is done", lambda: re.search(r" ([5-9]\d|1[0-5]\d)/181 ", shown.text), 300
        )
        recorder.write(command, shown.text)


def on_workers(recorder: Recorder) -> None:
    """Record a run that a worker executes."""
    launch = "seeknal run --flow by_hour --backfill --end-date 2013-03-01 --detach"
    recorder.say("## A run on workers\n\nIt is launched, and left to them:")
    recorder.ends(launch)
    with recorder.running("seeknal worker --concurrency 2", rows=50):
        recorder.say("`seeknal runs watch` on a terminal of 80 columns and 24 rows, on its way:")
        with recorder.running("seeknal runs watch") as shown:
            wait_until("failures are shown", lambda: "Latest failures" in shown.text, 300)
            wait_until("some of it is done", lambda: re.search(r" [4-9]\d\.\d%", shown.text), 600)
            run = re.findall(r"run (\S+)", shown.text)[0]
            recorder.write("seeknal runs watch", shown.text)
            recorder.say("It can be told to go on in another way, with a reason for the audit:")
            recorder.ends(f"seeknal runs set {run} --newest-first --reason Friday")
            recorder.say("The watching ends with the run:")
            shown.wait(900)
            recorder.write(f"seeknal runs watch {run}", "\n".join(shown.lines[-1:]))
    recorder.say("## Afterwards\n\nHow it came out, and what to do about what failed:")
    recorder.ends(f"seeknal runs show {run}")
    recorder.say("What became of one of the units:")
    recorder.ends("seeknal logs 2013-01-10T07:00 --flow by_hour")
    recorder.say("And who did what to it:")
    recorder.ends("seeknal audit")


def main() -> None:
    """Record all of it, from an empty folder."""
    folder = Path(tempfile.mkdtemp(prefix="seeknal-screens-"))
    server = Server(folder / "redis").start()
    try:
        project = folder / "flights"
        project.mkdir()
        prepare(project)
        recorder = Recorder(project)
        on_this_machine(recorder)
        recorder.env |= {"SEEKNAL_REDIS_URL": server.url, "SEEKNAL_DATA_ROOT": str(project)}
        on_workers(recorder)
        PAGE.write_text("\n".join(recorder.parts), encoding="utf-8")
    finally:
        server.close()
        shutil.rmtree(folder, ignore_errors=True)
    print(f"Wrote {PAGE.relative_to(Path.cwd())}.")


if __name__ == "__main__":
    main()
