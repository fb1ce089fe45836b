"""``seeknal runs``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from seeknal.cli import names
from seeknal.cli.manual import group
from seeknal.cli.options import Json, ProjectName, ProjectPath, Redis

app = group(
    "See and steer runs, from any machine.",
    "seeknal runs list",
    "seeknal runs watch",
    "seeknal runs cancel 20240105T060000Z-1f2e3d",
)


def _run_id(*statuses: str) -> Any:
    """Return the argument that names a run; those of these statuses are offered, or all."""
    return typer.Argument(metavar="RUN", help="The run's id.", autocompletion=names.runs(*statuses))


RunId = Annotated[str, _run_id()]
OpenRunId = Annotated[str, _run_id("active", "paused")]
ActiveRunId = Annotated[str, _run_id("active")]
PausedRunId = Annotated[str, _run_id("paused")]


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
        int, typer.Option("--limit", metavar="N", min=1, help="Show so many at most.")
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
    run: RunId,
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    as_json: Json = False,
) -> None:
    """Show one run: how far it is, what runs, what failed.

    \b
    Example:
      seeknal runs show 20240105T060000Z-1f2e3d
    """
    from seeknal.cli.reach import Where
    from seeknal.cli.runlist import show_run

    show_run(Where(project_path, redis, project), run, as_json=as_json)


@app.command()
def watch(
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN",
            help="The run's id. Default: the newest.",
            show_default=False,
            autocompletion=names.runs(),
        ),
    ] = None,
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    as_json: Json = False,
) -> None:
    """Watch a run until it ends.

    Ctrl-C ends the watching, not the run. Leaves with exit code 1 unless the run is done.

    \b
    Examples:
      seeknal runs watch
      seeknal runs watch 20240105T060000Z-1f2e3d
    """
    from seeknal.cli.reach import Where
    from seeknal.cli.steering import watch_run

    raise typer.Exit(watch_run(Where(project_path, redis, project), run, as_json=as_json))


@app.command()
def cancel(
    run: OpenRunId,
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    as_json: Json = False,
) -> None:
    """End a run; what it has completed stays.

    Units that run are interrupted, and can publish nothing any more.

    \b
    Example:
      seeknal runs cancel 20240105T060000Z-1f2e3d
    """
    from seeknal.cli.reach import Where
    from seeknal.cli.steering import cancel_run

    cancel_run(Where(project_path, redis, project), run, as_json=as_json)


@app.command()
def pause(
    run: ActiveRunId,
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

    pause_run(Where(project_path, redis, project), run, as_json=as_json)


@app.command()
def resume(
    run: PausedRunId,
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

    resume_run(Where(project_path, redis, project), run, as_json=as_json)


@app.command()
def retry(
    run: RunId,
    project_path: ProjectPath = None,
    redis: Redis = None,
    project: ProjectName = None,
    as_json: Json = False,
) -> None:
    """Run the failed units of a run again, in a new run.

    \b
    Example:
      seeknal runs retry 20240105T060000Z-1f2e3d
    """
    from seeknal.cli.reach import Where
    from seeknal.cli.steering import retry_run

    retry_run(Where(project_path, redis, project), run, as_json=as_json)
