"""``seeknal logs``."""

from __future__ import annotations

from typing import Annotated

import typer

from seeknal.cli import names
from seeknal.cli.options import Json, OneFlow, ProjectName, ProjectPath, Redis


def logs(
    unit: Annotated[
        str,
        typer.Argument(
            metavar="UNIT",
            help="A date, the datetime an interval starts at, 'A to B', or a partition.",
            autocompletion=names.values,
        ),
    ],
    flow: OneFlow = None,
    run: Annotated[
        str | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Attempts in this run only.",
            show_default=False,
            autocompletion=names.runs(),
        ),
    ] = None,
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    as_json: Json = False,
) -> None:
    """Show the attempts at one unit, and what went wrong.

    \b
    Examples:
      seeknal logs 2024-01-04
      seeknal logs "2024-01-04T05:00 to 2024-01-04T06:00" --flow hourly
      seeknal logs EU --flow by_region --json
    """
    from seeknal.cli.logbook import show_logs
    from seeknal.cli.reach import Where

    show_logs(Where(project_path, redis, project), unit, flow or [], run, as_json=as_json)
