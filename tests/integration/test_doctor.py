"""The doctor: what it finds in projects and on servers that lack something on purpose."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seeknal.doctor import Finding, Level, examine
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_worker import Registry
from tests.projects import EVENTS_SQL, Sandbox
from tests.server import Server, free_port

SECRET = "s3cret-p4ss"
GOOD = ["--maxmemory-policy", "noeviction", "--maxmemory", "200mb"]


@pytest.fixture
def shop(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "shop").declare().events("2024-01-01", 48, "1 hour")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start(*options: str, aof: bool = True, credentials: str = "") -> Server:
        folder = tmp_path / f"server{len(started)}"
        server = Server(folder, aof=aof, options=options or GOOD, credentials=credentials)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        server.close()


def worker(server: Server, **detail: object) -> None:
    """Let a worker be alive."""
    store = RedisStore(server.url, "acceptance")
    store.beat("celery@w1/17", {"state": "working", "slots": 2, **detail}, 60)
    store.close()


def found(shop: Sandbox, server: Server | None = None, url: str = "") -> dict[str, list[Finding]]:
    """What is found, by the check; nowhere is a password in it."""
    findings = examine(shop.root, url or (server.url if server else None), patience=0.3)
    assert SECRET not in repr(findings)
    checks: dict[str, list[Finding]] = {}
    for each in findings:
        checks.setdefault(each.check, []).append(each)
    return checks


def to_fix(checks: dict[str, list[Finding]]) -> list[str]:
    return [check for check, each in checks.items() for one in each if one.level is Level.FIX]


def only(checks: dict[str, list[Finding]], check: str) -> Finding:
    (finding,) = checks[check]
    return finding


# -- the embedded store ----------------------------------------------------------------------


def test_a_sound_project(shop: Sandbox) -> None:
    first = found(shop)
    assert to_fix(first) == []
    assert only(first, "state").text == "There is no state yet; the first run makes it."
    assert not (shop.root / "target").exists()
    shop.seeknal("run")
    second = found(shop)
    assert to_fix(second) == []
    assert set(second) == {"project", "flows", "state", "data", "disk"}
    assert "is sound (1 flows)" in only(second, "state").text


def test_the_command_says_what_to_fix(shop: Sandbox) -> None:
    assert shop.seeknal("doctor").lines[-1] == "All is well."
    (shop.root / "raw_events.duckdb").unlink()
    bad = shop.seeknal("doctor", code=1)
    assert bad.lines[-1] == "1 thing to fix."
    assert "fix   data: events_flow: There is no database 'raw_events'" in bad.out
    told = shop.seeknal("doctor", "--json", code=1).json
    assert told["ok"] is False
    assert [each["check"] for each in told["findings"] if each["level"] == "fix"] == ["data"]
    assert {"check", "level", "text", "advice"} == set(told["findings"][0])


def test_no_project(tmp_path: Path) -> None:
    (finding,) = examine(tmp_path, None)
    assert finding.level is Level.FIX
    assert "There is no project in" in finding.text


def test_files_that_are_not_valid(shop: Sandbox) -> None:
    (shop.root / "flows" / "broken.yml").write_text("name: broken\ninput: 7\n")
    checks = found(shop)
    assert to_fix(checks) == ["flows"]
    assert any("flows/broken.yml" in each.text for each in checks["flows"])
    (shop.root / "seeknal_project.yml").write_text("name: a b\n")
    assert to_fix(found(shop)) == ["project"]


def test_sql_that_does_not_fit_its_input(shop: Sandbox) -> None:
    shop.declare(sql=EVENTS_SQL.replace("*", "nothing"))
    checks = found(shop)
    assert to_fix(checks) == ["data"]
    assert "nothing" in only(checks, "data").text


def test_a_damaged_state_file(shop: Sandbox) -> None:
    shop.seeknal("run")
    file = shop.root / "target" / "state.db"
    content = bytearray(file.read_bytes())
    content[4096 * 3 : 4096 * 12] = os.urandom(4096 * 9)
    file.write_bytes(content)
    state = only(found(shop), "state")
    assert state.level is Level.FIX
    assert "is damaged" in state.text
    assert "seeknal state rebuild" in state.advice


def test_output_without_state(shop: Sandbox) -> None:
    shop.seeknal("run")
    (shop.root / "target" / "state.db").unlink()
    state = only(found(shop), "state")
    assert (state.level, "There is output of events_flow" in state.text) == (Level.FIX, True)
    assert not (shop.root / "target" / "state.db").exists()


def test_a_disk_that_is_full(shop: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seeknal.doctor._LEAST_FREE", 1 << 62)
    disk = only(found(shop), "disk")
    assert (disk.level, disk.advice) == (Level.FIX, "Make room.")


# -- Redis -----------------------------------------------------------------------------------


def test_a_sound_server_with_a_worker(shop: Sandbox, start: Callable[..., Server]) -> None:
    server = start()
    worker(server)
    checks = found(shop, server)
    assert to_fix(checks) == []
    assert "is reached in" in only(checks, "server").text
    assert only(checks, "workers").text == "celery@w1/17 is alive: working, 2 slots."
    assert set(checks) >= {"server", "persistence", "memory", "clock", "state", "queue", "data"}
    with server.client() as client:
        left = {key for key in client.scan_iter() if "worker" not in key}
    assert left == set()


def test_no_append_only_file(shop: Sandbox, start: Callable[..., Server]) -> None:
    server = start(aof=False)
    worker(server)
    checks = found(shop, server)
    assert to_fix(checks) == ["persistence"]
    assert "appendonly yes" in only(checks, "persistence").advice


def test_a_server_that_evicts(shop: Sandbox, start: Callable[..., Server]) -> None:
    server = start("--maxmemory", "200mb", "--maxmemory-policy", "allkeys-lru")
    worker(server)
    checks = found(shop, server)
    assert to_fix(checks) == ["memory"]
    assert "maxmemory-policy allkeys-lru" in only(checks, "memory").text


def test_a_server_without_room(shop: Sandbox, start: Callable[..., Server]) -> None:
    server = start()
    worker(server)
    with server.client() as client:
        client.config_set("maxmemory", str(int(client.info("memory")["used_memory"] / 0.95)))
        assert "memory" in to_fix(found(shop, server))
        client.config_set("maxmemory", "1")
    full = found(shop, server)
    assert {"memory", "state"} <= set(to_fix(full))
    assert "is out of memory" in only(full, "state").text


def test_a_wrong_password(shop: Sandbox, start: Callable[..., Server]) -> None:
    server = start("--requirepass", SECRET, *GOOD, credentials=f":{SECRET}@")
    worker(server)
    assert to_fix(found(shop, server)) == []
    wrong = found(shop, url=f"redis://:{SECRET}-not@127.0.0.1:{server.port}/0")
    assert to_fix(wrong) == ["server"]
    assert "refused the user name or password" in only(wrong, "server").text
    none = found(shop, url=f"redis://127.0.0.1:{server.port}/0")
    assert "asks for a password" in only(none, "server").text


def test_nobody_there(shop: Sandbox) -> None:
    checks = found(shop, url=f"redis://:{SECRET}@127.0.0.1:{free_port()}/0")
    assert to_fix(checks) == ["server"]
    assert "cannot be reached" in only(checks, "server").text
    assert "data" in checks


def test_a_user_who_may_not_ask_or_write(shop: Sandbox, start: Callable[..., Server]) -> None:
    server = start()
    worker(server)
    with server.client() as client:
        client.acl_setuser(
            "looker", enabled=True, passwords=[f"+{SECRET}"], keys=["seeknal:*"],
            commands=["+evalsha", "+script|load", "+time", "+@read", "-info"],
        )  # fmt: skip
    checks = found(shop, url=f"redis://looker:{SECRET}@127.0.0.1:{server.port}/0")
    assert only(checks, "server").level is Level.NOTE
    assert "Allow the command INFO" in only(checks, "server").advice
    assert "does not let this user do" in checks["state"][0].text
    assert "does not let this user do" in checks["queue"][0].text


def test_no_worker(shop: Sandbox, start: Callable[..., Server]) -> None:
    server = start()
    checks = found(shop, server)
    assert to_fix(checks) == ["workers"]
    assert "seeknal worker" in only(checks, "workers").advice
    registry = Registry(server.url)
    assert registry.projects() == ["acceptance"]  # so that workers hear of it
    registry.close()


def test_a_worker_that_lacks_its_input(shop: Sandbox, start: Callable[..., Server]) -> None:
    server = start()
    worker(server, lacks="There is no database 'raw_events' on w1")
    checks = found(shop, server)
    assert to_fix(checks) == ["workers"]
    assert "celery@w1/17 lacks its input: There is no database" in only(checks, "workers").text


def test_data_that_only_workers_see(shop: Sandbox, start: Callable[..., Server]) -> None:
    server = start()
    worker(server)
    (shop.root / "raw_events.duckdb").unlink()
    checks = found(shop, server)
    assert to_fix(checks) == []
    assert only(checks, "data").level is Level.NOTE


def test_a_clock_that_is_off(
    shop: Sandbox, start: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start()
    worker(server)
    real = RedisStore.now
    monkeypatch.setattr(RedisStore, "now", lambda store: real(store) + 60)
    checks = found(shop, server)
    assert to_fix(checks) == ["clock"]
    assert "60.0 s behind the server's" in only(checks, "clock").text


def test_without_a_project_the_server_is_examined(
    tmp_path: Path, start: Callable[..., Server]
) -> None:
    server = start()
    worker(server)
    store = RedisStore(server.url, "acceptance")
    store.announce()
    store.close()
    box = Sandbox(tmp_path / "nowhere")
    told = box.seeknal("doctor", "--redis", server.url, "--json").json
    assert told["ok"], json.dumps(told)
    assert "celery@w1/17 is alive" in json.dumps(told)
