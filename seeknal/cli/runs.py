"""``seeknal runs``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seeknal.cli import names
from seeknal.cli.manual import group
from seeknal.cli.options import (
    MOST,
    PRIORITIES,
    Json,
    MetricsPort,
    ProjectName,
    ProjectPath,
    Redis,
    whole,
)

app = group(
    "See and steer runs, from any machine.",
    "seeknal runs list",
    "seeknal runs watch",
    "seeknal runs cancel 20240105T060000Z-1f2e3d",
)


def _run_id(*statuses: str, help: str = "The run's id.") -> Any:  # noqa: A002
    """Return the argument that names a run; those of these statuses are offered, or all."""
    return typer.Argument(
        metavar="RUN", help=help, show_default=False, autocompletion=names.runs(*statuses)
    )


RunId = Annotated[str, _run_id()]
OpenRunId = Annotated[str, _run_id("active", "paused")]
ActiveRunId = Annotated[str, _run_id("active")]
NewestRunId = Annotated[
    str | None, _run_id(help="The run's id. Default: the newest that is active, else the newest.")
]
PausedRunId = Annotated[str, _run_id("paused")]
Reason = Annotated[
    str,
    typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.", show_default=False),
]


@app.command("list")
def list_(
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    flow: Annotated[
        str | None,
        typer.Option(
            "--flow",
            metavar="NAME",
            help="Of this flow only.",
            show_default=False,
            autocompletion=names.flows,
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option("--limit", metavar="N", min=1, max=MOST, help="Show so many at most."),
    ] = 20,
    as_json: Json = False,
) -> None:
    """List runs, newest first.

    \b
    Examples:
      seeknal runs list
      seeknal runs list --redis redis://queue:6379/0 --project ecommerce
    """
    from seeknal.cli.reach import Where
    from seeknal.cli.runlist import list_runs

    list_runs(Where(project_path, redis, project), flow, limit, as_json=as_json)


@app.command()
def show(
    run: NewestRunId = None,
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    as_json: Json = False,
) -> None:
    """Show how one run stands or came out, and why units failed.

    \b
    Examples:
      seeknal runs show
      seeknal runs show 20240105T060000Z-1f2e3d
      seeknal runs show 20240105T060000Z-1f2e3d --json
    """
    from seeknal.cli.reach import Where
    from seeknal.cli.runlist import show_run

    show_run(Where(project_path, redis, project), run, as_json=as_json)


@app.command()
def watch(
    run: NewestRunId = None,
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    every: Annotated[
        float | None,
        typer.Option(
            "--every",
            metavar="SECONDS",
            min=0.1,
            help="Seconds between lines. Default: 10.",
            show_default=False,
        ),
    ] = None,
    metrics_port: MetricsPort = None,
    as_json: Json = False,
) -> None:
    """Watch a run until it ends or pauses.

    Ctrl-C ends the watching, not the run. Leaves with exit code 1 unless the run is done.

    \b
    Examples:
      seeknal runs watch
      seeknal runs watch 20240105T060000Z-1f2e3d
      seeknal runs watch --json --every 60
    """
    from seeknal.cli.reach import Where
    from seeknal.cli.watching import watch_run

    where = Where(project_path, redis, project)
    raise typer.Exit(watch_run(where, run, every, metrics_port, as_json=as_json))


@app.command("set")
def set_(
    run: OpenRunId,
    newest_first: Annotated[
        bool | None,
        typer.Option(
            "--newest-first/--oldest-first",
            help="What is fed next, from here on.",
            show_default=False,
        ),
    ] = None,
    max_active: Annotated[
        int | None,
        typer.Option(
            "--max-active",
            metavar="N",
            parser=whole(1, MOST),
            help="Run so many units at once, at most.",
        ),
    ] = None,
    no_max_active: Annotated[
        bool, typer.Option("--no-max-active", help="Run as many at once as there are workers for.")
    ] = False,
    priority: Annotated[
        int | None,
        typer.Option(
            "--priority",
            metavar="N",
            parser=whole(*PRIORITIES),
            help="Runs of a higher one get workers first.",
        ),
    ] = None,
    reason: Reason = "",
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    as_json: Json = False,
) -> None:
    """Change a run's order, cap or priority while it runs.

    Units that run go on; what waits is taken in the new order at once.

    \b
    Examples:
      seeknal runs set 20240105T060000Z-1f2e3d --newest-first
      seeknal runs set 20240105T060000Z-1f2e3d --max-active 4 --reason "Nights"
      seeknal runs set 20240105T060000Z-1f2e3d --priority 10 --no-max-active
    """
    from seeknal.cli.reach import Where
    from seeknal.cli.steering import steer_run

    if no_max_active and max_active is not None:
        raise typer.BadParameter("give --max-active or --no-max-active, not both")
    asked = {"newest_first": newest_first, "max_active": max_active, "priority": priority}
    options: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    if no_max_active:
        options["max_active"] = None
    steer_run(Where(project_path, redis, project), run, options, reason, as_json=as_json)


@app.command()
def cancel(
    run: OpenRunId,
    reason: Reason = "",
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    as_json: Json = False,
) -> None:
    """End a run; what it has completed stays.

    Units that run are interrupted, and can publish nothing any more.

    \b
    Examples:
      seeknal runs cancel 20240105T060000Z-1f2e3d
      seeknal runs cancel 20240105T060000Z-1f2e3d --reason "Wrong input"
    """
    from seeknal.cli.reach import Where
    from seeknal.cli.steering import cancel_run

    cancel_run(Where(project_path, redis, project), run, reason, as_json=as_json)


@app.command()
def pause(
    run: ActiveRunId,
    reason: Reason = "",
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    as_json: Json = False,
) -> None:
    """Start no more units of a run; those that run go on.

    \b
    Example:
      seeknal runs pause 20240105T060000Z-1f2e3d
    """
    from seeknal.cli.reach import Where
    from seeknal.cli.steering import pause_run

    pause_run(Where(project_path, redis, project), run, reason, as_json=as_json)


@app.command()
def resume(
    run: PausedRunId,
    reason: Reason = "",
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    as_json: Json = False,
) -> None:
    """Go on with a paused run.

    \b
    Example:
      seeknal runs resume 20240105T060000Z-1f2e3d
    """
    from seeknal.cli.reach import Where
    from seeknal.cli.steering import resume_run

    resume_run(Where(project_path, redis, project), run, reason, as_json=as_json)


@app.command()
def retry(
    run: RunId,
    failure: Annotated[
        list[str] | None,
        typer.Option(
            "--failure",
            metavar="ID",
            help="Those that failed in this way only, as 'runs show' names it; can be given "
            "several times. Default: all.",
            show_default=False,
        ),
    ] = None,
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    as_json: Json = False,
) -> None:
    """Run the failed units of a run again, in a new run.

    Workers do it where some share the store, else it is done here.

    \b
    Examples:
      seeknal runs retry 20240105T060000Z-1f2e3d
      seeknal runs retry 20240105T060000Z-1f2e3d --failure 3f9a1c
    """
    from seeknal.cli.reach import Where
    from seeknal.cli.retrying import retry_run

    where = Where(project_path, redis, project)
    raise typer.Exit(retry_run(where, run, failure or [], as_json=as_json))


@app.command()
def export(
    to: Annotated[
        Path,
        typer.Option(
            "--to", metavar="FILE", help="The file: .parquet, .json or .jsonl by its name."
        ),
    ],
    run: NewestRunId = None,
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
) -> None:
    """Write what became of each unit of a run to a file.

    \b
    Examples:
      seeknal runs export --to run.parquet
      seeknal runs export 20240105T060000Z-1f2e3d --to run.parquet
      seeknal runs export 20240105T060000Z-1f2e3d --to run.jsonl
    """
    from seeknal.cli.logbook import export_run
    from seeknal.cli.reach import Where

    export_run(Where(project_path, redis, project), run, to)
