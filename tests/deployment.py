"""The files that deploy Seeknal, as tests read and run them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import typer
import yaml

from seeknal.cli.main import app

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "docker-compose.yml"
KUBERNETES = ROOT / "deploy" / "kubernetes.yml"
KEDA = ROOT / "deploy" / "keda.yml"
ACL = ROOT / "deploy" / "redis.acl"
_VARIABLE = re.compile(r"\$\{(\w+)(?::?([?-])([^}]*))?\}|\$\$")
_NO_HASH = "#PUT-THE-SHA256-OF-A-PASSWORD-HERE"


def compose(**variables: str) -> dict[str, Any]:
    """The compose file, with its variables replaced as Compose does."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        name, kind, text = match.groups()
        assert name in variables or kind == "-", f"{name} is asked for: {text}"
        return variables.get(name, text or "")

    lines = COMPOSE.read_text().splitlines()
    text = "\n".join(_VARIABLE.sub(value, line) for line in lines if "#" not in line[:3])
    content: dict[str, Any] = yaml.safe_load(text)
    return content


def documents(path: Path) -> list[dict[str, Any]]:
    """The documents of a YAML file."""
    return list(yaml.safe_load_all(path.read_text()))


def the(kind: str) -> dict[str, Any]:
    """The one document of a kind for Kubernetes."""
    found = [d for path in (KUBERNETES, KEDA) for d in documents(path) if d["kind"] == kind]
    assert len(found) == 1
    return found[0]


def containers(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The containers of whatever has a template of pods."""
    spec = document["spec"]
    spec = spec.get("jobTemplate", {"spec": spec})["spec"]
    found: list[dict[str, Any]] = spec["template"]["spec"]["containers"]
    return found


def acl(password: str, keda: str = "keda") -> str:
    """The ACL file, with passwords for its users."""
    text = ACL.read_text()
    for each in (password, keda):
        text = text.replace(_NO_HASH, f"#{sha256(each.encode()).hexdigest()}", 1)
    assert _NO_HASH not in text
    return text


def parse(arguments: Sequence[str]) -> None:
    """Read arguments of ``seeknal`` as the command line does; they raise if they do not fit."""
    command: Any = typer.main.get_command(app)
    words, name = list(arguments), "seeknal"
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, f"there is no command {name!r}"
        command = command.commands[name]
    command.make_context(name, words)


def shell_commands(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each ``seeknal`` in the shell commands of a text."""
    joined = text.replace("\\\n", " ")
    for match in re.finditer(r"(?:^|--rm |\$\()seeknal ([a-z][^\n#|)]*)", joined, re.MULTILINE):
        words = re.findall(r"\"[^\"]*\"|'[^']*'|\S+", match[1])
        yield [word.strip("\"'") for word in words]
