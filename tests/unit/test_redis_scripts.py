"""The Lua files: whole, headed, and known to the table of keys and the list of commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from seeknal.stores import redis_core
from seeknal.stores.redis_keys import COMMANDS, KINDS, prefix
from seeknal.stores.redis_scripts import digest, source, verbs

PYTHON = "".join(
    path.read_text() for path in sorted(Path(redis_core.__file__).parent.glob("redis_*.py"))
)
FOLDER = Path(redis_core.__file__).parent / "lua"


@pytest.mark.parametrize("verb", verbs())
def test_a_script_says_what_it_takes_and_is_used(verb: str) -> None:
    text = (FOLDER / f"{verb}.lua").read_text()
    header = text[: re.search(r"^[^-]", text, re.MULTILINE).start()]  # type: ignore[union-attr]
    assert "KEYS[1] the project's prefix" in header
    for number in set(re.findall(r"ARGV\[(\d+)\]", text)):
        assert int(number) <= max(map(int, re.findall(r"ARGV\[(\d+)", header)))
    if re.search(r"^return (?!1$)", text, re.MULTILINE):
        assert "Returns " in header
    assert f'"{verb}"' in PYTHON


@pytest.mark.parametrize("verb", verbs())
def test_a_script_uses_known_keys_and_allowed_commands(verb: str) -> None:
    text = source(verb)
    assert set(re.findall(r"\bkey\('(\w+)'", text)) <= set(KINDS)
    commands = {name.lower() for name in re.findall(r"call\(\s*'(\w+)'", text)}
    assert commands <= set(COMMANDS.split())
    assert len(digest(verb)) == 40


def test_every_kind_of_key_says_how_it_goes() -> None:
    for name, kind in KINDS.items():
        assert kind.holds, name
        assert kind.goes, name
        assert kind.ttl is None or kind.ttl > 0, name


def test_the_architecture_lists_every_kind_of_key() -> None:
    text = (Path(__file__).parents[2] / "ARCHITECTURE.md").read_text()
    rows = re.findall(
        r"^\| `(\w+)` \| (.+) \| (.+) \|$", text.partition("## The shared store")[2], re.M
    )
    assert rows == [(name, kind.holds, kind.goes) for name, kind in KINDS.items()]


@pytest.mark.parametrize(
    ("project", "expected"),
    [("demo", "seeknal:{demo}:"), ("a}b:c", "seeknal:{a%7Db%3Ac}:"), ("ü", "seeknal:{%C3%BC}:")],
)
def test_a_projects_keys_share_one_hash_tag(project: str, expected: str) -> None:
    assert prefix(project) == expected
