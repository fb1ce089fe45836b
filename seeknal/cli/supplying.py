"""Has workers go on with a run at once, rather than with their next look at it."""

from __future__ import annotations

import os

from seeknal.cli.reach import Reached, actor
from seeknal.stores.redis import RedisStore


def supply(found: Reached, run_id: str) -> None:
    """Feed a run's first units and publish them; nothing where no workers share the store."""
    if found.url is None or not isinstance(found.store, RedisStore):
        return
    from seeknal.executors.celery import Publisher
    from seeknal.executors.dispatch import Dispatcher

    publisher = Publisher(found.url)
    try:
        owner = f"{actor()} {os.getpid()}"
        Dispatcher(found.store, publisher, found.project, owner).prime(run_id)
    finally:
        publisher.close()
