"""Servers that refuse: what the operator reads, and that no password is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import redis

from seeknal.errors import StoreError, StoreUnavailableError
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_keys import COMMANDS, prefix
from tests.contract.building import FLOW, WORKER, finish, hour, launch, restate, take
from tests.contract.redis_harness import shared_server
from tests.proxy import Proxy
from tests.server import Server, free_port
from tests.tls import make_certificate, server_context
from tests.waiting import wait_until

SECRET = "s3cret-p4ss"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path / "server")
    yield server
    server.close()


@pytest.fixture
def store(server: Server, open_store: Callable[..., RedisStore]) -> RedisStore:
    return open_store(server.start().url)


def refusal(store: RedisStore, kind: type[StoreError] = StoreError) -> str:
    """What is raised when the store is used; of exactly this kind, and without the password."""
    with pytest.raises(StoreError) as caught:
        launch(store, hour(0))
    assert caught.type is kind
    told: BaseException | None = caught.value
    while told is not None:
        assert SECRET not in f"{told} {told!r} {store!r}"
        told = told.__cause__ or told.__context__
    return str(caught.value)


def use(store: RedisStore) -> None:
    """Use every verb that a worker and a coordinator need."""
    run = launch(store, hour(0), hour(1))
    assert store.due()
    claim = take(store, 30.0)
    assert store.renew(claim, 30.0)
    finish(store, claim)
    restate(store, hour(0))
    store.fail(take(store, 30.0), "boom", None)
    assert store.failed(FLOW)
    assert store.state(FLOW).completed
    assert store.counts(run).done == 1
    assert store.window(run) == 0
    assert store.records(run)
    assert store.events(run)
    assert store.audit()
    assert store.flows() == [FLOW]
    assert store.holds(FLOW).runs == ()
    assert store.run(run) is not None
    assert store.runs()
    assert store.reap() == []
    store.beat(WORKER, {}, 30)
    assert store.workers()
    assert store.elect("feeder", WORKER, 30)
    assert store.pending() == 0


@pytest.mark.parametrize(
    "url", ["http://host", "redis//host", f"redis://u:{SECRET}@host:port/0", ""]
)
def test_a_url_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(StoreError) as caught:
        RedisStore(url, "p")
    assert "redis" in str(caught.value).lower()
    assert SECRET not in str(caught.value)


def test_options_that_cannot_be_read_are_refused() -> None:
    with pytest.raises(StoreError, match="options"):
        RedisStore(f"redis://:{SECRET}@host/0?socket_timeout=soon", "p")


def test_the_address_has_no_credentials() -> None:
    url = f"rediss://ada:{SECRET}@[::1]:7000/3?ssl_ca_certs=/x"
    assert repr(RedisStore(url, "p")) == "RedisStore('rediss://[::1]:7000/3', 'p')"


def test_nobody_there(open_store: Callable[..., RedisStore]) -> None:
    port = free_port()
    store = open_store(f"redis://ada:{SECRET}@127.0.0.1:{port}/0")
    told = refusal(store, StoreUnavailableError)
    assert f"redis://127.0.0.1:{port}/0 cannot be reached" in told


def test_a_password_is_asked_for(server: Server, open_store: Callable[..., RedisStore]) -> None:
    server.options = ("--requirepass", SECRET)
    server.start()
    assert "asks for a password" in refusal(open_store(server.url))
    server.credentials = ":wrong@"
    assert "Correct them in the Redis URL" in refusal(open_store(server.url))
    server.credentials = f":{SECRET}@"
    use(open_store(server.url))


def test_the_least_acl_suffices(
    server: Server, project: str, open_store: Callable[..., RedisStore]
) -> None:
    allowed = [f"+{command}" for command in COMMANDS.split()]
    users = server.folder / "users.acl"
    server.folder.mkdir()
    lines = [
        "user default off",
        f"user seeknal on >{SECRET} ~{prefix(project)}* {' '.join(allowed)}",
        f"user nobody on >{SECRET} ~other:* +@all",
    ]
    users.write_text("\n".join(lines) + "\n")
    server.options = ("--aclfile", str(users))
    server.credentials = f"seeknal:{SECRET}@"
    server.start()
    use(open_store(server.url))
    server.credentials = f"nobody:{SECRET}@"
    assert "does not let this user" in refusal(open_store(server.url))


def test_tls(server: Server, tmp_path: Path, open_store: Callable[..., RedisStore]) -> None:
    server.options = ("--requirepass", SECRET)
    server.start()
    certificate = make_certificate(tmp_path)
    front = Proxy(server.port, server_context(certificate))
    url = f"rediss://:{SECRET}@127.0.0.1:{front.port}/0"
    try:
        use(open_store(f"{url}?ssl_ca_certs={certificate}"))
        assert "certificate that is not trusted" in refusal(open_store(url))
    finally:
        front.close()


def test_tls_spoken_to_a_server_without_it(
    server: Server, open_store: Callable[..., RedisStore]
) -> None:
    server.start()
    url = server.url.replace("redis:", "rediss:") + "?socket_timeout=0.5"
    assert "that it speaks TLS" in refusal(open_store(url), StoreUnavailableError)


def test_memory_that_is_full(store: RedisStore, server: Server) -> None:
    run = launch(store, hour(0))
    with server.client() as client:
        client.config_set("maxmemory", "1")
    assert "maxmemory" in refusal(store)
    assert store.counts(run).queued == 1
    with server.client() as client:
        client.config_set("maxmemory", "0")
    finish(store, take(store, 30.0, run))


def test_a_replica_is_refused_and_left(store: RedisStore, server: Server) -> None:
    store.now()
    with server.client() as client:
        client.execute_command("REPLICAOF", "127.0.0.1", str(free_port()))
        assert "read-only replica" in refusal(store)
        client.execute_command("REPLICAOF", "NO", "ONE")
    use(store)


def test_a_disk_that_is_full(store: RedisStore, server: Server) -> None:
    store.now()
    (server.folder / "dump.rdb").mkdir()  # what is saved cannot take its place
    with server.client() as client:
        client.config_set("save", "3600 1")
        client.bgsave()
        wait_until(
            "saving fails", lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err"
        )
    assert "cannot save to its disk" in refusal(store)


def test_a_server_that_is_too_old(open_store: Callable[..., RedisStore]) -> None:
    store = open_store()
    with patch.object(store._client, "info", lambda section: {"redis_version": "6.0.16"}):
        assert "version 6.0.16, which is too old" in refusal(store)
    use(store)


def test_a_server_that_forgot_the_scripts(redis_store: RedisStore) -> None:
    launch(redis_store, hour(0))
    with shared_server().client() as client:
        client.script_flush()
    finish(redis_store, take(redis_store, 30.0))


def test_what_was_changed_by_hand(redis_store: RedisStore, project: str) -> None:
    run = launch(redis_store, hour(0))
    with shared_server().client() as client:
        client.hset(f"{prefix(project)}run:{run}", "planned", "[[1]]")
    with pytest.raises(StoreError, match="cannot be read"):
        redis_store.run(run)


def test_facts(server: Server, open_store: Callable[..., RedisStore]) -> None:
    server.aof = True
    server.options = ("--maxmemory", "100mb", "--maxmemory-policy", "noeviction")
    facts = open_store(server.start().url).facts()
    assert facts.address == server.url
    assert facts.server in ("Redis", "Valkey")
    assert facts.version
    assert (facts.aof, facts.policy, facts.limit) == (True, "noeviction", 100 * 1024 * 1024)
    assert facts.used
    assert facts.used > 100_000
    assert abs(facts.offset) < 1.0
    assert 0 < facts.latency < 5.0


def test_facts_that_are_not_told(redis_store: RedisStore) -> None:
    def refuse(*_: Any) -> Any:
        raise redis.ResponseError("NOPERM")

    with patch.object(redis_store._client, "info", refuse):
        facts = redis_store.facts()
    assert (facts.version, facts.aof, facts.used) == (None, None, None)


def test_a_cluster_takes_the_keys(server: Server, open_store: Callable[..., RedisStore]) -> None:
    server.options = ("--cluster-enabled", "yes")
    server.start()
    with server.client() as client:
        client.execute_command("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
        store = open_store(server.url)
        wait_until("the slots are served", lambda: "ok" in client.cluster("info")["cluster_state"])
    use(store)
