"""``seeknal run``."""

from __future__ import annotations

from typing import Annotated

import typer

from seeknal.cli.options import All, EndDate, Flows, Json, Partitions, ProjectPath, StartDate

_MOST_WORKERS = 1000


def read_workers(typed: str) -> int:
    """Read how many units to run at once."""
    if not typed.strip().isdecimal() or not 1 <= int(typed) <= _MOST_WORKERS:
        raise typer.BadParameter(f"{typed!r} is no whole number from 1 to {_MOST_WORKERS:,}")
    return int(typed)


def run(
    project_path: ProjectPath = None,
    flow: Flows = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
    partitions: Partitions = None,
    backfill: Annotated[
        bool,
        typer.Option("--backfill", help="Run every missing unit of the window, restated ones too."),
    ] = False,
    include_empty: Annotated[
        bool, typer.Option("--include-empty", help="Run intervals past the data's maximum as well.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            parser=read_workers,
            metavar="N",
            help="How many units to run at once. Default: one per processor.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would run, and run nothing.")
    ] = False,
    redis: Annotated[
        str | None,
        typer.Option(
            "--redis",
            metavar="URL",
            help="Have the workers that share this Redis run it. Default: SEEKNAL_REDIS_URL, or "
            "the project's.",
            show_default=False,
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Leave the run to the workers, and return at once.")
    ] = False,
    every: All = False,
    as_json: Json = False,
) -> None:
    """Run what is due, or backfill a window.

    Without options that is all that is new, and what earlier runs left unfinished or failed.

    \b
    Examples:
      seeknal run
      seeknal run --flow events_flow --workers 4
      seeknal run --backfill --start-date 2024-01-01 --end-date 2024-02-01
      seeknal run --backfill --partitions EU,US
      seeknal run --backfill --dry-run
      seeknal run --backfill --redis redis://queue:6379/0 --detach
    """
    from seeknal.cli.running import Asked, run_flows

    asked = Asked(
        project_path=project_path,
        flows=flow or [],
        start_date=start_date,
        end_date=end_date,
        partitions=partitions,
        backfill=backfill,
        include_empty=include_empty,
        workers=workers,
        dry_run=dry_run,
        every=every,
        as_json=as_json,
        redis=redis,
        detach=detach,
    )
    raise typer.Exit(run_flows(asked))
