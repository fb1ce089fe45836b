"""What ``seeknal worker`` starts, and ``seeknal workers`` prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

from seeknal.cli import text
from seeknal.cli.reach import Where, reached
from seeknal.cli.streams import is_plain
from seeknal.config import load_settings
from seeknal.environment import PREFIX
from seeknal.errors import ConfigError, UsageError
from seeknal.home import Home
from seeknal.stores.redis import RedisStore

_LEVELS = ("debug", "info", "warning", "error")


def start_worker(
    concurrency: int | None,
    redis: str | None,
    data_root: Path | None,
    log_level: str,
    metrics_port: str | None,
) -> NoReturn:
    """Become a Celery worker.

    The address goes by the environment, because the arguments of a process can be read by all.

    Raises:
        UsageError: it is not said which Redis is meant, or a level is unknown.
    """
    if log_level.lower() not in _LEVELS:
        raise UsageError(f"{log_level!r} is no log level; use one of {', '.join(_LEVELS)}.")
    settings = load_settings()
    url, root = redis or settings.redis_url, data_root or settings.data_root
    try:
        home = Home.find()
    except ConfigError:
        home = None
    if home is not None:
        url, root = url or home.redis_url, root or home.data_root
    if url is None:
        raise UsageError(
            "A worker needs the address of the Redis that it shares; give it with --redis, or set "
            "SEEKNAL_REDIS_URL."
        )
    environment = {**os.environ, f"{PREFIX}REDIS_URL": url}
    if root is not None:
        environment[f"{PREFIX}DATA_ROOT"] = str(Path.cwd() / root)
    if metrics_port is not None:
        environment[f"{PREFIX}METRICS_PORT"] = metrics_port
    # Celery colours its log on any terminal, and reads this one as a truth value.
    environment.pop("NO_COLOR", None)
    if is_plain():
        environment["NO_COLOR"] = "1"
    command = [sys.executable, "-m", "celery", "-A", "worker.app", "worker"]
    command += ["--loglevel", log_level.lower()]
    # Two on one machine are two for Celery as well; the process stays this one.
    command += ["--hostname", f"seeknal-{os.getpid()}@%h"]
    if concurrency is not None:
        command += ["--concurrency", str(concurrency)]
    os.execve(sys.executable, command, environment)


def show_workers(where: Where, *, as_json: bool) -> None:
    """Print the workers that are alive."""
    with reached(where) as found:
        if not isinstance(found.store, RedisStore):
            raise UsageError(
                f"Project {found.project!r} keeps its state on this machine, and so has no "
                "workers; give the address of a Redis with --redis."
            )
        workers = found.store.workers()
    if as_json:
        shown = [{"worker": w.name, "alive_until": w.until, **w.detail} for w in workers]
        text.show_json({"workers": shown})
        return
    if not workers:
        text.say("No worker is alive; start one with: seeknal worker")
    for worker in workers:
        text.show(f"{worker.name}  {_summary(worker.detail)}")
        for unit in worker.detail.get("busy", []):
            text.show(f"  {unit['flow']} {unit['slice']} ({unit['seconds']} s, run {unit['run']})")
        if worker.detail.get("lacks"):
            text.show(f"  lacks: {worker.detail['lacks']}")


def _summary(detail: Mapping[str, Any]) -> str:
    busy, elsewhere = len(detail.get("busy", [])), int(detail.get("elsewhere", 0))
    others = f", {elsewhere} for other projects" if elsewhere else ""
    return f"{detail.get('state', '')}, {busy} of {detail.get('slots', '?')} busy{others}"
