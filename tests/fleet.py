"""A fleet for tests: a real server, real worker processes, and a project they work for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import redis

from seeknal.executors.celery import QUEUE
from seeknal.stores.redis import RedisStore
from seeknal.workflow.state import Event, Run, RunStatus, UnitRecord, UnitStatus
from tests.projects import Result, Sandbox
from tests.server import Server
from tests.waiting import wait_until

BIN = Path(sys.executable).parent
PROJECT = "acceptance"
# A second or so of work for each unit, per hundred million.
BURN = (
    "SELECT *, (SELECT max(hash(i)) FROM range({millions}000000) t(i)) > 0 AS burnt FROM events "
    "WHERE event_time >= '__START__' AND event_time < '__END__'"
)


@dataclass
class Worker:
    """A worker: its main process, in a process group of its own with its pool."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def children(self) -> list[int]:
        """The processes of its pool."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        with suppress(FileNotFoundError):
            return [int(pid) for pid in path.read_text().split()]
        return []

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the main process."""
        self.process.send_signal(number)

    def freeze(self) -> None:
        """Let all its processes stand still."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        os.killpg(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it as a machine's end would."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.process.wait(timeout=10)

    def wait(self, timeout: float = 30.0) -> int:
        return self.process.wait(timeout=timeout)

    def ready(self) -> bool:
        """Whether it consumes by now."""
        code = self.process.poll()
        assert code is None, f"exited with {code}: {self.text()}"
        return "ready." in self.text()

    def text(self) -> str:
        return self.log.read_text(errors="replace")


@dataclass
class Fleet:
    """A server, a project, and workers that start in a folder that holds nothing."""

    root: Path
    lease: float = 2.0
    aof: bool = False
    server: Server = field(init=False)
    box: Sandbox = field(init=False)
    workers: list[Worker] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.server = Server(self.root / "redis", aof=self.aof, fsync="always").start()
        self.box = Sandbox(self.root / "project")
        self.store = RedisStore(self.server.url, PROJECT, lease=self.lease)
        self.client: redis.Redis = self.server.client()

    def close(self) -> None:
        for worker in self.workers:
            with suppress(ProcessLookupError):
                worker.thaw()
            worker.kill()
        self.store.close()
        self.client.close()
        self.server.close()

    # -- processes ----------------------------------------------------------------------------

    def worker(
        self,
        concurrency: int = 1,
        *options: str,
        grace: float = 20.0,
        data: Path | None = None,
        celery: bool = False,
        ready: bool = True,
        **more: str,
    ) -> Worker:
        """Start a worker; ``celery`` by Celery's own command."""
        number = len(self.workers)
        folder = self.root / f"worker-{number}"
        folder.mkdir()
        command = [str(BIN / "seeknal"), "worker", "--log-level", "info"]
        if celery:
            command = [str(BIN / "celery"), "-A", "worker.app", "worker", "--loglevel", "info"]
        settings = self._environment(
            SEEKNAL_DATA_ROOT=str(data or self.box.root),
            SEEKNAL_GRACE=str(grace),
            # Celery warns root of itself; that is all this lets pass.
            PYTHONWARNINGS="error,default::celery.platforms.SecurityWarning"
            if os.getuid()
            else "default",
            **more,
        )
        log = folder.with_suffix(".log")
        with log.open("wb") as out:
            process = subprocess.Popen(
                [*command, "--concurrency", str(concurrency), *options],
                cwd=folder,
                env=settings,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        worker = Worker(process, log)
        self.workers.append(worker)
        if ready:
            wait_until("the worker is ready", worker.ready, 30)
        return worker

    def seeknal(self, *arguments: str, code: int | None = 0, cwd: Path | None = None) -> Result:
        """Run a command of Seeknal that knows the Redis."""
        return self.box.forked(arguments, cwd or self.box.root, self._environment(), code)

    def start(self, *arguments: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start a command of Seeknal that knows the Redis."""
        return subprocess.Popen(
            [str(BIN / "seeknal"), *arguments],
            cwd=cwd or self.box.root,
            env=self._environment(),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def launch(self, *arguments: str) -> str:
        """Launch a backfill, leave it to the workers, and return its id."""
        self.seeknal("run", "--backfill", "--detach", *arguments)
        return self.store.runs()[0].id

    def _environment(self, **more: str) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.upper().startswith("SEEKNAL_")}
        ours = {
            "PATH": f"{BIN}{os.pathsep}{kept.get('PATH', '')}",
            "PYTHONWARNINGS": "error",
            "NO_COLOR": "1",
            "SEEKNAL_REDIS_URL": self.server.url,
            "SEEKNAL_LEASE": str(self.lease),
        }
        return {**kept, **ours, **more}

    # -- looking ------------------------------------------------------------------------------

    def run(self, run_id: str) -> Run:
        found = self.store.run(run_id)
        assert found is not None
        return found

    def ends(self, run_id: str, timeout: float = 120.0) -> RunStatus:
        """Wait for a run to end; return how."""
        wait_until(
            f"run {run_id} ends",
            lambda: self.run(run_id).status not in (RunStatus.ACTIVE, RunStatus.PAUSED),
            timeout,
            0.05,
        )
        return self.run(run_id).status

    def running(self, run_id: str) -> list[UnitRecord]:
        return self.store.records(run_id, UnitStatus.RUNNING)

    def runs_one(self, run_id: str, timeout: float = 60.0, *, not_by: str = "") -> UnitRecord:
        """Wait until some unit of a run is under lease, not of the process ``not_by``."""
        return wait_until(
            "a unit runs",
            lambda: [record for record in self.running(run_id) if record.worker != not_by],
            timeout,
        )[0]

    def events(self, run_id: str, kind: str) -> list[Event]:
        return [e for e in self.store.events(run_id, limit=20_000) if e.kind == kind]

    def mended(self) -> bool:
        """Let nothing fail any more; False while a worker still has the file open."""
        try:
            self.box.breakable()
        except duckdb.IOException:
            return False
        return True

    def queued(self) -> int:
        """How many messages the broker holds."""
        return int(self.client.llen(QUEUE))

    def assert_done_once(self, run_id: str, units: int) -> None:
        """Each unit was completed once, nothing failed, nothing is leased or left."""
        completed = [e.unit for e in self.events(run_id, "completed")]
        assert len(completed) == len(set(completed)) == units
        assert self.store.counts(run_id).failed == 0
        assert self.store.records(run_id) == []
        assert self.client.zcard(f"seeknal:{{{PROJECT}}}:leases") == 0


@contextmanager
def fleet(root: Path, *, lease: float = 2.0, aof: bool = False) -> Iterator[Fleet]:
    """A fleet for a test, that ends with it."""
    made = Fleet(root, lease, aof)
    try:
        yield made
    except BaseException:
        for worker in made.workers:
            sys.stderr.write(f"--- {worker.log.name}\n{worker.text()[-4000:]}\n")
        raise
    finally:
        made.close()
