"""What goes wrong, and when: by chance, but by one seed that is printed."""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass

from seeknal.stores.redis_worker import KILLS
from seeknal.workflow.units import Unit
from tests.chaos.arena import Arena
from tests.chaos.fleet import Worker
from tests.waiting import wait_until

# The rest of those that are killed lose their main process only.
_WHOLE = 0.75
_SETTLED = 2.0


@dataclass(frozen=True, slots=True)
class Weather:
    """How bad it gets.

    Every ``kill_every`` seconds a worker is killed and replaced, unless fewer than ``least`` are
    ready: on a machine that is too slow for it nothing would ever be done. Every ``child_every``
    seconds a pool process is killed, every ``stall_every`` seconds a worker stands still for
    ``stall_for`` (0: never). ``restarts`` times the server is killed and started again. Kills
    and stalls end after ``calm_after`` seconds; the run has ``seconds`` to end.
    """

    kill_every: float = 0.0
    least: int = 1
    child_every: float = 0.0
    stall_every: float = 0.0
    stall_for: float = 0.0
    restarts: int = 0
    calm_after: float = float("inf")
    seconds: float = 120.0


class Storm:
    """Brings a weather over an arena."""

    def __init__(self, arena: Arena, weather: Weather, seed: int) -> None:
        self._arena, self._weather = arena, weather
        self._chance = random.Random(seed)
        self._began = time.monotonic()
        self._due = {
            act: self._began + every
            for act, every in (
                (self._kill_worker, weather.kill_every),
                (self._kill_child, weather.child_every),
                (self._stall, weather.stall_every),
            )
            if every
        }
        self._every = {act: at - self._began for act, at in self._due.items()}
        self._stalled: list[tuple[float, Worker]] = []
        self._back_at = 0.0
        self._asked = 0.0
        step = arena.units / (weather.restarts + 1)
        self._restart_from = [round(step * (n + 1)) for n in range(weather.restarts)]
        self._hit: Counter[Unit] = Counter()
        self._run = ""
        self.did: Counter[str] = Counter()

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return time.monotonic() - self._began

    def rage(self, run: str) -> None:
        """Go on until the run has ended."""
        self._run = run
        with self._arena.explained(run):
            wait_until("the run ends", lambda: self._moment(run), self._weather.seconds, 0.02)
        self._thaw(float("inf"))
        for worker in self._arena.fleet.workers:
            assert worker.process.poll() is None, worker.text()
        assert not self._restart_from, f"the server should have been killed: {dict(self.did)}"

    def _moment(self, run: str) -> bool:
        """Let happen what is due; return whether the run has ended."""
        now = time.monotonic()
        for act, at in self._due.items():
            if now >= at and self.seconds < self._weather.calm_after:
                self._due[act] = max(now, at + self._every[act])
                act()
        self._thaw(now)
        if self._back_at:
            if now >= self._back_at:
                self._back_at = 0.0
                self._arena.server.start()
            return False
        if now - self._asked < 0.1:
            return False
        self._asked = now
        done = self._arena.done(run)
        # Not before the launch is on the disk: nobody could restore what was lost of that.
        if self._restart_from and done >= self._restart_from[0] and self.seconds > _SETTLED:
            del self._restart_from[0]
            self._arena.server.kill()
            self._back_at = time.monotonic() + self._chance.uniform(0.1, 2.0)
            self.did["server killed"] += 1
            return False
        return self._arena.has_ended(run)

    def _kill_worker(self) -> None:
        if sum(worker.ready() for worker in self._arena.fleet.workers) < self._weather.least:
            return
        worker = self._chance.choice(self._arena.fleet.workers)
        if self._chance.random() < _WHOLE:
            worker.kill()
            self.did["workers killed"] += 1
        else:
            worker.kill_main()
            self.did["main processes killed"] += 1
        self._arena.fleet.replace(worker)

    def _kill_child(self) -> None:
        """Kill a pool process at its unit, as the kernel does when memory is short."""
        alive = {str(pid) for worker in self._arena.fleet.workers for pid in worker.children()}
        at_work = [
            (record.unit, pid)
            for record in self._arena.records(self._run)
            # Not so often at one unit that it would rightly be given up.
            if (pid := record.worker.rpartition("#")[2]) in alive
            and self._hit[record.unit] < KILLS - 2
        ]
        if at_work:
            unit, pid = self._chance.choice(at_work)
            self._hit[unit] += 1
            with suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
                self.did["pool processes killed"] += 1

    def _stall(self) -> None:
        standing = {worker.pid for _, worker in self._stalled}
        moving = [w for w in self._arena.fleet.workers if w.pid not in standing]
        if moving:
            worker = self._chance.choice(moving)
            worker.freeze()
            self._stalled.append((time.monotonic() + self._weather.stall_for, worker))
            self.did["workers stopped for a while"] += 1

    def _thaw(self, now: float) -> None:
        for at, worker in self._stalled:
            if now >= at:
                with suppress(ProcessLookupError):  # killed meanwhile
                    worker.thaw()
        self._stalled = [(at, worker) for at, worker in self._stalled if now < at]
