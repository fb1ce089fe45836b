"""``seeknal worker`` and ``seeknal workers``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seeknal.cli import names
from seeknal.cli.options import Json, MetricsPort, ProjectName, ProjectPath, Redis


def worker(
    concurrency: Annotated[
        int | None,
        typer.Option(
            "--concurrency",
            metavar="N",
            min=1,
            help="How many units to run at once. Default: one per processor.",
            show_default=False,
        ),
    ] = None,
    redis: Redis = None,
    data_root: Annotated[
        Path | None,
        typer.Option(
            "--data-root",
            metavar="FOLDER",
            help="Where the data are here. Default: SEEKNAL_DATA_ROOT, or the project's.",
            show_default=False,
        ),
    ] = None,
    log_level: Annotated[
        str,
        typer.Option(
            "--log-level",
            metavar="LEVEL",
            help="debug, info, warning or error.",
            autocompletion=names.choices("debug", "info", "warning", "error"),
        ),
    ] = "warning",
    metrics_port: MetricsPort = None,
) -> None:
    """Work for every project that shares a Redis.

    SIGTERM and Ctrl-C let what runs end within SEEKNAL_GRACE seconds, or hand it back.

    \b
    Examples:
      seeknal worker
      seeknal worker --concurrency 4 --redis redis://queue:6379/0
      seeknal worker --metrics-port 9464
    """
    from seeknal.cli.fleetlist import start_worker

    start_worker(concurrency, redis, data_root, log_level, metrics_port)


def workers(
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    as_json: Json = False,
) -> None:
    """Show the workers that are alive, and what each does.

    \b
    Examples:
      seeknal workers
      seeknal workers --redis redis://queue:6379/0 --json
    """
    from seeknal.cli.fleetlist import show_workers
    from seeknal.cli.reach import Where

    show_workers(Where(project_path, redis, project), as_json=as_json)
