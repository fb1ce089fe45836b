"""A server that dies, forgets or stands still, and comes back: the store stays right."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seeknal.errors import LeaseLostError, StoreUnavailableError
from seeknal.stores.redis import RedisStore
from seeknal.workflow.state import UnitResult
from tests.contract.building import FLOW, finish, hour, launch, take
from tests.server import Server
from tests.waiting import passed, wait_until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of the test's own, which loses nothing when it is killed."""
    server = Server(tmp_path / "server", aof=True, fsync="always").start()
    yield server
    server.close()


def test_a_killed_server_comes_back_with_everything(
    server: Server, open_store: Callable[..., RedisStore]
) -> None:
    store = open_store(server.url)
    run = launch(store, *[hour(number) for number in range(6)])
    finish(store, take(store, 30.0))
    store.fail(take(store, 30.0), "boom", None)
    store.fail(take(store, 30.0), "boom", 60.0)
    held = take(store, 30.0)
    before = store.state(FLOW), store.counts(run), store.records(run), store.events(run)
    server.restart()
    after = store.state(FLOW), store.counts(run), store.records(run), store.events(run)
    assert after == before
    assert store.renew(held, 30.0)
    assert take(store, 30.0).token > held.token
    finish(store, held)


def test_tokens_grow_on_a_server_that_forgot_the_latest(
    server: Server, open_store: Callable[..., RedisStore]
) -> None:
    store = open_store(server.url)
    run = launch(store, *[hour(number) for number in range(40)])
    take(store, 30.0)
    kept = server.folder / "kept"
    shutil.copytree(server.folder / "appendonlydir", kept)
    forgotten = [take(store, 30.0) for _ in range(10)]
    server.kill()
    shutil.rmtree(server.folder / "appendonlydir")
    kept.rename(server.folder / "appendonlydir")
    server.start()
    again = [take(store, 30.0) for _ in range(10)]
    assert {claim.unit for claim in again} == {claim.unit for claim in forgotten}
    assert min(claim.token for claim in again) > max(claim.token for claim in forgotten)
    for claim in forgotten:
        with pytest.raises(LeaseLostError):
            store.complete(claim, "fp", UnitResult())
    assert store.counts(run).running == 11


def test_nothing_is_reaped_for_one_lease_after_a_restart(
    server: Server, open_store: Callable[..., RedisStore]
) -> None:
    run = launch(open_store(server.url), hour(0), hour(1))
    renewed, silent = (take(open_store(server.url), 1.0, run) for _ in range(2))
    server.kill()
    start_after(server, silent.until)
    fresh = open_store(server.url)
    assert fresh.reap() == []
    assert fresh.claim("other", 30.0, run, renewed.unit) is None
    assert fresh.renew(renewed, 30.0)
    (reaped,) = wait_until("the silent one is reaped", fresh.reap)
    assert reaped.unit == silent.unit
    assert fresh.now() > silent.until + 1.0


def start_after(server: Server, moment: float) -> None:
    """Start the server once the machine's clock, which is the server's, is past a moment."""
    wait_until("the moment passes", lambda: time.time() > moment)
    server.start()


def test_an_expired_lease_is_not_taken_over_right_after_a_restart(
    server: Server, open_store: Callable[..., RedisStore]
) -> None:
    store = open_store(server.url)
    run = launch(store, hour(0))
    claim = take(store, 0.2, run)
    server.kill()
    start_after(server, claim.until)
    fresh = open_store(server.url)
    assert fresh.claim("other", 30.0, run, hour(0)) is None
    taken = wait_until("it is to be had", lambda: fresh.claim("other", 30.0, run, hour(0)))
    assert taken is not None
    assert taken.token > claim.token


def test_a_server_that_stands_still_is_unavailable(
    server: Server, open_store: Callable[..., RedisStore]
) -> None:
    # Patient enough for a machine that is busy, with which an answer takes its time too.
    store = open_store(f"{server.url}?socket_timeout=2")
    run = launch(store, hour(0))
    claim = take(store, 0.2, run)
    server.pause()
    with pytest.raises(StoreUnavailableError):
        store.renew(claim, 0.2)
    server.resume()
    assert store.reap() == []
    assert store.claim("other", 30.0, run, hour(0)) is None
    assert store.renew(claim, 30.0)


def test_nothing_is_reaped_right_after_the_server_stood_still(
    server: Server, open_store: Callable[..., RedisStore]
) -> None:
    lease = 1.5
    store, janitor = open_store(server.url), open_store(server.url)
    run = launch(store, hour(0))
    claim = take(store, lease, run)
    assert janitor.reap() == []
    server.pause()
    with ThreadPoolExecutor(1) as pool:
        # What the server finds first when it goes on: no renewal was sent in time.
        look = pool.submit(janitor.reap)
        wait_until("the lease is over", passed(2 * lease))
        server.resume()
        assert look.result() == []
    assert janitor.claim("other", 30.0, run, hour(0)) is None
    assert store.renew(claim, 0.1)
    wait_until("it is reaped once it is over", janitor.reap)
