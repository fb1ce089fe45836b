"""The commands of the files that deploy Seeknal, run as processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from seeknal.stores.redis import RedisStore
from seeknal.workflow.state import RunStatus
from tests.deployment import compose, containers, the
from tests.projects import BIN, Sandbox, environment
from tests.scraping import Scrape
from tests.server import free_port, server_program
from tests.waiting import wait_until

PASSWORD = "pw4compose"


@pytest.fixture
def services() -> dict[str, Any]:
    found: dict[str, Any] = compose(REDIS_PASSWORD=PASSWORD)["services"]
    return found


@pytest.fixture
def url(services: dict[str, Any], tmp_path: Path) -> Iterator[str]:
    """The address of the Redis that the compose file starts: its command, on a free port."""
    program, *options = services["redis"]["command"]
    assert program == "valkey-server"
    port = free_port()
    folder = tmp_path / "redis"
    folder.mkdir()
    process = subprocess.Popen(
        [server_program(), *options, "--port", str(port), "--bind", "127.0.0.1"],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    address = str(services["worker"]["environment"]["SEEKNAL_REDIS_URL"])
    yield address.replace("@redis:6379", f"@127.0.0.1:{port}")
    process.terminate()
    process.wait(10)


@pytest.fixture
def box(tmp_path: Path) -> Sandbox:
    return Sandbox(tmp_path / "data").declare().events("2024-01-01", 72, "1 hour")


def variables(service: dict[str, Any], url: str, box: Sandbox) -> dict[str, str]:
    """The environment of a service, with the paths and the address of this machine."""
    given = {name: str(text) for name, text in service["environment"].items()}
    given |= {name: str(box.root) for name, text in given.items() if text == "/data"}
    nowhere = {"HOME": "/nonexistent", "PYTHONWARNINGS": "default"}
    return environment(**{**given, **nowhere, "SEEKNAL_REDIS_URL": url})


def test_what_compose_starts_works_together(
    services: dict[str, Any], url: str, box: Sandbox, tmp_path: Path
) -> None:
    service = services["worker"]
    settings = variables(service, url, box)
    settings["HOSTNAME"] = os.uname().nodename
    settings["SEEKNAL_METRICS_PORT"] = f"127.0.0.1:{free_port()}"
    log = tmp_path / "worker.log"
    with log.open("wb") as out:
        worker = subprocess.Popen(
            [str(BIN / "seeknal"), *service["command"]],
            cwd=box.root,
            env=settings,
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
        )
    try:
        wait_until("the worker is ready", lambda: "ready." in log.read_text(), 30)
        checks = [service["healthcheck"]["test"][1], probe()]
        for check in checks:
            # In its container the worker is process 1.
            here = check.replace("seeknal-1@", f"seeknal-{worker.pid}@")
            assert here != check
            assert "pong" in shell(here, settings, box)
        served = Scrape.of(int(settings["SEEKNAL_METRICS_PORT"].rpartition(":")[2]))
        assert served.one("seeknal_worker_slots") == 2
        doctor = run(services["seeknal"]["command"], settings, box)
        assert doctor.returncode == 0, doctor.stdout
        done = run(containers(the("CronJob"))[0]["args"], settings, box)
        assert done.returncode == 0, done.stderr
        store = RedisStore(url, "acceptance")
        launched = store.runs()[0].id
        wait_until("the run ends", lambda: ended(store, launched), 60, 0.1)
        store.close()
        box.assert_output_is("SELECT * FROM events")
        started = time.monotonic()
        worker.send_signal(getattr(signal, service["stop_signal"]))
        assert worker.wait(60) == 0
        assert time.monotonic() - started < float(service["stop_grace_period"].rstrip("s"))
    except BaseException:
        print(log.read_text()[-4000:])
        raise
    finally:
        worker.kill()
        worker.wait()


def test_the_redis_of_compose_is_healthy(
    services: dict[str, Any], url: str, tmp_path: Path
) -> None:
    store = RedisStore(url, "acceptance")
    wait_until("it answers", lambda: answers(store))
    facts = store.facts()
    store.close()
    assert (facts.aof, facts.policy, facts.limit) == (True, "noeviction", 512 * 1024**2)
    port = url.rsplit(":", 1)[1].removesuffix("/0")
    cli = shutil.which("valkey-cli") or shutil.which("redis-cli") or client_program(tmp_path)
    check = services["redis"]["healthcheck"]["test"][1].replace("valkey-cli", f"{cli} -p {port}")
    shown = {"REDISCLI_AUTH": services["redis"]["environment"]["REDISCLI_AUTH"]}
    subprocess.run(["sh", "-c", check], env=environment(**shown), check=True, timeout=10)
    shown["REDISCLI_AUTH"] = "wrong"
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run(["sh", "-c", check], env=environment(**shown), check=True, timeout=10)


def client_program(folder: Path) -> Path:
    """Write what does as much of the server's client program as the health check needs."""
    program = folder / "valkey-cli"
    program.write_text(
        f"#!{sys.executable}\n"
        "import os, sys, redis\n"
        "client = redis.Redis(port=int(sys.argv[2]), password=os.environ['REDISCLI_AUTH'])\n"
        "print(client.execute_command(sys.argv[3]) and 'PONG')\n"
    )
    program.chmod(0o755)
    return program


def probe() -> str:
    """The command that Kubernetes asks a worker by."""
    (container,) = containers(the("Deployment"))
    for name in ("startupProbe", "readinessProbe"):
        shell_, flag, command = container[name]["exec"]["command"]
        assert (shell_, flag) == ("sh", "-c")
    return str(command)


def shell(command: str, settings: dict[str, str], box: Sandbox) -> str:
    done = subprocess.run(
        ["sh", "-c", command],
        env=settings,
        cwd=box.root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(
    arguments: list[str], settings: dict[str, str], box: Sandbox
) -> subprocess.CompletedProcess[str]:
    """Run a command of a file, whose ``/data`` is the project's folder here."""
    command = [str(box.root) if each == "/data" else each for each in arguments]
    strict = {**settings, "PYTHONWARNINGS": "error"}
    return subprocess.run(
        [str(BIN / "seeknal"), *command],
        env=strict, cwd=box.root, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def ended(store: RedisStore, run_id: str) -> bool:
    found = store.run(run_id)
    return found is not None and found.status is RunStatus.DONE


def answers(store: RedisStore) -> bool:
    try:
        return store.now() > 0
    except Exception:
        return False
