"""The janitor of a worker, alone with a real server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from seeknal.stores.redis import RedisStore
from tests.server import Server
from tests.waiting import wait_until
from worker import janitor
from worker.crew import Crew
from worker.janitor import Janitor


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with closing(Server(tmp_path / "redis").start()) as started:
        yield started


@pytest.fixture
def idle(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Janitor]:
    """A janitor that looks for projects, and beats, only when there is a reason to."""
    monkeypatch.setattr(janitor, "_PROJECTS", 600.0)
    monkeypatch.setattr(janitor, "_BEAT", 600.0)
    crew = Crew()
    crew.assemble("celery@here", 2)
    made = Janitor(server.url, crew, lease=2.0)
    made.start()
    yield made
    made.stop()


def test_a_worker_is_seen_as_soon_as_a_message_names_its_project(
    idle: Janitor, server: Server, open_store: Callable[..., RedisStore]
) -> None:
    first = open_store(server.url)
    first.announce()
    wait_until("the worker is seen in the first", first.workers, 5)
    with closing(RedisStore(server.url, "second")) as second:
        second.announce()
        for named in (["no name"], "nobody", "second"):
            idle.hear(named)
        (seen,) = wait_until("the worker is seen in the second", second.workers, 5)
        assert (seen.detail["slots"], seen.detail["state"]) == (2, "working")
        idle.stop()
        assert first.workers() == second.workers() == []
