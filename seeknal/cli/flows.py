"""``seeknal init`` and ``seeknal flows``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seeknal.cli import names
from seeknal.cli.manual import group
from seeknal.cli.options import Json, ProjectPath

app = group(
    "See and check the project's flows.",
    "seeknal flows list",
    "seeknal flows validate",
)


def init(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="The project's name. Default: the folder's.", show_default=False
        ),
    ] = None,
    project_path: Annotated[
        Path,
        typer.Option(
            "--project-path",
            metavar="FOLDER",
            help="The folder to make the project in. Default: this one.",
            show_default=False,
        ),
    ] = Path(),
) -> None:
    """Make a project: seeknal_project.yml, flows/ and target/.

    \b
    Examples:
      seeknal init ecommerce
      seeknal init --project-path /data/ecommerce
    """
    from seeknal.cli.declared import make_project

    make_project(name, project_path)


@app.command("list")
def list_(project_path: ProjectPath = None, as_json: Json = False) -> None:
    """List the flows.

    \b
    Example:
      seeknal flows list
    """
    from seeknal.cli.declared import list_flows

    raise typer.Exit(list_flows(project_path, as_json=as_json))


@app.command()
def show(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="The flow's name.", autocompletion=names.flows),
    ],
    project_path: ProjectPath = None,
    as_json: Json = False,
) -> None:
    """Show one flow: its schedule, input, SQL, output and state.

    \b
    Example:
      seeknal flows show events_flow
    """
    from seeknal.cli.declared import show_flow

    show_flow(project_path, name, as_json=as_json)


@app.command()
def validate(
    name: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Flows' names. Default: all.",
            show_default=False,
            autocompletion=names.flows,
        ),
    ] = None,
    project_path: ProjectPath = None,
    as_json: Json = False,
) -> None:
    """Check flow files, and that their SQL fits their input.

    Leaves with exit code 2 if one does not.

    \b
    Examples:
      seeknal flows validate
      seeknal flows validate events_flow --json
    """
    from seeknal.cli.declared import validate_flows

    raise typer.Exit(validate_flows(project_path, name or [], as_json=as_json))
