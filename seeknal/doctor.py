"""Looks at what a project needs in order to run, and says plainly what is missing.

Nothing of the project is changed. A finding never holds a URL's user or password.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from seeknal.config import load_settings
from seeknal.engine.session import Engine
from seeknal.errors import DataUnavailableError, SeeknalError
from seeknal.flow import Flow
from seeknal.places import STATE_FILE
from seeknal.project import Project
from seeknal.resolve import output_of, prepare
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_fleet import Facts, WorkerSeen
from seeknal.stores.redis_worker import Registry
from seeknal.stores.sqlite import SQLiteStore

_LEAST_FREE: Final = 1_000_000_000
_MOST_OFFSET: Final = 2.0
_SLOW: Final = 0.1
_FULL: Final = 0.9
# A worker hears of a new project, and beats for it, within so many seconds.
PATIENCE: Final = 8.0


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    NOTE = "note"
    FIX = "fix"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was seen, and what to do about it."""

    check: str
    level: Level
    text: str
    advice: str = ""


def examine(path: Path | None, redis: str | None, patience: float = PATIENCE) -> list[Finding]:
    """Examine a project and the store it uses; without a project, the Redis alone.

    ``redis`` is an address that wins over the project's. ``patience`` is for how many seconds
    workers are waited for that have not heard of the project yet.
    """
    try:
        project = Project.find(path)
        if redis is not None:
            project.home.use_redis(redis)
        url = project.redis_url
    except SeeknalError as error:
        return _without_project(error, redis, patience)
    found = [Finding("project", Level.OK, f"The project {project.name!r} is in {project.root}.")]
    flows, mistakes = _flow_files(project)
    found += mistakes
    found += _state_file(project, flows) if url is None else _shared(url, project.name, patience)
    found += _data(project, flows, shared=url is not None)
    found += _disks(project, flows)
    return found


def _without_project(error: SeeknalError, redis: str | None, patience: float) -> list[Finding]:
    missing = Finding("project", Level.FIX, str(error))
    try:
        url = redis or load_settings().redis_url
        if url is None:
            return [missing]
        registry = Registry(url)
        try:
            names = registry.projects()
        finally:
            registry.close()
    except SeeknalError as refused:
        return [missing, Finding("server", Level.FIX, str(refused))]
    note = Finding("project", Level.NOTE, f"{error} The Redis is examined all the same.")
    return [note, *_shared(url, names[0] if names else "", patience if names else 0.0)]


# -- files -----------------------------------------------------------------------------------


def _flow_files(project: Project) -> tuple[list[Flow], list[Finding]]:
    try:
        flows, errors = project.check_flows()
    except SeeknalError as error:
        return [], [Finding("flows", Level.FIX, str(error))]
    found = [Finding("flows", Level.FIX, str(error)) for error in errors]
    if flows:
        names = ", ".join(flow.name for flow in flows)
        found.append(Finding("flows", Level.OK, f"Valid flows: {names}."))
    elif not errors:
        advice = f"Declare one in {project.root}/flows/."
        found.append(Finding("flows", Level.NOTE, "There are no flows yet.", advice))
    return flows, found


def _state_file(project: Project, flows: list[Flow]) -> list[Finding]:
    path = project.target / STATE_FILE
    if not path.exists():
        return [_no_state(project, flows, path)]
    try:
        store = SQLiteStore(path)
        try:
            store.verify()
            names = store.flows()
        finally:
            store.close()
    except SeeknalError as error:
        advice = "If there is no copy: move it away, then 'seeknal state rebuild'."
        return [Finding("state", Level.FIX, str(error), advice)]
    return [Finding("state", Level.OK, f"The state file {path} is sound ({len(names)} flows).")]


def _no_state(project: Project, flows: list[Flow], path: Path) -> Finding:
    published = [flow.name for flow in flows if _has_output(project, flow)]
    if not published:
        return Finding("state", Level.OK, "There is no state yet; the first run makes it.")
    return Finding(
        "state",
        Level.FIX,
        f"There is output of {', '.join(published)}, but no state file {path}.",
        "Restore it with 'seeknal state rebuild'.",
    )


def _has_output(project: Project, flow: Flow) -> bool:
    try:
        output = output_of(project, flow)
    except SeeknalError:
        return False
    return output is not None and any(output.root.glob("*/*.parquet"))


def _data(project: Project, flows: list[Flow], *, shared: bool) -> Iterator[Finding]:
    engine = Engine()
    try:
        for flow in flows:
            yield _input(project, flow, engine, shared=shared)
    finally:
        engine.close()


def _input(project: Project, flow: Flow, engine: Engine, *, shared: bool) -> Finding:
    try:
        if shared and not project.data_root.is_dir():
            raise DataUnavailableError(f"The data root {project.data_root} is no folder here.")
        prepare(project, flow, engine)
    except DataUnavailableError as error:
        if shared:
            advice = "That is well as long as the workers see it: runs are planned by one of them."
            return Finding("data", Level.NOTE, f"{flow.name}: {error}", advice)
        return Finding("data", Level.FIX, f"{flow.name}: {error}")
    except SeeknalError as error:
        return Finding("data", Level.FIX, f"{flow.name}: {error}")
    return Finding("data", Level.OK, f"{flow.name}: its input is seen here, and its SQL fits it.")


