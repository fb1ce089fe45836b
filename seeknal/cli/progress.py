"""A run's progress on one line: a bar on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from seeknal.cli import text
from seeknal.cli.runtext import pace
from seeknal.cli.streams import is_terminal
from seeknal.view import Pace
from seeknal.workflow.state import Counts, Run

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

# Seconds between plain lines.
LINES_EVERY = 10.0


class Progress:
    """Shows how far runs have come, one after the other, on standard error."""

    def __init__(
        self, name: str, *, quiet: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._name = name
        self._quiet = quiet
        self._terminal = is_terminal()
        self._bar: Bar | None = None
        self._tasks: dict[str, TaskID] = {}
        self._paces: dict[str, Pace] = {}
        self._clock = clock
        self._said = clock()

    def update(self, run: Run, counts: Counts) -> None:
        """Show a run's counts."""
        if self._quiet:
            return
        now = self._clock()
        known = self._paces.setdefault(run.id, Pace())
        known.note(now, counts)
        if self._terminal:
            self._draw(run, counts, pace(known.rate, known.left(counts)))
        elif now - self._said >= LINES_EVERY:
            self._said = now
            text.say(line(self._name, counts, pace(known.rate, known.left(counts))))

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self, run: Run, counts: Counts, pace: str) -> None:
        bar = self._bar or self._open()
        if run.id not in self._tasks:
            self._tasks[run.id] = bar.add_task(self._name, total=counts.units, pace="", failed="")
        bar.update(
            self._tasks[run.id],
            completed=counts.done + counts.failed,
            pace=pace,
            failed=f"[red]{counts.failed:,} failed" if counts.failed else "",
        )

    def _open(self) -> Bar:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[pace]}"),
            TextColumn("{task.fields[failed]}"),
            console=Console(stderr=True),
        )
        self._bar.start()
        return self._bar


def line(name: str, counts: Counts, pace: str) -> str:
    """Return a run's progress as a line of text."""
    failed = f", {counts.failed:,} failed" if counts.failed else ""
    return f"{name}: {counts.done:,} of {counts.units:,} done{failed} ({pace})"
