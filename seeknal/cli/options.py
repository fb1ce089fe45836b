"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ProjectPath = Annotated[
    Path | None,
    typer.Option(
        "--project-path",
        help="The project's folder. Default: the nearest one, from here upwards.",
        show_default=False,
    ),
]
Flows = Annotated[
    list[str] | None,
    typer.Option("--flow", help="A flow's name; can be given several times. Default: all."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON to standard output.")]
All = Annotated[bool, typer.Option("--all", help="Print every line, however many.")]
StartDate = Annotated[
    str | None,
    typer.Option("--start-date", help="From the interval that contains this date or ISO datetime."),
]
EndDate = Annotated[
    str | None,
    typer.Option("--end-date", help="To the last interval that ends by this date or datetime."),
]
Partitions = Annotated[
    str | None, typer.Option("--partitions", help="Partitions, separated by commas.")
]
Schedule = Annotated[
    str | None,
    typer.Option("--schedule", help="Count in intervals of this schedule, not of the flow's."),
]
Start = Annotated[str | None, typer.Option("--start", help="First date or ISO datetime.")]
End = Annotated[
    str | None, typer.Option("--end", help="Date or ISO datetime where the range ends, exclusive.")
]
