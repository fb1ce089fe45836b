"""What is said of the commands: every one of them, whole, and where it belongs."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys

import pytest

from seeknal import __version__
from seeknal.cli.main import app
from seeknal.cli.manual import CODES, MORE
from seeknal.config import Settings
from tests.commandline import ALL, DOCS, GROUPS, LEAVES, arguments, examples, options, sections
from tests.deployment import parse
from tests.projects import BIN, Sandbox, environment


def test_there_are_commands() -> None:
    assert "seeknal intervals restate" in LEAVES
    assert "seeknal intervals" in GROUPS


@pytest.mark.parametrize("name", [*LEAVES, "seeknal"])
def test_every_command_and_option_is_documented(name: str) -> None:
    section = sections().get(name)
    assert section is not None, f"docs/commands.md has no section '## `{name}`'"
    listed = "\n".join(re.findall(r"^- (?:.+)$", section, flags=re.MULTILINE))
    for option in options(ALL[name]):
        assert re.search(rf"`{option}[` ]", listed), f"docs/commands.md: {name} lacks {option}"
    for argument in arguments(ALL[name]):
        assert f"- `{argument}`" in listed, f"docs/commands.md: {name} lacks {argument}"


@pytest.mark.parametrize("name", LEAVES)
def test_nothing_is_documented_that_is_not_there(name: str) -> None:
    listed = re.findall(r"^- (.+)$", sections()[name], flags=re.MULTILINE)
    leading = " ".join(line.split(" is ")[0].split(" bound ")[0] for line in listed)
    assert set(re.findall(r"`(--[a-z-]+)", leading)) <= options(ALL[name])


def test_every_section_is_a_command() -> None:
    assert set(sections()) == {*LEAVES, "seeknal"}


@pytest.mark.parametrize("name", LEAVES)
def test_the_examples_of_the_help_are_those_of_the_documentation(name: str) -> None:
    assert examples(sections()[name]) == examples(ALL[name].help)


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_help_has_examples_that_can_be_typed(name: str) -> None:
    text = ALL[name].help.replace("\\\n", "")
    assert re.search(r"^ *Examples?:$", text, re.MULTILINE), f"the help of '{name}' has no example"
    found = examples(text)
    assert found
    for example in found:
        assert example == name or example.startswith(f"{name} ")
        parse(shlex.split(example)[1:])


@pytest.mark.parametrize("name", sorted(ALL))
def test_everything_is_explained_in_sentences(name: str) -> None:
    for parameter in ALL[name].params:
        said = parameter.help or ""
        assert said[:1].isupper() or said.startswith(("debug", "'")), f"{name}: {parameter.name}"
        assert said.endswith("."), f"{name}: {parameter.name}"


def table(text: str, head: str) -> dict[str, str]:
    """The rows of a help's list: what a line begins with, and what follows."""
    rows = text.split(f"{head}:\n")[1].split("\n\n", maxsplit=1)[0]
    return dict(re.findall(r"^ *(\S+) {2,}(\S.*)$", rows, re.MULTILINE))


def test_the_help_lists_exit_codes_and_variables() -> None:
    documented = re.findall(r"^\| (\d+) \|", DOCS.read_text(), re.MULTILINE)
    assert list(table(MORE, "Exit codes")) == documented
    for code in documented:
        assert re.search(rf"\b{code}\b", CODES)
    settings = {f"SEEKNAL_{name.upper()}" for name in Settings.model_fields}
    assert set(table(MORE, "Environment")) == settings | {"NO_COLOR"}


@pytest.mark.parametrize("name", LEAVES)
def test_the_help_of_a_command_ends_with_its_exit_codes(name: str) -> None:
    assert ALL[name].epilog == CODES


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_summary_is_one_sentence_that_fits_the_list_of_commands(name: str) -> None:
    summary = ALL[name].help.split("\n\n")[0]
    assert summary.endswith(".")
    if name != "seeknal":
        assert "\n" not in summary
        assert ALL[name].get_short_help_str(64) == summary


@pytest.mark.parametrize("name", sorted(GROUPS))
def test_the_list_of_commands_is_whole(name: str, sandbox: Sandbox) -> None:
    shown = sandbox.seeknal(*name.split()[1:], "-h")
    assert shown.err == ""
    assert "..." not in shown.out.split("Commands:")[1]


