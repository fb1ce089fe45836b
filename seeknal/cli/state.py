"""``seeknal state``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seeknal.cli.manual import group
from seeknal.cli.options import All, Flows, ProjectPath, Redis

app = group(
    "Move, keep and restore what is known to be done.",
    "seeknal state export state.json",
    "seeknal state rebuild --dry-run",
)

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The state file.")]


@app.command("export")
def export(file: _File, project_path: ProjectPath = None, redis: Redis = None) -> None:
    """Write the state of all flows to a file.

    \b
    Examples:
      seeknal state export state.json
      seeknal state export /backup/state.json --project-path /data/shop
    """
    from seeknal.cli.moving import export_to

    export_to(project_path, redis, file)


@app.command("import")
def import_(
    file: _File,
    project_path: ProjectPath = None,
    redis: Redis = None,
    reason: Annotated[
        str,
        typer.Option(
            "--reason", metavar="TEXT", help="Why; kept in the audit.", show_default=False
        ),
    ] = "",
) -> None:
    """Merge a state file into the state that is there.

    \b
    Examples:
      seeknal state import state.json
      seeknal state import state.json --redis redis://queue:6379/0 \\
        --reason "Moved to Redis"
    """
    from seeknal.cli.moving import import_from

    import_from(project_path, redis, file, reason)


@app.command()
def rebuild(
    project_path: ProjectPath = None,
    redis: Redis = None,
    flow: Flows = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be restored, and change nothing.")
    ] = False,
    every: All = False,
) -> None:
    """Restore lost state from the published output files.

    \b
    Examples:
      seeknal state rebuild --dry-run
      seeknal state rebuild --flow events_flow
    """
    from seeknal.cli.moving import rebuild_from_output

    raise typer.Exit(
        rebuild_from_output(project_path, redis, flow or [], dry_run=dry_run, every=every)
    )
