"""One project on a real server with real workers, and what must hold of it in the end."""

from __future__ import annotations

import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seeknal.engine import provenance
from seeknal.errors import StoreUnavailableError
from seeknal.executors.celery import QUEUE
from seeknal.outputs import staging
from seeknal.outputs.parquet import ParquetOutput
from seeknal.stores.redis import RedisStore
from seeknal.workflow.intervals import IntervalSet, count_units
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import Event, Run, RunStatus, UnitRecord, UnitStatus
from tests.chaos.fleet import Fleet
from tests.keys import check_keys
from tests.projects import BIN, Sandbox
from tests.proxy import Proxy
from tests.server import Server
from tests.waiting import wait_until

FLOW = "events_flow"
PROJECT = "acceptance"
HOURLY = Schedule("0 * * * *")
FIRST = 1704067200
HOUR = 3600
# Waits without work, so that many slow units fit on few processors.
SQL = (
    "SELECT id, event_time, amount FROM events WHERE event_time >= '__START__' "
    "AND event_time < '__END__' AND (wait_ms = 0 OR sleep_ms(wait_ms) IS NULL)"
)
ONE_SHOT = "SELECT id, event_time, amount FROM events"


class Arena:
    """A server on its append-only file, a project, and a fleet; ``close`` ends everything.

    With ``proxied`` workers and coordinators reach the server through ``proxy``.
    """

    def __init__(
        self, folder: Path, *, fsync: str = "everysec", proxied: bool = False, **fleet: Any
    ) -> None:
        self.server = Server(folder / "server", aof=True, fsync=fsync).start()
        self.proxy = Proxy(self.server.port) if proxied else None
        url = f"redis://127.0.0.1:{self.proxy.port}/0" if self.proxy else self.server.url
        self.sandbox = Sandbox(folder / "project")
        self.store = RedisStore(self.server.url, PROJECT)
        self.fleet = Fleet(url, self.sandbox.root, folder / "workers", **fleet)
        self.units = 0
        self._writes = True
        self._commands: list[subprocess.Popen[bytes]] = []
        self._log = folder / "coordinators"
        self._log.mkdir()

    def close(self) -> None:
        self.fleet.close()
        for command in self._commands:
            _kill(command)
        self.store.close()
        if self.proxy is not None:
            self.proxy.close()
        self.server.close()

    # -- what is run --------------------------------------------------------------------------

    def declare(
        self,
        units: int,
        *,
        slow: float = 0.0,
        slow_ms: tuple[int, int] = (1000, 2000),
        wait_ms: int = 0,
        seed: int = 0,
        **flow: Any,
    ) -> None:
        """Declare a flow of hourly units of two rows; the share ``slow`` of them waits."""
        chance = random.Random(seed)
        waits = [
            chance.randint(*slow_ms) if chance.random() < slow else wait_ms for _ in range(units)
        ]
        self.units = units
        self._writes = "output" not in flow
        self.sandbox.declare(FLOW, schedule="0 * * * *", sql=SQL, **flow)
        with self.sandbox.data() as connection:
            connection.execute(
                "CREATE TABLE events AS SELECT i AS id, i % 97 AS amount, "
                "TIMESTAMP '2024-01-01' + i * INTERVAL '30 minutes' AS event_time, "
                "CASE WHEN i % 2 = 0 THEN (?::INT[])[i // 2 + 1] ELSE 0 END AS wait_ms "
                f"FROM range({2 * units}) t(i)",
                [waits],
            )

    def coordinate(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a coordinator: ``seeknal run``."""
        command = [str(BIN / "seeknal"), "run", "--redis", self.fleet.url, *options]
        with (self._log / f"{len(self._commands)}").open("wb") as out:
            started = subprocess.Popen(
                command,
                cwd=self.sandbox.root,
                env=self.fleet.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._commands.append(started)
        return started

    def told(self) -> str:
        """Return what the coordinators printed."""
        return "\n".join(path.read_text() for path in sorted(self._log.iterdir()))

    def launch(self) -> str:
        """Launch a run by a coordinator that stays no longer; return the run's id."""
        assert self.coordinate("--detach").wait(60) == 0, self.told()
        return self.only_run().id

    def launch_and_die(self) -> str:
        """Launch a run by a coordinator that is killed as soon as the run is there."""
        coordinator = self.coordinate()
        wait_until("the run is there", lambda: self.store.runs(FLOW), 60.0)
        _kill(coordinator)
        return self.only_run().id

    def only_run(self) -> Run:
        (run,) = self.store.runs(FLOW)
        return run

    # -- what becomes of it -------------------------------------------------------------------

    def status(self, run: str) -> RunStatus | None:
        """Return where a run stands; None while the server is away."""
        try:
            found = self.store.run(run)
        except StoreUnavailableError:
            return None
        assert found is not None, f"run {run} is gone"
        return found.status

    def done(self, run: str) -> int:
        """Return how many units are done; -1 while the server is away."""
        try:
            return self.store.counts(run).done
        except StoreUnavailableError:
            return -1

    def running(self, run: str) -> int:
        """Return how many units run; -1 while the server is away."""
        try:
            return self.store.counts(run).running
        except StoreUnavailableError:
            return -1

    def records(self, run: str) -> list[UnitRecord]:
        """Return what runs; nothing while the server is away."""
        try:
            return self.store.records(run, UnitStatus.RUNNING)
        except StoreUnavailableError:
            return []

    def has_ended(self, run: str) -> bool:
        """Whether a run is over; while the server is away, nobody knows."""
        return self.status(run) in (RunStatus.DONE, RunStatus.FAILED)

    def events(self, run: str) -> list[Event]:
        """Return all events of a run that are kept."""
        found: list[Event] = []
        while some := self.store.events(run, after=found[-1].id if found else ""):
            found += some
        return found

    def happened(self, run: str) -> Counter[str]:
        """Count a run's events by their kind, and what tasks ended with."""
        return Counter(event.kind for event in self.events(run)) + Counter(
            {f"tasks {said!r}": number for said, number in self.fleet.outcomes().items()}
        )

    def waiting(self) -> int:
        """Return how many messages wait in the broker."""
        with self.server.client() as client:
            return int(client.llen(QUEUE))

    @contextmanager
    def explained(self, run: str) -> Iterator[None]:
        """Let a failure within the block say where the run stood."""
        try:
            yield
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.situation(run)}") from error

    def situation(self, run: str) -> str:
        """Describe where a run stands, for a person."""
        try:
            left = "\n".join(f"  {record}" for record in self.store.records(run, limit=10))
            seen = [
                (w.name, w.detail["state"], len(w.detail["busy"])) for w in self.store.workers()
            ]
            return (
                f"{self.store.run(run)}\n{self.store.counts(run)}\n{dict(self.happened(run))}\n"
                f"workers {seen}\nmessages {self.waiting()}\nrecords\n{left}"
            )
        except StoreUnavailableError as error:
            return str(error)

    # -- what must hold -----------------------------------------------------------------------

    def assert_settled(self, run: str) -> None:
        """Every unit is complete, once; nothing is left of the run but that."""
        with self.explained(run):
            wait_until("the queue is empty", lambda: self.waiting() == 0, 30.0)
            counts, current = self.store.counts(run), self.store.run(run)
            assert current is not None
            assert current.status is RunStatus.DONE
            assert (counts.done, counts.failed, counts.running) == (self.units, 0, 0)
            self._assert_complete_once(run)
            self._assert_nothing_held(run)
        if self._writes:
            self._assert_output(run)

    def _assert_complete_once(self, run: str) -> None:
        state = self.store.state(FLOW)
        assert state.completed == IntervalSet([(FIRST, FIRST + self.units * HOUR)])
        assert not state.unfinished
        by_record = [IntervalSet([(c.start, c.end)]) for c in state.completions]
        assert sum(count_units(HOURLY, one) for one in by_record) == self.units
        assert self.store.failed(FLOW) == []
        if self.units < 5000:  # else the oldest events are gone by now
            events = Counter(e.unit for e in self.events(run) if e.kind == "completed")
            assert len(events) == self.units
            assert set(events.values()) == {1}

    def _assert_nothing_held(self, run: str) -> None:
        assert self.store.pending() == 0
        assert self.store.records(run) == []
        with self.server.client() as client:
            kinds = check_keys(client, PROJECT)
        held = {"leases", "waiting", "holders", "publishing", "sent", "unsent", "fed", "units"}
        assert kinds & (held | {"unit", "pending", "active", "open"}) == set()

    def _assert_output(self, run: str) -> None:
        files = self.sandbox.files()
        assert len(files) == self.units
        told = [provenance.read(path) for path in files.values()]
        assert {each["seeknal_run"] for each in told} == {run}
        assert len({each["seeknal_token"] for each in told}) == self.units
        self.sandbox.assert_output_is(ONE_SHOT)

    def assert_nothing_left_behind(self) -> None:
        """Once all workers are dead, a sweep leaves nothing but output."""
        self.fleet.close()
        output = ParquetOutput(self.sandbox.root / "target" / "output" / FLOW)
        output.sweep()
        assert list((output.root / staging.DIRECTORY).iterdir()) == []
        assert self.sandbox.leftovers() == []


def report(what: str, *counted: Counter[str]) -> None:
    """Print a scenario's summary on one line."""
    numbers = (f"{number} {name}" for counter in counted for name, number in counter.items())
    print(": ".join(filter(None, (f"CHAOS {what}", ", ".join(numbers)))), flush=True)


def _kill(command: subprocess.Popen[bytes]) -> None:
    if command.poll() is None:
        os.killpg(command.pid, signal.SIGKILL)
        command.wait()