def _disks(project: Project, flows: list[Flow]) -> Iterator[Finding]:
    seen: set[int] = set()
    for folder in (project.target, *_outputs(project, flows)):
        place = next(each for each in (folder, *folder.parents) if each.exists())
        if not os.access(place, os.W_OK):
            text = f"Nothing can be written in {place}."
            yield Finding("disk", Level.FIX, text, "Give this user write permission there.")
        if (device := place.stat().st_dev) in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(place).free
        text = f"{free / 1e9:,.1f} GB are free on the disk of {place}."
        little = free < _LEAST_FREE
        yield Finding("disk", Level.FIX if little else Level.OK, text, "Make room." * little)


def _outputs(project: Project, flows: list[Flow]) -> Iterator[Path]:
    for flow in flows:
        try:
            output = output_of(project, flow)
        except SeeknalError:
            continue
        if output is not None:
            yield output.root


# -- the shared store ------------------------------------------------------------------------


def _shared(url: str, name: str, patience: float) -> list[Finding]:
    """Examine a Redis; what depends on something that is missing is left out."""
    try:
        store = RedisStore(url, name)
    except SeeknalError as error:
        return [Finding("server", Level.FIX, str(error))]
    found: list[Finding] = []
    try:
        found += _server(store.facts())
        found += _use(store, url)
        found += _crew(store, patience)
    except SeeknalError as error:
        found.append(Finding("workers" if found else "server", Level.FIX, str(error)))
    finally:
        store.close()
    return found


def _server(facts: Facts) -> Iterator[Finding]:
    if facts.version is None:
        yield Finding(
            "server",
            Level.NOTE,
            f"The Redis at {facts.address} is reached, but tells this user nothing of itself.",
            "Allow the command INFO to have its version, persistence and memory checked.",
        )
    else:
        what = f"{facts.server} {facts.version} at {facts.address} is reached"
        slow = facts.latency > _SLOW
        text = f"{what} in {facts.latency * 1000:.0f} ms."
        yield Finding("server", Level.NOTE if slow else Level.OK, text)
    yield from _persistence(facts)
    yield from _memory(facts)
    yield _clock(facts)


def _persistence(facts: Facts) -> Iterator[Finding]:
    if facts.aof:
        yield Finding("persistence", Level.OK, "It keeps an append-only file.")
    elif facts.aof is not None:
        yield Finding(
            "persistence",
            Level.FIX,
            "It keeps no append-only file: what is done is forgotten when it restarts.",
            "Set 'appendonly yes' in its configuration, or now by CONFIG SET appendonly yes.",
        )


def _memory(facts: Facts) -> Iterator[Finding]:
    if facts.policy not in (None, "noeviction"):
        yield Finding(
            "memory",
            Level.FIX,
            f"It may throw state away when memory is short (maxmemory-policy {facts.policy}).",
            "Set 'maxmemory-policy noeviction'.",
        )
    elif facts.policy is not None:
        yield Finding("memory", Level.OK, "It never throws state away (noeviction).")
    if facts.limit and facts.used is not None and facts.used > _FULL * facts.limit:
        yield Finding(
            "memory",
            Level.FIX,
            f"{facts.used / facts.limit:.0%} of its memory is in use.",
            "Raise maxmemory; when it is reached nothing can be launched or completed.",
        )


def _clock(facts: Facts) -> Finding:
    ahead = "ahead of" if facts.offset < 0 else "behind"
    text = f"This machine's clock is {abs(facts.offset):.1f} s {ahead} the server's."
    if abs(facts.offset) - facts.latency <= _MOST_OFFSET:
        return Finding("clock", Level.OK, text)
    advice = "Set both by NTP: this machine decides by its own which intervals are due."
    return Finding("clock", Level.FIX, text, advice)


def _use(store: RedisStore, url: str) -> Iterator[Finding]:
    """See whether this user may do what launching a run needs."""
    from seeknal.executors.celery import Publisher

    def write() -> str:
        store.ask("doctor", {})
        store.withdraw("doctor")
        return f"State can be written; {store.pending():,} units are unfinished."

    def publish() -> str:
        publisher = Publisher(url)
        try:
            return f"Messages can be sent; {publisher.waiting():,} wait for a worker."
        finally:
            publisher.close()

    yield _tried("state", write)
    yield _tried("queue", publish)


def _tried(check: str, what: Callable[[], str]) -> Finding:
    try:
        return Finding(check, Level.OK, what())
    except SeeknalError as error:
        return Finding(check, Level.FIX, str(error))


def _crew(store: RedisStore, patience: float) -> Iterator[Finding]:
    workers = _awaited(store, patience)
    if not workers:
        yield Finding(
            "workers",
            Level.FIX,
            "No worker is alive.",
            "Start one with 'seeknal worker'; one that is scaled from zero comes with a run.",
        )
    for worker in workers:
        yield _worker(worker)


def _awaited(store: RedisStore, patience: float) -> list[WorkerSeen]:
    """Return the workers; make the project known to them if they may not have heard of it."""
    workers = store.workers()
    deadline = time.monotonic() + patience
    if not workers and patience:
        store.announce()
    while not workers and time.monotonic() < deadline:
        time.sleep(0.2)
        workers = store.workers()
    return workers


def _worker(worker: WorkerSeen) -> Finding:
    detail = worker.detail
    text = f"{worker.name} is alive: {detail.get('state', 'working')}, {detail.get('slots')} slots."
    lacks = detail.get("lacks")
    if lacks:
        advice = "Make it visible there, or let that worker go; the others do its units."
        return Finding("workers", Level.FIX, f"{worker.name} lacks its input: {lacks}", advice)
    return Finding("workers", Level.OK, text)
