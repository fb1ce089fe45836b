"""What measurements of a fleet share: a server, a project on it, workers, and bare Celery ones."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import duckdb
import redis

from seeknal.coordinator import Coordinator
from seeknal.ending import MAX_ATTEMPTS
from seeknal.engine.session import Engine
from seeknal.executors.celery import QUEUE, Message, Publisher, _Envelope, make_app
from seeknal.executors.dispatch import CeleryExecutor, Dispatcher, slice_name
from seeknal.flow import Flow, FlowInput, FlowOutput
from seeknal.plan import Data, Window
from seeknal.project import Project
from seeknal.resolve import prepare
from seeknal.stores.redis import RedisStore
from seeknal.tasks.duckdb import DuckDBTask
from seeknal.workflow.state import Run, RunStatus
from seeknal.workflow.units import Unit
from tests.server import Server
from tests.silent import Silent

NAME: Final = "bench"
# Any time will do, if it is the same for all: 2024-01-01.
FIRST: Final = 1_704_067_200
HOUR: Final = 3600
TRIVIAL: Final = "SELECT * FROM events WHERE event_time >= '__START__' AND event_time < '__END__'"
_BIN: Final = Path(sys.executable).parent
_POLL: Final = 0.005
_LONGEST: Final = 600.0


@contextmanager
def folder() -> Iterator[Path]:
    """A folder of one's own: where the first argument says, else in the working folder."""
    made = Path(
        tempfile.mkdtemp(prefix="seeknal-bench-", dir=sys.argv[1] if sys.argv[1:] else ".")
    ).absolute()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@dataclass
class Worker:
    """A worker's main process, in a group of its own with its pool."""

    process: subprocess.Popen[bytes]
    log: Path

    def ready(self) -> bool:
        text = self.log.read_text(errors="replace")
        if self.process.poll() is not None:
            raise RuntimeError(text)
        return " ready." in text

    def computed(self) -> float:
        """Return the seconds that it and its pool have computed, so far as Linux tells."""
        pids = [self.process.pid]
        with suppress(OSError):
            told = Path(f"/proc/{pids[0]}/task/{pids[0]}/children").read_text()
            pids += map(int, told.split())
        return sum(map(_computed, pids))

    def close(self) -> None:
        """End it in good order, else at once."""
        self.process.terminate()
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.wait()


class Took(NamedTuple):
    """What some work took: seconds that passed, and that workers and server computed.

    Where others use the machine as well the second is the one to trust.
    """

    passed: float
    computed: float


