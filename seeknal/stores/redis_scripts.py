"""The Lua scripts: one file per verb, put together with the library files it names."""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import Final

from seeknal.stores.redis_keys import lua_ttls

_FOLDER: Final = files("seeknal.stores") / "lua"
_USES: Final = re.compile(r"^-- uses (.*)$", re.MULTILINE)


@cache
def source(verb: str) -> str:
    """Return the script of a verb, with all that it uses before it."""
    own = _read(f"{verb}.lua")
    uses = _USES.search(own)
    parts = [_read(f"lib/{name}.lua") for name in uses[1].split()] if uses else []
    return _bare(lua_ttls() + "".join([*parts, own]))


@cache
def digest(verb: str) -> str:
    """Return what the server knows the script by."""
    return hashlib.sha1(source(verb).encode(), usedforsecurity=False).hexdigest()


def verbs() -> list[str]:
    """Return the names of all scripts."""
    return sorted(entry.name.removesuffix(".lua") for entry in _FOLDER.iterdir() if entry.is_file())


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _bare(text: str) -> str:
    """Leave out lines of comment: the server keeps every script in memory."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
    return "\n".join(line for line in lines if line.strip())