@pytest.mark.parametrize("name", ["seeknal", *LEAVES])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_data_whole_and_no_wider_than_a_terminal(
    name: str, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = app([*name.split()[1:], flag], prog_name="seeknal", standalone_mode=False)
    out, err = capsys.readouterr()
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: {name} ")
    assert max(map(len, out.splitlines())) <= 80
    for example in examples(ALL[name].help):
        assert f"\n    {example}\n" in out


def test_help_imports_nothing_heavy() -> None:
    heavy = ("duckdb", "pydantic", "sqlglot", "redis", "celery", "croniter", "sqlite3", "rich")
    code = f"import sys, seeknal.cli.main; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("command", ["run", "flows validate", "plan", "intervals show"])
def test_commands_do_without_pandas_where_it_is_installed(sandbox: Sandbox, command: str) -> None:
    imported = sandbox.root / "imported"
    (sandbox.root / "pandas.py").write_text(f"open({str(imported)!r}, 'w')")
    sandbox.events("2024-01-01", 48, "1 hour").declare().seeknal("run")
    code = (
        f"import sys, seeknal.cli.main as s; sys.argv = ['seeknal', *{command.split()}]; s.main()"
    )
    sandbox.python(code)
    assert not imported.exists()


def test_the_version_is_told_in_two_ways(sandbox: Sandbox) -> None:
    assert sandbox.seeknal("--version").lines == [f"seeknal {__version__}"]
    told = sandbox.seeknal("version")
    assert re.fullmatch(rf"seeknal {__version__} \(Python 3\.\S+, DuckDB 1\.\S+\)\n", told.out)
    assert told.err == ""
    versions = sandbox.seeknal("version", "--json").json
    assert versions["seeknal"] == __version__
    assert {"python", "duckdb", "celery", "redis", "platform"} < set(versions)


@pytest.fixture
def project(sandbox: Sandbox) -> Sandbox:
    """A project with three days of events."""
    return sandbox.declare().events("2024-01-01", 72, "1 hour")


def test_data_and_chatter_keep_to_their_streams(project: Sandbox) -> None:
    run = project.seeknal("run", "--json")
    assert run.json["flows"][0]["complete"] is True
    again = project.seeknal("run")
    assert again.lines == ["Nothing to do for events_flow."]
    shown = project.seeknal("intervals", "show", "--json")
    assert shown.json["flows"][0]["flow"] == "events_flow"
    assert shown.err == ""
    assert project.seeknal("run", "--flow", "none", code=2).out == ""


def on_terminal(project: Sandbox, *words: str, **variables: str) -> str:
    """Run a command on a terminal, and return all that it writes there."""
    ours, theirs = pty.openpty()
    env = {k: v for k, v in environment().items() if k not in ("NO_COLOR", "FORCE_COLOR", "CI")}
    process = subprocess.Popen(
        [str(BIN / "seeknal"), *words],
        cwd=project.root,
        env={**env, "TERM": "xterm-256color", **variables},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:
        pass  # this is how a terminal says that nobody writes to it any more
    finally:
        os.close(ours)
        process.wait(60)
    return written.decode()


COLOUR = re.compile(r"\x1b\[(?:\d+;)*(?:3[0-8]|4[0-8]|9[0-7]|10[0-7])(?:;\d+)*m")


def test_a_terminal_has_colours_unless_they_are_unwanted(project: Sandbox) -> None:
    coloured = on_terminal(project, "run", "--end-date", "2024-01-02")
    assert COLOUR.search(coloured), coloured
    for number, wish in enumerate(("0", "please")):
        end = f"2024-01-0{number + 3}"
        plain = on_terminal(project, "run", "--end-date", end, NO_COLOR=wish, FORCE_COLOR="1")
        assert "1 done" in plain
        assert not COLOUR.search(plain), plain


def test_a_terminal_that_can_draw_nothing_gets_lines(project: Sandbox) -> None:
    for term in ("dumb", "unknown"):
        said = on_terminal(project, "run", "--include-empty", TERM=term, FORCE_COLOR="1")
        assert "\x1b" not in said, said
        assert "done" in said or "Nothing to do" in said


def test_no_wish_for_colours_reaches_a_file(project: Sandbox) -> None:
    done = subprocess.run(
        [str(BIN / "seeknal"), "run"],
        cwd=project.root,
        env={**environment(), "NO_COLOR": "", "FORCE_COLOR": "1", "TERM": "xterm-256color"},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert b"\x1b" not in done.stdout + done.stderr
