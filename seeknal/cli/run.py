"""``seeknal run``."""

from __future__ import annotations

from typing import Annotated

import typer

from seeknal.cli import names
from seeknal.cli.options import (
    All,
    EndDate,
    Flows,
    Json,
    Partitions,
    ProjectPath,
    StartDate,
    duration,
    one_of,
    whole,
)

_MOST_WORKERS = 1000
_KINDS = ("failed", "missing", "restated")
_MOST_LOOKBACK = 100_000
_MOST_UNITS = 1_000_000_000
_MOST_ATTEMPTS = 1000
_PRIORITIES = (-1000, 1000)


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
    only: Annotated[
        list[str] | None,
        typer.Option(
            "--only",
            metavar="KIND",
            parser=one_of(*_KINDS),
            autocompletion=names.choices(*_KINDS),
            help="Of all that the window lacks, run what has failed, what is missing, or what is "
            "restated; can be given several times.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Run what is done as well; needs a --reason.")
    ] = False,
    reason: Annotated[
        str,
        typer.Option(
            "--reason",
            metavar="TEXT",
            help="Why what is done shall be done again; kept in the audit.",
            show_default=False,
        ),
    ] = "",
    lookback: Annotated[
        int | None,
        typer.Option(
            "--lookback",
            parser=whole(0, _MOST_LOOKBACK),
            metavar="N",
            help="Run again what is done of the N intervals before each stretch that is run.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            parser=whole(1, _MOST_UNITS),
            metavar="N",
            help="Run N units of each flow at most, the first in the run's order.",
            show_default=False,
        ),
    ] = None,
    newest_first: Annotated[
        bool, typer.Option("--newest-first", help="Begin with the latest unit, not the oldest.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Show what would run and why, and what would not; run nothing."
        ),
    ] = False,
    explain: Annotated[
        str | None,
        typer.Option(
            "--explain",
            metavar="UNIT",
            help="Show how one unit would be run: its SQL, what that reads, where the result "
            "goes. Named as 'intervals' prints it; nothing is run.",
            show_default=False,
        ),
    ] = None,
    estimate: Annotated[
        bool,
        typer.Option(
            "--estimate",
            help="Run a small sample of a backfill, and say how long the rest would take.",
        ),
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            parser=whole(1, _MOST_WORKERS),
            metavar="N",
            help="How many units to run at once here. Default: one per processor.",
            show_default=False,
        ),
    ] = None,
    max_active: Annotated[
        int | None,
        typer.Option(
            "--max-active",
            parser=whole(1, _MOST_UNITS),
            metavar="N",
            help="Run no more than N units of a flow at once, however many could.",
            show_default=False,
        ),
    ] = None,
    priority: Annotated[
        int | None,
        typer.Option(
            "--priority",
            parser=whole(*_PRIORITIES),
            metavar="P",
            help="Before runs of a lower priority, from -1,000 to 1,000. Default: 0.",
            show_default=False,
        ),
    ] = None,
    max_attempts: Annotated[
        int | None,
        typer.Option(
            "--max-attempts",
            parser=whole(1, _MOST_ATTEMPTS),
            metavar="N",
            help="Try a unit N times before it counts as failed. Default: 3.",
            show_default=False,
        ),
    ] = None,
    backoff: Annotated[
        int | None,
        typer.Option(
            "--backoff",
            metavar="DURATION",
            parser=duration(least=0),
            help="Wait so long after a first failed attempt, twice as long after each further "
            "one. Default: 1s.",
            show_default=False,
        ),
    ] = None,
    timeout: Annotated[
        int | None,
        typer.Option(
            "--timeout",
            metavar="DURATION",
            parser=duration(least=1),
            help="Interrupt an attempt that takes longer, such as 90s or 10m: it has failed then.",
            show_default=False,
        ),
    ] = None,
    stop_after: Annotated[
        int | None,
        typer.Option(
            "--stop-after",
            parser=whole(1, _MOST_UNITS),
            metavar="N",
            help="Have the run pause itself when N of its units have failed.",
            show_default=False,
        ),
    ] = None,
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
    Dates, --only, --force, --lookback and --limit choose what is run, and --dry-run shows it;
    the options from --workers on say how.

    \b
    Examples:
      seeknal run
      seeknal run --flow events_flow --workers 4
      seeknal run --backfill --start-date 2024-01-01 --end-date 2024-02-01
      seeknal run --backfill --partitions EU,US
      seeknal run --backfill --newest-first --limit 100 --dry-run
      seeknal run --explain 2024-01-04
      seeknal run --backfill --estimate
      seeknal run --only failed --max-attempts 5 --backoff 30s --timeout 10m
      seeknal run --lookback 3
      seeknal run --force --reason "Rates were corrected" --start-date 2024-01-01
      seeknal run --backfill --redis redis://queue:6379/0 --detach --max-active 8
    """
    from seeknal.cli.asked import Asked
    from seeknal.cli.running import run_flows

    asked = Asked(
        project_path=project_path,
        flows=flow or [],
        start_date=start_date,
        end_date=end_date,
        partitions=partitions,
        backfill=backfill,
        include_empty=include_empty,
        only=tuple(only or ()),
        force=force,
        reason=reason,
        lookback=lookback or 0,
        limit=limit,
        newest_first=newest_first,
        dry_run=dry_run,
        explain=explain,
        estimate=estimate,
        workers=workers,
        max_active=max_active,
        priority=priority,
        max_attempts=max_attempts,
        backoff=backoff,
        timeout=timeout,
        stop_after=stop_after,
        redis=redis,
        detach=detach,
        every=every,
        as_json=as_json,
    )
    raise typer.Exit(run_flows(asked))
