"""The commands of the application, and what is written of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from seeknal.cli.main import app

DOCS = Path(__file__).parents[1] / "docs" / "commands.md"
#: Every group and command has it, so that it is described once.
COMMON = {"-h", "--help"}

# Typer brings its own copy of click, whose classes it does not name in public.
Command = Any


def commands(command: Command, words: tuple[str, ...] = ("seeknal",)) -> Iterator[tuple[str, Any]]:
    """Yield every group and command of the application, by how it is typed."""
    yield " ".join(words), command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, (*words, name))


ALL = dict(commands(typer.main.get_command(app)))
GROUPS = {name for name, command in ALL.items() if hasattr(command, "commands")}
LEAVES = sorted(set(ALL) - GROUPS)


def sections() -> dict[str, str]:
    """The sections of the documentation, by the command they describe."""
    parts = re.split(r"^## `(.+)`$", DOCS.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options(command: Command) -> set[str]:
    """The options of a command, long and short, without those that each one has."""
    found = {o for p in command.params if p.param_type_name == "option" for o in p.opts}
    return found - COMMON


def arguments(command: Command) -> set[str]:
    """The metavars of a command's arguments."""
    return {p.metavar for p in command.params if p.param_type_name == "argument"}


def examples(text: str) -> list[str]:
    """The lines of a help text that are commands."""
    return re.findall(r"^ *(seeknal .+)$", text, flags=re.MULTILINE)
