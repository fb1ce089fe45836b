"""Options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from seeknal.cli import names
from seeknal.errors import TimeError
from seeknal.workflow.durations import parse_duration

_NUMBER = re.compile(r"\s*-?\d{1,12}\s*", re.ASCII)


def read_metrics_port(typed: str) -> str:
    """Read where metrics are served: a port, or a host and a port."""
    from seeknal.config import listen_address

    try:
        listen_address(typed)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return typed


ProjectPath = Annotated[
    Path | None,
    typer.Option(
        "--project-path",
        metavar="FOLDER",
        help="The project's folder. Default: the nearest one, from here upwards.",
        show_default=False,
    ),
]
Redis = Annotated[
    str | None,
    typer.Option(
        "--redis",
        metavar="URL",
        help="The shared Redis. Default: SEEKNAL_REDIS_URL, or the project's.",
        show_default=False,
    ),
]
ProjectName = Annotated[
    str | None,
    typer.Option(
        "--project",
        metavar="NAME",
        help="The project, by its name in the Redis; its folder need not be here.",
        show_default=False,
        autocompletion=names.projects,
    ),
]
Flows = Annotated[
    list[str] | None,
    typer.Option(
        "--flow",
        metavar="NAME",
        help="A flow's name; can be given several times. Default: all.",
        show_default=False,
        autocompletion=names.flows,
    ),
]
OneFlow = Annotated[
    list[str] | None,
    typer.Option(
        "--flow",
        metavar="NAME",
        help="The flow's name; can be left out where there is only one.",
        show_default=False,
        autocompletion=names.flows,
    ),
]
MetricsPort = Annotated[
    str | None,
    typer.Option(
        "--metrics-port",
        parser=read_metrics_port,
        metavar="PORT",
        help="Serve Prometheus metrics at this port, or at HOST:PORT of this machine only.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]
All = Annotated[bool, typer.Option("--all", help="Print every line, however many.")]
StartDate = Annotated[
    str | None,
    typer.Option(
        "--start-date",
        metavar="DATE",
        help="From the interval that contains this date or ISO datetime.",
    ),
]
EndDate = Annotated[
    str | None,
    typer.Option(
        "--end-date",
        metavar="DATE",
        help="To the last interval that ends by this date or datetime.",
    ),
]
Partitions = Annotated[
    str | None,
    typer.Option(
        "--partitions",
        metavar="NAMES",
        help="Partitions, separated by commas.",
        autocompletion=names.partitions,
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        "--schedule",
        metavar="CRON",
        help="Count in intervals of this schedule, not of the flow's.",
        autocompletion=names.choices("@hourly", "@daily", "@weekly", "@monthly", "@yearly"),
    ),
]
Start = Annotated[
    str | None, typer.Option("--start", metavar="DATE", help="First date or ISO datetime.")
]
End = Annotated[
    str | None,
    typer.Option(
        "--end", metavar="DATE", help="Date or ISO datetime where the range ends, exclusive."
    ),
]


def one_of(*words: str) -> Callable[[str], str]:
    """Return what reads one of some words."""

    def read(typed: str) -> str:
        if typed not in words:
            raise typer.BadParameter(f"{typed!r} is not one of {', '.join(words)}")
        return typed

    return read


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def read(typed: str) -> int:
        if not _NUMBER.fullmatch(typed) or not least <= int(typed) <= most:
            raise typer.BadParameter(f"{typed!r} is no whole number from {least:,} to {most:,}")
        return int(typed)

    return read


def duration(least: int) -> Callable[[str], int]:
    """Return what reads a duration of at least so many seconds."""

    def read(typed: str) -> int:
        try:
            seconds = parse_duration(typed)
        except TimeError as error:
            raise typer.BadParameter(str(error)) from None
        if seconds < least:
            raise typer.BadParameter(f"{typed!r} is shorter than {least}s")
        return seconds

    return read
