"""Real worker processes that can be killed, stopped and replaced, and what they said."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.projects import BIN, environment
from tests.waiting import wait_until

_READY = re.compile(r"celery@.* ready\.")
# What Celery says to root is right, and no matter here.
_AS_ROOT = "You're running the worker with superuser privileges"
_SAID = re.compile(r"Task seeknal\.unit\[[^]]*\] succeeded in [^:]*: '(.*)'")


class Worker:
    """A ``seeknal worker`` in a process group of its own, its log in ``log``."""

    def __init__(self, command: Sequence[str], env: dict[str, str], cwd: Path, log: Path) -> None:
        self.log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    @property
    def is_ready(self) -> bool:
        """Whether it takes messages; one that died instead is an error."""
        assert self.is_alive, self.told()
        return _READY.search(self.told()) is not None

    def told(self) -> str:
        return self.log.read_text(errors="replace")

    def outcomes(self) -> Counter[str]:
        """Count what its tasks ended with."""
        return Counter(_SAID.findall(self.told()))

    def children(self) -> list[int]:
        """Return the pool's processes."""
        with suppress(FileNotFoundError, ProcessLookupError):
            text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
            return [int(pid) for pid in text.split()]
        return []

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """Kill all of it at once: the machine is gone."""
        self.signal(signal.SIGKILL)
        self._process.wait()

    def kill_main(self) -> None:
        """Kill its main process only; the pool must not outlive it."""
        self._process.kill()
        self._process.wait()

    def kill_child(self, chance: random.Random) -> bool:
        """Kill a process of its pool, as the kernel does when memory is short."""
        if not (children := self.children()):
            return False
        with suppress(ProcessLookupError):
            os.kill(chance.choice(children), signal.SIGKILL)
            return True
        return False

    def has_processes(self) -> bool:
        """Whether any process of it is left, its pool included."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


@dataclass
class Fleet:
    """The workers of one Redis, all on one folder of data; ``close`` ends them.

    ``program`` takes the place of ``seeknal worker``: Celery's command, or what acts like it.
    """

    url: str
    data_root: Path
    logs: Path
    lease: float = 30.0
    grace: float = 5.0
    concurrency: int = 1
    program: Sequence[str] = ()
    workers: list[Worker] = field(default_factory=list)
    gone: list[Worker] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return environment(
            PYTHONWARNINGS=f"error,ignore:{_AS_ROOT}",
            SEEKNAL_LEASE=f"{self.lease:g}",
            SEEKNAL_GRACE=f"{self.grace:g}",
        )

    def start(self, count: int = 1) -> list[Worker]:
        """Start workers; they are not waited for."""
        return [self._start() for _ in range(count)]

    def start_ready(self, count: int) -> list[Worker]:
        """Start workers and wait until each of them takes messages."""
        made = self.start(count)
        for worker in made:
            wait_until("a worker is ready", lambda w=worker: w.is_ready, 60.0)  # type: ignore[misc]
        return made

    def replace(self, worker: Worker) -> Worker:
        """Start another in place of one that was killed."""
        self.workers.remove(worker)
        self.gone.append(worker)
        return self._start()

    def outcomes(self) -> Counter[str]:
        """Count what tasks ended with, in the logs of all workers that ever were."""
        return sum((w.outcomes() for w in (*self.workers, *self.gone)), Counter())

    def close(self) -> None:
        """End every process of every worker that ever was."""
        for worker in (*self.workers, *self.gone):
            worker.signal(signal.SIGCONT)
            worker.kill()

    def _start(self) -> Worker:
        number = len(self.workers) + len(self.gone)
        command = [*(self.program or (str(BIN / "seeknal"),)), "worker"]
        command += ["--concurrency", str(self.concurrency)]
        command += ["--loglevel" if self.program else "--log-level", "info"]
        folder = self.logs / f"worker{number}"
        folder.mkdir(parents=True)
        spill = self.logs / "spill"
        spill.mkdir(exist_ok=True)
        env = {
            **self.environment,
            "SEEKNAL_REDIS_URL": self.url,
            "SEEKNAL_DATA_ROOT": str(self.data_root),
            "TMPDIR": str(spill),
        }
        worker = Worker(command, env, folder, folder / "log")
        self.workers.append(worker)
        return worker
