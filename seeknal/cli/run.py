"""``seeknal run``."""

from __future__ import annotations

from typing import Annotated

import typer

from seeknal.cli.options import EndDate, Flows, Json, Partitions, ProjectPath, StartDate


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
            "--workers", min=1, help="Threads. Default: one per processor.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would run, and run nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run what is due: by default all that is new, and what earlier runs left unfinished.

    Examples:

      seeknal run

      seeknal run --backfill --start-date 2024-01-01 --end-date 2024-02-01

      seeknal run --backfill --dry-run
    """
    from seeknal.cli.running import Asked, run_flows

    asked = Asked(
        project_path,
        flow or [],
        start_date,
        end_date,
        partitions,
        backfill,
        include_empty,
        workers,
        dry_run,
        as_json,
    )
    raise typer.Exit(run_flows(asked))
