"""Shells, as they ask a command what may follow: by its environment."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.projects import BIN, environment


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command answered."""

    shell: str
    out: str
    err: str
    code: int

    @property
    def items(self) -> list[tuple[str, str]]:
        """The names that are offered, with what is said of each."""
        lines = self.out.splitlines()
        if self.shell == "zsh":
            match = re.fullmatch(r"local -a found=\((.*)\); _describe -V '' found\n?", self.out)
            lines = (
                [re.sub(r"(?<!\\):", "\t", w, count=1) for w in shlex.split(match[1])]
                if match
                else []
            )
        split = [line.partition("\t") for line in lines if line]
        return [(name, about) for name, _, about in split]

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.items]


def ask(
    shell: str,
    words: Sequence[str],
    folder: Path,
    *,
    command: Sequence[str] = (str(BIN / "seeknal"),),
    **variables: str,
) -> Asked:
    """Ask what may stand for the last of these words."""
    typed = ["seeknal", *words]
    line = " ".join(typed)
    asked = {"_SEEKNAL_COMPLETE": f"complete_{shell}"}
    if shell == "bash":
        asked |= {"COMP_WORDS": "\n".join(typed), "COMP_CWORD": str(len(typed) - 1)}
    else:
        asked |= {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    done = subprocess.run(
        list(command),
        cwd=folder,
        env=environment(**asked, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Asked(shell, done.stdout, done.stderr, done.returncode)
