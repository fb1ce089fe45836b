"""A run's progress: a bar on a terminal, now and then a plain line elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from seeknal.cli import text
from seeknal.cli.streams import is_terminal
from seeknal.workflow.state import Counts, Run

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

# Seconds between plain lines.
_EVERY = 10.0


class Progress:
    """Shows how far a run has come, on standard error."""

    def __init__(self, name: str, *, quiet: bool) -> None:
        self._name = name
        self._quiet = quiet
        self._terminal = is_terminal()
        self._bar: Bar | None = None
        self._tasks: dict[str, TaskID] = {}
        self._started = self._said = time.monotonic()

    def update(self, run: Run, counts: Counts) -> None:
        """Show a run's counts."""
        if self._quiet:
            return
        if self._terminal:
            self._draw(run, counts)
        elif time.monotonic() - self._said >= _EVERY:
            self._said = time.monotonic()
            rate = counts.done / max(self._said - self._started, 0.001)
            rest = counts.units - counts.done - counts.failed
            eta = f", about {_duration(rest / rate)} left" if rate else ""
            failed = f", {counts.failed:,} failed" if counts.failed else ""
            text.say(
                f"{self._name}: {counts.done:,} of {counts.units:,} done{failed}"
                f" ({rate:,.1f}/s{eta})"
            )

    def close(self) -> None:
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _draw(self, run: Run, counts: Counts) -> None:
        bar = self._bar or self._open()
        if run.id not in self._tasks:
            self._tasks[run.id] = bar.add_task(self._name, total=counts.units, rate="", failed="")
        elapsed = max(time.monotonic() - self._started, 0.001)
        bar.update(
            self._tasks[run.id],
            completed=counts.done + counts.failed,
            rate=f"{counts.done / elapsed:,.1f}/s",
            failed=f"[red]{counts.failed:,} failed" if counts.failed else "",
        )

    def _open(self) -> Bar:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}"),
            console=Console(stderr=True),
        )
        self._bar.start()
        return self._bar


def _duration(seconds: float) -> str:
    """Return ``40 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
