"""``seeknal intervals``."""

from __future__ import annotations

from typing import Annotated

import typer

from seeknal.cli.manual import group
from seeknal.cli.options import (
    All,
    End,
    EndDate,
    Flows,
    Json,
    OneFlow,
    Partitions,
    ProjectPath,
    Schedule,
    Start,
    StartDate,
)

app = group(
    "See and change which intervals are done.",
    "seeknal intervals pending",
    "seeknal intervals failed --flow events_flow",
    'seeknal intervals restate --start 2024-01-01 --reason "Fixed bug"',
)


@app.command()
def show(
    project_path: ProjectPath = None,
    flow: Flows = None,
    every: All = False,
    as_json: Json = False,
) -> None:
    """Show the completed intervals, and the restated ones.

    \b
    Examples:
      seeknal intervals show --flow events_flow
      seeknal intervals show --all
    """
    from seeknal.cli.ledger import show_completed

    show_completed(project_path, flow or [], every=every, as_json=as_json)


@app.command()
def pending(
    project_path: ProjectPath = None,
    flow: Flows = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
    schedule: Schedule = None,
    every: All = False,
    as_json: Json = False,
) -> None:
    """Show the intervals that a backfill would run.

    \b
    Examples:
      seeknal intervals pending
      seeknal intervals pending --schedule @daily
      seeknal intervals pending --start-date 2024-01-01 --end-date 2024-02-01
    """
    from seeknal.cli.ledger import show_pending

    show_pending(
        project_path, flow or [], start_date, end_date, schedule, every=every, as_json=as_json
    )


@app.command()
def failed(
    project_path: ProjectPath = None,
    flow: Flows = None,
    every: All = False,
    as_json: Json = False,
) -> None:
    """Show the failed intervals, with their errors and attempts.

    \b
    Examples:
      seeknal intervals failed
      seeknal intervals failed --flow events_flow --json
    """
    from seeknal.cli.ledger import show_failed

    show_failed(project_path, flow or [], every=every, as_json=as_json)


@app.command()
def complete(
    project_path: ProjectPath = None,
    flow: OneFlow = None,
    interval: Annotated[
        list[str] | None,
        typer.Option(
            "--interval",
            metavar="INTERVAL",
            help="A date (that whole day), the datetime an interval starts at, or 'A to B'; "
            "can be given several times.",
        ),
    ] = None,
    partitions: Partitions = None,
    reason: Annotated[
        str,
        typer.Option(
            "--reason", metavar="TEXT", help="Why; kept in the audit.", show_default=False
        ),
    ] = "",
) -> None:
    """Mark intervals complete by hand: they will not be run.

    \b
    Examples:
      seeknal intervals complete --interval 2024-01-01
      seeknal intervals complete --interval "2024-01-01 to 2024-02-01"
      seeknal intervals complete --partitions EU --reason "Loaded by hand"
    """
    from seeknal.cli.changing import mark_complete

    mark_complete(project_path, flow or [], interval or [], partitions, reason)


@app.command()
def restate(
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")
    ],
    project_path: ProjectPath = None,
    flow: OneFlow = None,
    start: Start = None,
    end: End = None,
    partitions: Partitions = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be restated, and change nothing.")
    ] = False,
    clear: Annotated[
        bool, typer.Option("--clear", help="Withdraw restatements that were not run yet.")
    ] = False,
) -> None:
    """Ask for completed intervals to be done again.

    The next 'seeknal run --backfill' does them, and replaces their output.

    \b
    Examples:
      seeknal intervals restate --start 2024-01-01 --end 2024-01-07 \\
        --reason "Fixed bug"
      seeknal intervals restate --partitions EU --reason "Late data" --dry-run
      seeknal intervals restate --start 2024-01-01 --end 2024-01-07 --clear \\
        --reason "Wrong week"
    """
    from seeknal.cli.changing import Restate, ask_restate

    ask_restate(
        Restate(
            project_path=project_path,
            flows=flow or [],
            start=start,
            end=end,
            partitions=partitions,
            reason=reason,
            dry_run=dry_run,
            clear=clear,
        )
    )
