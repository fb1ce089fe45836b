"""Workers on a Redis with users, least rights and TLS; and where passwords are not."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import redis

from seeknal.errors import StoreError
from seeknal.executors.celery import QUEUE
from seeknal.stores.redis import RedisStore
from seeknal.workflow.state import RunStatus
from tests.deployment import acl
from tests.fleet import BURN, PROJECT, Fleet
from tests.projects import BIN, Sandbox, environment
from tests.proxy import Proxy
from tests.server import Server
from tests.tls import make_certificate, server_context
from tests.waiting import wait_until

SECRET = "s3cretp4ss0fthe5eekna1"
ADMIN = "adm1np4ss"
KEDA = "k3dap4ss"
EVERYTHING = "SELECT * FROM events"


@dataclass
class Guarded(Server):
    """A server with users, that can be reached by another address than its own."""

    address: str = ""

    @property
    def url(self) -> str:
        return self.address or super().url


@dataclass
class GuardedFleet(Fleet):
    """A fleet whose members are the user ``seeknal``, and reach the server by TLS if asked to."""

    tls: bool = False
    guarded: Guarded = field(init=False)
    closing: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        self.root.mkdir(parents=True, exist_ok=True)
        rules = self.root / "users.acl"
        admin = f"user default on >{ADMIN} ~* &* +@all"
        rules.write_text(acl(SECRET, KEDA).replace("user default off", admin))
        server = Guarded(
            self.root / "redis",
            options=["--aclfile", str(rules), "--acllog-max-len", "1000"],
            credentials=f"seeknal:{SECRET}@",
        )
        self.guarded = self.server = server
        self.closing.callback(server.start().close)
        if self.tls:
            certificate = make_certificate(self.root)
            proxy = Proxy(server.port, server_context(certificate))
            self.closing.callback(proxy.close)
            server.address = (
                f"rediss://seeknal:{SECRET}@127.0.0.1:{proxy.port}/0?ssl_ca_certs={certificate}"
            )
        self.box = Sandbox(self.root / "project")
        self.store = RedisStore(server.url, PROJECT, lease=self.lease)
        self.client = redis.Redis.from_url(
            f"redis://:{ADMIN}@127.0.0.1:{server.port}/0", decode_responses=True, protocol=2
        )

    def close(self) -> None:
        super().close()
        self.closing.close()

    def refusals(self) -> list[str]:
        """What the server refused the user, but for what clients try and need not have."""
        log: list[dict[str, Any]] = self.client.acl_log()
        told = {f"{e['reason']} {e['object']} ({e['username']})" for e in log}
        return sorted(each for each in told if "client|setinfo" not in each)

    def celery(self, *arguments: str) -> str:
        """Run a command of Celery's own; return what it printed."""
        done = subprocess.run(
            [str(BIN / "celery"), "-A", "worker.app", *arguments],
            cwd=self.root,
            env=environment(SEEKNAL_REDIS_URL=self.server.url, PYTHONWARNINGS="default"),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout + done.stderr


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[GuardedFleet]:
    made = GuardedFleet(tmp_path / "fleet", tls=True)
    made.box.declare().events("2024-01-01", 240, "1 hour")
    yield made
    made.close()


def test_workers_need_no_more_rights_than_the_acl_gives(fleet: GuardedFleet) -> None:
    fleet.worker(2)
    run = fleet.launch()
    assert fleet.ends(run) is RunStatus.DONE
    fleet.assert_done_once(run, 10)
    fleet.box.assert_output_is(EVERYTHING)
    fleet.seeknal("intervals", "restate", "--start", "2024-01-02", "--end", "2024-01-03",
                  "--reason", "late")  # fmt: skip
    assert "1 done" in fleet.seeknal("run", "--backfill").out
    for command in (("runs", "list"), ("workers",), ("state", "export", "state.json"),
                    ("state", "import", "state.json"), ("state", "rebuild")):  # fmt: skip
        fleet.seeknal(*command)
    assert "pong" in fleet.celery("inspect", "ping")
    assert fleet.refusals() == []


def test_faults_need_no_more_rights_either(fleet: GuardedFleet) -> None:
    """What is done only when something went wrong: messages put back, units reaped."""
    fleet.box.declare(sql=BURN.format(millions=300))
    first = fleet.worker(1, grace=0.0)
    run = fleet.launch("--end-date", "2024-01-05")
    os.kill(int(fleet.runs_one(run).worker.rpartition("#")[2]), signal.SIGKILL)
    wait_until(
        "the killed process is noticed",
        lambda: [e for e in fleet.store.events(run) if "SIGKILL" in e.detail],
        30,
    )
    fleet.runs_one(run)
    first.signal(signal.SIGTERM)
    first.wait()
    fleet.worker(1).kill()
    fleet.client.delete(QUEUE)
    fleet.worker(2)
    assert fleet.ends(run, 90) is RunStatus.DONE
    assert fleet.refusals() == []


def test_the_user_reaches_nothing_else(tmp_path: Path) -> None:
    fleet = GuardedFleet(tmp_path / "fleet")
    try:
        fleet.client.set("theirs", "x")
        mine: Any = fleet.server.client()
        refused: list[Callable[[], object]] = [
            lambda: mine.get("theirs"),
            lambda: mine.keys("*"),
            lambda: mine.config_get("*"),
            mine.flushall,
            lambda: mine.eval("return 1", 0),
            lambda: mine.publish("theirs", "x"),
            mine.acl_list,
        ]
        for call in refused:
            with pytest.raises(redis.exceptions.NoPermissionError):
                call()
        nobody = RedisStore(f"redis://127.0.0.1:{fleet.server.port}/0", PROJECT)
        with pytest.raises(StoreError, match="asks for a password"):
            nobody.flows()
        nobody.close()
    finally:
        fleet.close()


def test_the_scaler_can_count_the_unfinished_units_and_nothing_else(tmp_path: Path) -> None:
    fleet = GuardedFleet(tmp_path / "fleet")
    try:
        fleet.box.declare().events("2024-01-01", 240, "1 hour")
        fleet.launch()
        url = f"redis://keda:{KEDA}@127.0.0.1:{fleet.server.port}/0"
        scaler: Any = redis.Redis.from_url(url, decode_responses=True, protocol=2)
        # As KEDA does: by a script that looks at the key's type first.
        count = "local t = redis.call('type', KEYS[1]).ok "
        count += "return redis.call(t == 'zset' and 'zcard' or 'llen', KEYS[1])"
        assert scaler.eval(count, 1, f"seeknal:{{{PROJECT}}}:pending") == 10
        assert scaler.eval(count, 1, "seeknal:{nobody}:pending") == 0
        refused: list[Callable[[], object]] = [
            lambda: scaler.zrange(f"seeknal:{{{PROJECT}}}:pending", 0, -1),
            lambda: scaler.eval(count, 1, f"seeknal:{{{PROJECT}}}:flows"),
            lambda: scaler.delete(f"seeknal:{{{PROJECT}}}:pending"),
        ]
        for call in refused:
            with pytest.raises(redis.ResponseError, match=r"permission|NOPERM|ACL"):
                call()
        scaler.close()
    finally:
        fleet.close()


# -- where passwords are not -----------------------------------------------------------------


def test_a_password_is_nowhere_but_in_the_environment(fleet: GuardedFleet) -> None:
    fleet.box.declare("broken", sql="SELECT error('no') FROM events WHERE event_time >= '__START__'"
                      " AND event_time < '__END__'")  # fmt: skip
    run = fleet.launch("--flow", "events_flow")
    fleet.seeknal("run", "--backfill", "--flow", "broken", "--detach")
    assert_free(keyspace(fleet.client), "the keys while messages wait")
    worker = fleet.worker(2)
    fleet.ends(run)
    told = [
        fleet.seeknal("doctor", code=None).out,
        fleet.seeknal("runs", "list", "--json").out,
        fleet.seeknal("runs", "show", run, "--json").out,
        fleet.seeknal("workers", "--json").out,
        fleet.celery("inspect", "conf"),
        fleet.celery("inspect", "stats"),
        fleet.celery("report"),
    ]
    assert_free("\n".join(told), "what commands print")
    for pid in (worker.pid, *worker.children()):
        assert_free(Path(f"/proc/{pid}/cmdline").read_text(), "the arguments of processes")
    worker.signal(signal.SIGTERM)
    worker.wait()
    assert_free(worker.text(), "the worker's log")
    assert_free(keyspace(fleet.client), "the keys")
    assert_free((fleet.root / "redis" / "server.log").read_text(), "the server's log")
    fleet.seeknal("state", "export", "state.json")
    for path in fleet.box.root.rglob("*"):
        if path.is_file():
            assert_free(path.read_bytes().decode("latin-1"), str(path))


def test_a_wrong_password_is_not_repeated_by_a_worker(fleet: GuardedFleet) -> None:
    fleet.guarded.address = fleet.server.url.replace(SECRET, f"{SECRET}-not")
    worker = fleet.worker(1, ready=False)
    wait_until("it says that it is refused", lambda: "password" in worker.text().lower(), 30)
    assert_free(worker.text(), "the worker's log")


def assert_free(text: str, where: str) -> None:
    for password in (SECRET, ADMIN, KEDA):
        assert password not in text, f"{where} hold a password"


def keyspace(client: Any) -> str:
    """All that the server holds, as one text; bodies of messages decoded."""
    readers: dict[str, Callable[[str], object]] = {
        "string": client.get,
        "hash": client.hgetall,
        "set": client.smembers,
        "list": lambda key: client.lrange(key, 0, -1),
        "zset": lambda key: client.zrange(key, 0, -1, withscores=True),
        "stream": client.xrange,
    }
    found = [f"{key} {readers[client.type(key)](key)}" for key in client.scan_iter(count=1000)]
    messages = [json.loads(text) for text in client.lrange(QUEUE, 0, -1)]
    found += [base64.b64decode(message["body"]).decode() for message in messages]
    return "\n".join(found)
