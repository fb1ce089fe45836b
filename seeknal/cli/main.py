"""The command line's entry: the commands, and the one place where errors become sentences.

Exit codes: 0 the window is complete, 1 something is left to do, 2 wrong use or configuration,
130 interrupted. What was asked for goes to standard output, all else to standard error.
Everything heavy is imported inside the commands.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from seeknal import __version__
from seeknal.cli import (
    audit,
    completion,
    doctor,
    fleet,
    flows,
    intervals,
    logs,
    manual,
    plan,
    run,
    runs,
    state,
    streams,
)
from seeknal.cli.options import Json
from seeknal.errors import InterruptedRunError, SeeknalError

app = typer.Typer(
    name="seeknal",
    help=manual.HELP,
    epilog=manual.MORE,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("init")(flows.init)
app.command("run")(run.run)
app.command("plan")(plan.plan)
app.command("worker")(fleet.worker)
app.command("workers")(fleet.workers)
app.add_typer(runs.app, name="runs")
app.add_typer(flows.app, name="flows")
app.add_typer(intervals.app, name="intervals")
app.command("logs")(logs.logs)
app.command("audit")(audit.audit)
app.add_typer(state.app, name="state")
app.command("doctor")(doctor.doctor)


@app.command()
def version(as_json: Json = False) -> None:
    """Show the version of Seeknal, and of what it runs on.

    \b
    Examples:
      seeknal version
      seeknal version --json
    """
    from importlib.metadata import version as of
    from platform import platform, python_version

    versions = {"seeknal": __version__, "python": python_version()}
    versions |= {name: of(name) for name in ("duckdb", "celery", "redis")}
    if as_json:
        streams.show(json.dumps({**versions, "platform": platform()}, indent=2))
        return
    python, duckdb = versions["python"], versions["duckdb"]
    streams.show(f"seeknal {__version__} (Python {python}, DuckDB {duckdb})")


manual.tell_codes(app, runs.app, flows.app, intervals.app, state.app)

_WRONG_USE = 2
_INTERRUPTED = 130


def _show_version(asked: bool) -> None:
    if asked:
        streams.show(f"seeknal {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Show the version and exit.",
            is_eager=True,  # before the others are read, which takes longer
            callback=_show_version,
        ),
    ] = False,
    show_completion: completion.Show = None,
    install_completion: completion.Install = None,
) -> None:
    if show_completion is not None:
        streams.show(completion.script(show_completion))
    elif install_completion is not None:
        path = completion.install(install_completion)
        streams.show(f"Completion is in {path}; it works in shells that are opened from now on.")
    else:
        return
    raise typer.Exit


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    completion.answer_if_asked(app)
    try:
        code = app(prog_name="seeknal", standalone_mode=False)
    except typer.TyperException as error:
        code = _misused(error)
    except InterruptedRunError as error:
        streams.say(str(error))
        code = _INTERRUPTED
    except SeeknalError as error:
        code = _complain(str(error))
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except BrokenPipeError:
        streams.silence()
        code = 0
    except OSError as error:
        code = _complain(_refused(error))
    sys.exit(code if isinstance(code, int) else 0)


def _misused(error: typer.TyperException) -> int:
    context: typer.Context | None = getattr(error, "ctx", None)
    message = error.format_message().rstrip()
    if context is not None and message == context.get_help().rstrip():
        # A group without a command: its help says which there are.
        streams.say(message)
        return _WRONG_USE
    end = "" if message.endswith((".", "?", "!")) else "."
    hint = f" See '{context.command_path} --help'." if context is not None else ""
    return _complain(f"{message}{end}{hint}")


def _complain(message: str) -> int:
    streams.say(f"Error: {message}")
    return _WRONG_USE


def _refused(error: OSError) -> str:
    """Say what the system refused where nothing nearer to it could."""
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; make room, or correct the path or its permissions."


if __name__ == "__main__":
    main()
