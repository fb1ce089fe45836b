"""Completion by the shell: what is put into it, and how its questions are answered.

A shell asks by running the command with ``_SEEKNAL_COMPLETE`` set, as typer has it. Of typer's
classes we differ in what each shell would sort: runs are offered with the newest first.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from shlex import quote
from typing import Annotated, Any, Final

import typer
from typer import _completion_classes, _completion_shared
from typer import core as _typer_core

from seeknal.cli.names import choices

_NAME: Final = "seeknal"
_ASKED: Final = "_SEEKNAL_COMPLETE"
_BREAK: Final = re.compile("[:=]+")

# Of bash before 4.4 the second `complete` is understood.
_BASH: Final = """
%(complete_func)s() {
    local IFS=$'\\n'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD="$COMP_CWORD" \\
                   %(autocomplete_var)s=complete_bash "$1" 2>/dev/null ) )
    return 0
}
complete -o default -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null ||
    complete -o default -F %(complete_func)s %(prog_name)s
"""
# In a folder of functions it is called when it is first needed, else it is evaluated at once.
_ZSH: Final = """
#compdef %(prog_name)s

%(complete_func)s() {
    eval "$(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" \\
                %(autocomplete_var)s=complete_zsh %(prog_name)s 2>/dev/null)"
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""
_FISH: Final = """
function %(complete_func)s
    set -l found (env %(autocomplete_var)s=complete_fish _TYPER_COMPLETE_FISH_ACTION=get-args \\
        _TYPER_COMPLETE_ARGS=(commandline -cp) %(prog_name)s 2>/dev/null)
    if test (count $found) -gt 0
        printf '%%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete --command %(prog_name)s --keep-order --no-files --arguments "(%(complete_func)s)"
"""


class Shell(StrEnum):
    """A shell that completes."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def read_shell(typed: str) -> Shell:
    """Read the name of a shell."""
    try:
        return Shell(typed)
    except ValueError:
        known = ", ".join(Shell)
        raise typer.BadParameter(f"{typed!r} is not one of the shells {known}") from None


Show = Annotated[
    Shell | None,
    typer.Option(
        "--show-completion",
        parser=read_shell,
        metavar="SHELL",
        help="Print what makes bash, zsh or fish complete commands and names.",
        autocompletion=choices(*Shell),
        show_default=False,
    ),
]
Install = Annotated[
    Shell | None,
    typer.Option(
        "--install-completion",
        parser=read_shell,
        metavar="SHELL",
        help="Put that in place for your user.",
        autocompletion=choices(*Shell),
        show_default=False,
    ),
]


class _Bash(_completion_classes.BashComplete):
    """Puts together what bash takes apart: ``redis://host:6379/0`` is five words to it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        *before, last = _glued([*args, incomplete])
        return before, last


class _Zsh(_completion_classes.ZshComplete):
    """Answers with commands in which nothing but their own words is evaluated."""

    def complete(self) -> str:
        found = self.get_completions(*self.get_completion_args())
        if not found:
            return "_files"
        return f"local -a found=({' '.join(map(_described, found))}); _describe -V '' found"


def answer_if_asked(app: typer.Typer) -> None:
    """Answer a shell and leave the process, if it is a shell that asks.

    Nothing is said of what goes wrong: it would stand in the line that is being typed.
    """
    if not os.environ.get(_ASKED):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.__stderr__.fileno() if sys.__stderr__ else 2)
    _make_haste()
    _teach()
    code: object = 0
    try:
        app(prog_name=_NAME, standalone_mode=False)
    except SystemExit as left:
        code = left.code
    except Exception:
        code = 1
    sys.stdout.flush()
    # Without waiting for what was not found in time.
    os._exit(code if isinstance(code, int) else 0)


def script(shell: Shell) -> str:
    """Return what makes a shell complete."""
    _teach()
    return _completion_shared.get_completion_script(
        prog_name=_NAME, complete_var=_ASKED, shell=str(shell)
    )


def install(shell: Shell) -> Path:
    """Put that in place for this user, and return where."""
    _teach()
    _, path = _completion_shared.install(str(shell), prog_name=_NAME, complete_var=_ASKED)
    return path


def _teach() -> None:
    """Have typer use what is ours."""
    _completion_classes.completion_init()
    _completion_classes.add_completion_class(_Bash, Shell.BASH)  # type: ignore[attr-defined]
    _completion_classes.add_completion_class(_Zsh, Shell.ZSH)  # type: ignore[attr-defined]
    _completion_shared._completion_scripts.update(
        {Shell.BASH: _BASH, Shell.ZSH: _ZSH, Shell.FISH: _FISH}
    )


def _make_haste() -> None:
    """Spare typer what it would import to no end, and what takes longer than all the rest."""
    # To take colours out of texts that have none.
    sys.modules["rich"] = None  # type: ignore[assignment]
    # To check, by pydantic, values that are not used.
    vars(_typer_core)["build_runtime_param"] = lambda descriptor: _AsTyped


class _AsTyped:
    """Takes the value of a parameter as it was typed."""

    @staticmethod
    def coerce(value: object, **_: object) -> object:
        return value


def _glued(words: Iterable[str]) -> list[str]:
    """Put words together again that stand on both sides of a break."""
    found: list[str] = []
    broken = False
    for word in words:
        is_break = _BREAK.fullmatch(word) is not None
        if found and (is_break or broken):
            found[-1] += word
        else:
            found.append(word)
        broken = is_break
    return found


def _described(item: Any) -> str:
    value = str(item.value).replace(":", "\\:")
    return quote(f"{value}:{item.help}" if item.help else value)
