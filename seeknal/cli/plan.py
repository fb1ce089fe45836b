"""``seeknal plan``."""

from __future__ import annotations

import typer

from seeknal.cli.options import All, Flows, Json, ProjectPath


def plan(
    project_path: ProjectPath = None,
    flow: Flows = None,
    every: All = False,
    as_json: Json = False,
) -> None:
    """Show what changed since the completed units were made.

    The exit code is 1 if units were made by other logic than the present and are not restated.

    \b
    Examples:
      seeknal plan
      seeknal plan --flow events_flow
      seeknal plan --json
    """
    from seeknal.cli.changed import show_changes

    raise typer.Exit(show_changes(project_path, flow or [], every=every, as_json=as_json))
