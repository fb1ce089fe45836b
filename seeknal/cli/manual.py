"""What the help of the application and of its groups says beside what typer knows."""

from __future__ import annotations

from typing import Final

import typer

HELP: Final = """\
Processes time-series data interval by interval, and knows which intervals are done.

\b
Examples:
  seeknal init shop
  seeknal run
  seeknal run --backfill --start-date 2024-01-01 --end-date 2024-02-01
  seeknal intervals pending
  seeknal runs watch
"""
MORE: Final = """\b
Exit codes:
  0    done; of a run: its window is complete
  1    something failed, is left to do, or is to be looked after
  2    wrong use, or something that cannot be used; nothing was begun
  130  interrupted; what ran was handed back

\b
Environment:
  SEEKNAL_PROJECT       the project's folder
  SEEKNAL_REDIS_URL     the Redis that workers share
  SEEKNAL_DATA_ROOT     where the data are on this machine
  SEEKNAL_LEASE         seconds until a silent worker's unit is free (30)
  SEEKNAL_GRACE         seconds that units run on in a worker that stops (20)
  SEEKNAL_METRICS_PORT  where a worker serves metrics
  NO_COLOR              if it is set to anything, nothing is coloured
"""
CODES: Final = "Exit codes: 0 done, 1 failed or left, 2 wrong use, 130 interrupted."


def group(about: str, *examples: str) -> typer.Typer:
    """Return a group of commands, with its sentence and examples."""
    lines = "\n".join(f"  {example}" for example in examples)
    return typer.Typer(help=f"{about}\n\n\b\nExamples:\n{lines}", no_args_is_help=True)


def tell_codes(*groups: typer.Typer) -> None:
    """Have the help of every command of these groups end with what its exit codes mean."""
    for each in groups:
        for command in each.registered_commands:
            command.epilog = CODES
