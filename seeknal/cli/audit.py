"""``seeknal audit``."""

from __future__ import annotations

from typing import Annotated

import typer

from seeknal.cli.options import MOST, Flows, Json, ProjectPath, Redis


def audit(
    project_path: ProjectPath = None,
    redis: Redis = None,
    flow: Flows = None,
    limit: Annotated[
        int,
        typer.Option(
            "--limit", min=1, max=MOST, metavar="N", help="How many changes, the latest ones."
        ),
    ] = 40,
    as_json: Json = False,
) -> None:
    """Show who changed state by hand, when, what and why.

    \b
    Examples:
      seeknal audit
      seeknal audit --flow events_flow --limit 100 --json
    """
    from seeknal.cli.ledger import show_audit

    show_audit(project_path, redis, flow or [], limit, as_json=as_json)
