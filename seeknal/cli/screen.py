"""A run on a terminal, in what width and height it has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from seeknal.cli import text
from seeknal.cli.runtext import (
    in_force,
    lately,
    made,
    progress,
    shortened,
    unit_of,
    worker_name,
    zone_of,
)
from seeknal.view import NAMED, View
from seeknal.workflow.state import Event, RunStatus

# Lines beside the sections, and sections; each has a blank line and a heading of its own.
_HEAD: Final = 7
_SECTIONS: Final = 3
_PERCENT: Final = 8
# From so many columns on an error has room beside its unit.
_WIDE: Final = 100
_STYLES: Final = {
    RunStatus.ACTIVE: "cyan",
    RunStatus.PAUSED: "yellow",
    RunStatus.DONE: "green",
}
_BAD: Final = "red"
_OUTCOMES: Final = {"retry": "", "reaped": "worker lost: ", "failed": "failed: "}


def screen(view: View, width: int, height: int, note: str = "") -> RenderableType:
    """Return what a terminal of so many columns and rows shows of a run; a note comes last.

    Nothing wraps and nothing scrolls: what does not fit is cut.
    """
    most = max(1, min(NAMED, (height - _HEAD) // _SECTIONS - 2))
    parts = [_title(view), _bar(view, width), *_head(view)]
    if view.running:
        parts.append(_section("Running", [_table(_running(view, most))]))
    if view.slowest:
        slow = [_slow(view, event) for event in view.slowest[:most]]
        parts.append(_section("Slowest of the latest", [_table(slow)]))
    if view.failures:
        parts.append(_section("Latest failures", _failures(view, most, width), f"bold {_BAD}"))
    if note:
        parts.append(Text(note, _BAD, no_wrap=True, overflow="ellipsis"))
    return Group(*parts)


def _title(view: View) -> Text:
    run = view.run
    title = Text(no_wrap=True, overflow="ellipsis")
    title.append(run.flow, "bold").append(f"  run {run.id}  ")
    title.append(str(run.status), _STYLES.get(run.status, _BAD))
    return title.append(f"  {in_force(run)}", "dim")


def _bar(view: View, width: int) -> RenderableType:
    counts = view.counts
    settled = counts.done + counts.failed
    share = settled / counts.units if counts.units else 1.0
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        ProgressBar(max(counts.units, 1), settled, width=max(10, width - _PERCENT)),
        Text(f"{share:.1%}"),
    )
    return bar


def _head(view: View) -> list[Text]:
    counts = view.counts
    lines = [f"{progress(counts)}, {counts.queued:,} waiting", _time(view), made(counts)]
    if view.crew is not None:
        crew = view.crew
        alive = f"{text.plural(crew.workers, 'worker')} alive"
        lines.append(f"{alive}, {crew.busy:,} of {text.plural(crew.slots, 'slot')} busy")
    return [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]


def _time(view: View) -> str:
    elapsed = text.duration(view.elapsed)
    if view.run.ended:
        return f"{elapsed} from launch to end"
    pace = f"{lately(view)}; " if view.run.status is RunStatus.ACTIVE else ""
    return f"{pace}launched {elapsed} ago"


def _running(view: View, most: int) -> list[tuple[str, ...]]:
    zone = zone_of(view.run)
    return [
        (
            text.unit_name(record.unit, zone),
            text.duration(max(0.0, view.at - record.since)),
            f"on {worker_name(record.worker)}",
            f"after {text.plural(record.attempts, 'failure')}" if record.attempts else "",
        )
        for record in view.running[:most]
    ]


def _slow(view: View, event: Event) -> tuple[str, ...]:
    return (
        unit_of(event, view.run),
        text.duration(event.seconds),
        f"on {worker_name(event.worker)}",
        text.plural(event.rows, "row"),
    )


def _failures(view: View, most: int, width: int) -> list[RenderableType]:
    """Return the latest failures; where lines are short each error has one of its own."""
    shown = view.failures[: (most + 1) // 2 if width < _WIDE else most]
    named = [(unit_of(event, view.run), _ago(view, event)) for event in shown]
    if width >= _WIDE:
        room = width - max((len(unit) + len(ago) for unit, ago in named), default=0) - 4
        return [_table([(*n, _error(e, room)) for n, e in zip(named, shown, strict=True)])]
    lines = [
        line
        for (unit, ago), event in zip(named, shown, strict=True)
        for line in (f"{unit}  {ago}", f"  {_error(event, width - 2)}")
    ]
    return [Text(line, no_wrap=True, overflow="ellipsis") for line in lines]


def _ago(view: View, event: Event) -> str:
    return f"{text.duration(max(0.0, view.at - event.at))} ago" if event.at else "before"


def _error(event: Event, width: int) -> str:
    return shortened(f"{_OUTCOMES[event.kind]}{event.detail}", width)


def _table(rows: Sequence[tuple[str, ...]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for column in range(len(rows[0])):
        justify: Literal["left", "right"] = "right" if column == 1 else "left"
        table.add_column(no_wrap=True, overflow="ellipsis", justify=justify)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _section(title: str, body: Sequence[RenderableType], style: str = "bold") -> Group:
    return Group("", Text(title, style), *body)
