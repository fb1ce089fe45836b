"""Real worker processes that can be killed, stopped and replaced, and what they said."""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests import fleet
from tests.projects import BIN, environment
from tests.waiting import wait_until

# What Celery says to root is right, and no matter here.
_AS_ROOT = "You're running the worker with superuser privileges"
_SAID = re.compile(r"Task seeknal\.unit\[[^]]*\] succeeded in [^:]*: '(.*)'")


class Worker(fleet.Worker):
    """A worker of which parts can be killed."""

    def ready(self) -> bool:
        """Whether it takes messages; one that died by itself is an error."""
        assert self.process.poll() is None, f"exit code {self.process.returncode}: {self.text()}"
        return "ready." in self.text()

    def outcomes(self) -> Counter[str]:
        """Count what its tasks ended with."""
        return Counter(_SAID.findall(self.text()))

    def kill_main(self) -> None:
        """Kill its main process only; the pool must not outlive it."""
        self.process.kill()
        self.wait()

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
            wait_until("a worker is ready", worker.ready, 60.0)
        return made

    def replace(self, worker: Worker) -> Worker:
        """Start another in place of one that was killed; no process of that one may be left."""
        # At once, and never again: later its number may be another's.
        wait_until("no process outlives its worker", lambda: not worker.has_processes())
        self.workers.remove(worker)
        self.gone.append(worker)
        return self._start()

    def outcomes(self) -> Counter[str]:
        """Count what tasks ended with, in the logs of all workers that ever were."""
        return sum((w.outcomes() for w in (*self.workers, *self.gone)), Counter())

    def close(self) -> None:
        """End every process of every worker."""
        for worker in self.workers:
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
        with (log := folder / "log").open("wb") as out:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        worker = Worker(process, log)
        self.workers.append(worker)
        return worker
