"""What README and tutorial tell people to type, typed in a fresh folder, prints what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.conftest import CHECKOUT
from tests.projects import Sandbox

BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What differs from run to run, and from day to day.
PASSING = [
    (re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}"), "<run>"),
    (re.compile(r"\d\.\d s of work"), "<time> of work"),
    # A file says which worker made it, and that has a name of its own length on each machine.
    (re.compile(r"[\d.]+ (B|kB|MB)\b"), "<size>"),
    (
        re.compile(r"Not run: [\d,]+ intervals \((\S+) to \S+\)"),
        r"Not run: <n> intervals (\1 to -)",
    ),
    (re.compile(r"(seeknal_token +│) \d{16}"), r"\1 <token>         "),
    (re.compile(r"(seeknal_fingerprint │) [0-9a-f]{16}"), r"\1 <hash>          "),
]


def section(file: str, start: str, end: str) -> str:
    text = (CHECKOUT / file).read_text()
    return text[text.index(start) : text.index(end)]


def commands(session: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a session on a console, and the lines that it prints."""
    for each in re.split(r"^\$ ", session, flags=re.MULTILINE)[1:]:
        lines = each.splitlines()
        here = re.search(r"<<'(\w+)'", lines[0])
        length = lines.index(here[1]) + 1 if here else 1
        yield "\n".join(lines[:length]), lines[length:]


def settled(lines: list[str]) -> list[str]:
    text = "\n".join(lines)
    for pattern, instead in PASSING:
        text = pattern.sub(instead, text)
    return text.splitlines()


class Reader:
    """Somebody who types what a document says."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._folder = sandbox.root

    def follow(self, text: str) -> None:
        blocks = BLOCK.findall(text)
        assert blocks
        for kind, block in blocks:
            if kind == "sh":
                *_, where = self._sandbox.bash(f"{block}\npwd", cwd=self._folder).lines
                self._folder = Path(where)
                continue
            for command, said in commands(block):
                printed = self.type(command)
                assert settled(printed) == settled(said), command

    def type(self, command: str) -> list[str]:
        """What is seen on the console, in the order in which it is said."""
        return self._sandbox.bash(f"exec 2>&1\n{command}", code=None, cwd=self._folder).lines


@pytest.fixture
def reader(sandbox: Sandbox) -> Reader:
    return Reader(sandbox)


def test_the_readme(reader: Reader) -> None:
    reader.follow(section("README.md", "## From an empty folder", "## On many machines"))


def test_the_tutorial_of_the_documents(reader: Reader) -> None:
    reader.follow(section("docs/tutorial.md", "## Some data", "## Kill it"))
    killing = section("docs/tutorial.md", "## Kill it", "## Ask from Python")
    (_, prepare), (_, session) = BLOCK.findall(killing)
    reader.follow(f"```sh\n{prepare}```\n")
    (goes_on, _), (again, nothing) = commands(session)
    # How far it came before it was killed is chance; a fast machine may have done it all.
    assert reader.type(goes_on)[0].startswith(("Processing ", "Nothing to do for slow."))
    assert reader.type(again) == nothing
    reader.follow(section("docs/tutorial.md", "## Ask from Python", "## Fields of a flow's file"))
