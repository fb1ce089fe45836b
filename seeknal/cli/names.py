"""What may stand for a name on the command line: what the shell offers with the tab key.

Only names that mean nothing to any shell are offered. What cannot be found out, or not soon, is
not offered, and nobody is told why.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import typer

from seeknal.environment import expand, setting
from seeknal.places import FLOWS, PROJECT_FILE, STATE_FILE, TARGET, flow_files, nearest
from seeknal.stores.glance import Glance, RedisGlance, SQLiteGlance

# A tab key that takes longer than that is not pressed twice.
_LONGEST: Final = 1.0
_RUNS: Final = 50
_HARMLESS: Final = re.compile(r"[\w.+@%-]+")

Offer = tuple[str, str]
Completion = Callable[[typer.Context, str], list[Offer]]


def flows(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the project's flows; without a folder of it, those that its Redis knows."""

    def look() -> Iterable[Offer]:
        folder = _folder(context)
        names = _declared(folder) if folder is not None else _state(context).flows()
        return [(name, "") for name in names]

    return _hastily(look)


def projects(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the projects of the Redis."""

    def look() -> Iterable[Offer]:
        url = _url(context, _folder(context))
        return [(name, "") for name in RedisGlance(url).projects()] if url else []

    return _hastily(look)


def runs(*statuses: str) -> Completion:
    """Return what offers runs, newest first, that have one of these statuses; without any, all."""

    def offer(context: typer.Context, incomplete: str) -> list[Offer]:
        def look() -> Iterable[Offer]:
            found = _state(context).runs(_RUNS)
            known = [each for each in found if not statuses or each.status in statuses]
            return [(each.run, f"{each.status}, {each.flow}") for each in known]

        return _hastily(look)

    return offer


def values(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the value partitions of the flow that is meant."""
    return _hastily(lambda: [(value, "") for value in _values(context)])


def partitions(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer value partitions behind those that are typed already, after a comma."""
    before, comma, _ = incomplete.rpartition(",")
    offered = values(context, "")
    return [
        (f"{before}{comma}{value}", about)
        for value, about in offered
        if value not in before.split(",")
    ]


def choices(*names: str) -> Completion:
    """Return what offers these names."""

    def offer(context: typer.Context, incomplete: str) -> list[Offer]:
        return [(name, "") for name in names]

    return offer


def _hastily(look: Callable[[], Iterable[Offer]]) -> list[Offer]:
    """Return what is found in time, and is harmless."""
    found: list[Offer] = []

    def run() -> None:
        with suppress(Exception):
            found.extend(look())

    # A name server that does not answer cannot be interrupted; a thread can be left behind.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(_LONGEST)
    if thread.is_alive():
        return []
    return [(name, about) for name, about in found if _HARMLESS.fullmatch(name)]


# -- where to look ----------------------------------------------------------------------------


def _folder(context: typer.Context) -> Path | None:
    """Return the project's folder, unless a project is meant by its name."""
    if context.params.get("project") is not None:
        return None
    path = context.params.get("project_path") or setting("PROJECT") or ""
    start = Path(os.path.abspath(path))  # noqa: PTH100
    return nearest(start.parent if start.name == PROJECT_FILE else start)


def _declared(folder: Path) -> list[str]:
    return sorted(path.stem for path in flow_files(folder / FLOWS))


def _state(context: typer.Context) -> Glance:
    folder = _folder(context)
    url = _url(context, folder)
    if url is not None:
        name = context.params.get("project") if folder is None else _spec(folder)["name"]
        return RedisGlance(url, name)
    if folder is None:
        raise LookupError
    return SQLiteGlance(folder / TARGET / STATE_FILE)


def _values(context: typer.Context) -> list[str]:
    folder = _folder(context)
    named = context.params.get("flow") or (_declared(folder) if folder is not None else [])
    return _state(context).values(named[0]) if len(named) == 1 else []


def _url(context: typer.Context, folder: Path | None) -> str | None:
    given = context.params.get("redis") or setting("REDIS_URL")
    if given is not None or folder is None:
        return None if given is None else str(given)
    url = _spec(folder).get("redis_url")
    return None if url is None else expand(url, PROJECT_FILE)


def _spec(folder: Path) -> dict[str, Any]:
    import yaml

    spec: dict[str, Any] = yaml.safe_load((folder / PROJECT_FILE).read_text())
    return spec