class Fleet:
    """A server, a project whose runs are there, and whatever workers are started."""

    def __init__(self, root: Path, *, aof: bool = False) -> None:
        self.root = root
        self.server = Server(root / "redis", aof=aof).start()
        self.client = self.server.client()
        # Bare workers have a database of their own on the same server: an idle worker that
        # waits at the same queue would be given the other's messages.
        self.bare_url = f"{self.server.url.rpartition('/')[0]}/1"
        self.bare_client: redis.Redis = redis.Redis.from_url(self.bare_url, decode_responses=True)
        self.bare_app = make_app(self.bare_url)
        self.project = Project(name=NAME).get_or_create(root / "project")
        self.store = RedisStore(self.server.url, NAME)
        self.publisher = Publisher(self.server.url)
        self.dispatcher = Dispatcher(self.store, self.publisher, NAME, "bench")
        self.engine = Engine()
        self._workers: list[Worker] = []

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            worker.close()
        self.engine.close()
        self.publisher.close()
        self.store.close()
        self.client.close()
        self.bare_client.close()
        self.server.close()

    # -- workers ------------------------------------------------------------------------------

    def worker(self, concurrency: int) -> Worker:
        """Start a worker of Seeknal."""
        return self._start("worker.app", self.server.url, concurrency)

    def bare(self, concurrency: int) -> Worker:
        """Start a worker of Celery alone, on the same settings: :mod:`benchmarks._bare`."""
        return self._start(
            "benchmarks._bare",
            self.bare_url,
            concurrency,
            "--without-gossip",
            "--without-mingle",
        )

    def _start(self, app: str, url: str, concurrency: int, *more: str) -> Worker:
        log = self.root / f"worker-{len(self._workers)}.log"
        known = {key: value for key, value in os.environ.items() if key[:8] != "SEEKNAL_"}
        with log.open("wb") as out:
            process = subprocess.Popen(
                [
                    *(str(_BIN / "celery"), "-A", app, "worker", "--loglevel", "info"),
                    *("--concurrency", str(concurrency), "--hostname", log.stem, *more),
                ],
                env={
                    **known,
                    "SEEKNAL_REDIS_URL": url,
                    "SEEKNAL_DATA_ROOT": str(self.project.home.root),
                    "PYTHONPATH": str(Path.cwd()),
                },
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        made = Worker(process, log)
        self._workers.append(made)
        wait(made.ready)
        return made

    # -- runs ---------------------------------------------------------------------------------

    def flow(
        self,
        name: str,
        sql: str = TRIVIAL,
        *,
        keeps: bool = False,
        schedule: str = "@hourly",
        timezone: str = "UTC",
        source: FlowInput | None = None,
    ) -> Flow:
        """Declare a flow; without a source, over a table of one row.

        Its results are kept if it ``keeps``.
        """
        if source is None:
            source = FlowInput(kind="database", value="small")
            self._make_small()
        return Flow(
            name=name,
            input=source,
            tasks=[DuckDBTask().add_sql(sql)],
            output=FlowOutput() if keeps else FlowOutput(kind="none"),
            schedule=schedule,
            timezone=timezone,
        )

    def _make_small(self) -> None:
        path = self.project.home.root / "small.duckdb"
        if not path.exists():
            with duckdb.connect(str(path)) as connection:
                connection.execute(
                    "CREATE TABLE events AS SELECT TIMESTAMP '2024-01-01' event_time"
                )

    def launch(self, flow: Flow, window: Window, data: Data | None = None) -> Run:
        """Launch what a window lacks, as the command line does, without the first feed."""
        return self.launcher(flow, data)(window)

    def launcher(self, flow: Flow, data: Data | None = None) -> Callable[[Window], Run]:
        """Return what launches a flow whose SQL and data have been looked at before."""
        prepared = prepare(self.project, flow, self.engine)
        extent = data or prepared.data(self.engine)
        coordinator = Coordinator(
            self.store,
            CeleryExecutor(self.dispatcher),
            Silent(),
            actor="bench",
            owner="",
            options={"max_attempts": MAX_ATTEMPTS, "project": self.project.home.snapshot()},
        )

        def launch(window: Window) -> Run:
            self.store.announce()
            launched = coordinator.launch(prepared, extent, window, time.time())
            assert launched.run is not None
            return launched.run

        return launch

    def ends(self, run: Run) -> None:
        """Wait for a run to be done."""
        wait(lambda: self.store.counts(run.id).done >= run.units)
        found = self.store.run(run.id)
        assert found is not None
        assert found.status is RunStatus.DONE, found.status

    def bare_time(self, task: str, work: Sequence[Message]) -> Took:
        """Return what bare workers take for messages, queued before they see them."""
        envelope = _Envelope(self.bare_app, task)
        texts = list(envelope.fill(work, time.time()))

        def run() -> None:
            for at in range(0, len(texts), 500):
                self.bare_client.lpush(QUEUE, *texts[at : at + 500])
            wait(self._bare_is_idle)

        return self._timed(run)

    def _bare_is_idle(self) -> bool:
        return not self.bare_client.llen(QUEUE) and not self.bare_client.hlen("unacked")

    def our_time(self, run: Run) -> Took:
        """Return what a run takes from its first feed to its last completion."""

        def work() -> None:
            self.dispatcher.feed(run.id)
            self.ends(run)

        return self._timed(work)

    def _timed(self, work: Callable[[], None]) -> Took:
        computed, started = self._computed(), time.perf_counter()
        work()
        passed = time.perf_counter() - started
        return Took(passed, self._computed() - computed)

    def _computed(self) -> float:
        return _computed(self.server.pid) + sum(worker.computed() for worker in self._workers)


def hours(count: int, start: int = FIRST) -> Window:
    """A window of so many hours that is run whatever the data hold."""
    return Window(start, start + count * HOUR, backfill=True, include_empty=True)


def _computed(pid: int) -> float:
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def wait(until: Callable[[], Any], longest: float = _LONGEST) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + longest
    while not until():
        if time.monotonic() > deadline:
            raise TimeoutError("This takes too long to be measured.")
        time.sleep(_POLL)


def messages(count: int) -> list[Message]:
    """Messages as Seeknal sends them, of so many hours."""
    units = [Unit("hourly", FIRST + n * HOUR, FIRST + (n + 1) * HOUR) for n in range(count)]
    return [Message(NAME, u.flow, slice_name(u, "UTC"), u.key, "20240101-abcdef") for u in units]


def compare(what: str, bare: Sequence[Took], ours: Sequence[Took], wanted: float) -> None:
    """Print the median ratio of what passed, and of what was computed, round by round."""
    pairs = list(zip(bare, ours, strict=True))
    passed = statistics.median(b.passed / o.passed for b, o in pairs)
    computed = statistics.median(b.computed / o.computed for b, o in pairs)
    print(f"{what}: {verdict(passed, wanted)}; by what was computed {computed:.2f}")


def rates(name: str, units: int, times: Sequence[Took]) -> None:
    """Print the rate of each round."""
    rounds = ", ".join(f"{units / took.passed:.0f}" for took in times)
    rate = units / statistics.median(took.passed for took in times)
    each = statistics.median(took.computed for took in times) / units * 1e6
    print(f"{name:8} {rate:7.0f} units/s, {each:5.0f} us computed for each ({rounds})")


def verdict(ratio: float, wanted: float) -> str:
    """Say how a ratio stands to what is wanted."""
    return f"{ratio:.2f} (wanted {wanted:g}) {'ok' if ratio >= wanted else 'BELOW'}"
