"""The command line's entry: the commands, and the one place where errors become sentences.

Exit codes: 0 the window is complete, 1 something is left to do, 2 wrong use or configuration,
130 interrupted. Everything heavy is imported inside the commands.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from seeknal import __version__
from seeknal.cli import flows, intervals, run
from seeknal.errors import InterruptedRunError, SeeknalError

app = typer.Typer(
    name="seeknal",
    help="Processes time-series data interval by interval, and knows which intervals are done.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(flows.init)
app.command("run")(run.run)
app.add_typer(flows.app, name="flows")
app.add_typer(intervals.app, name="intervals")

_WRONG_USE = 2
_INTERRUPTED = 130


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"seeknal {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    try:
        code = app(standalone_mode=False)
    except typer.TyperException as error:
        code = _complain(error.format_message(), getattr(error, "ctx", None))
    except InterruptedRunError as error:
        typer.echo(str(error), err=True)
        code = _INTERRUPTED
    except SeeknalError as error:
        code = _complain(str(error))
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain again while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code if isinstance(code, int) else 0)


def _complain(message: str, context: typer.Context | None = None) -> int:
    hint = f" See '{context.command_path} --help'." if context is not None else ""
    typer.echo(f"Error: {message.rstrip()}{hint}", err=True)
    return _WRONG_USE


if __name__ == "__main__":
    main()
