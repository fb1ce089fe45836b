"""``seeknal doctor``."""

from __future__ import annotations

import typer

from seeknal.cli.options import Json, ProjectPath, Redis


def doctor(
    project_path: ProjectPath = None,
    redis: Redis = None,
    as_json: Json = False,
) -> None:
    """Check the project, its store, its workers and its data.

    \b
    Examples:
      seeknal doctor
      seeknal doctor --redis redis://queue:6379/0 --json
    """
    from seeknal.cli.checkup import check_up

    raise typer.Exit(check_up(project_path, redis, as_json=as_json))
