"""What a worker's main process knows of its pool processes, and how it steers them."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from secrets import token_hex
from typing import Any, Final

from celery.utils.log import get_logger
from celery.worker import state

from seeknal.executors.celery import QUEUE, UNIT_TASK
from seeknal.workbench import Outcome
from seeknal.workflow.units import Unit
from worker.desk import member
from worker.meters import Meters
from worker.slate import STREAK, Slate

_ASIDE: Final = 15.0
_WORKING, _DRAINING, _STANDING_ASIDE = STATES = ("working", "draining", "standing aside")
_KILLED: Final = "killed"
#: How an attempt can end, seen from the main process, in one word.
ENDS: Final = (*(outcome.name.lower() for outcome in Outcome), _KILLED)

logger = get_logger("seeknal.worker")


@dataclass(frozen=True, slots=True)
class Killed:
    """A pool process was killed at a unit; ``mark`` tells this death from all others."""

    project: str
    run: str
    unit: Unit
    worker: str
    why: str
    mark: str = field(default_factory=lambda: token_hex(8))


class Crew:
    """One worker: a main process and its pool. Used from the main process only.

    Attributes:
        name: the worker's name; no other worker has it, now or later.
        slots: how many units it runs at once.
        slate: what it and its pool tell each other.
        meters: what its pool tells of its memory.
        on_end: told of each attempt that ended: project, flow, one of ``ENDS``, and seconds.
    """

    def __init__(self) -> None:
        self.name = ""
        self.slate = Slate()
        self.meters = Meters()
        self.slots = 1
        self.on_end: Callable[[str, str, str, float], None] = _nobody
        self._consumer: Any = None
        self._killed: SimpleQueue[Killed] = SimpleQueue()
        self._aside_until = 0.0

    def assemble(self, nodename: str, slots: int) -> None:
        """Name the worker and say how many units it runs at once."""
        self.name = f"{nodename}/{os.getpid()}"
        self.slots = slots

    def attach(self, consumer: Any) -> None:
        """Know the consumer, in order to stop and start what it takes."""
        self._consumer = consumer

    # -- what becomes of units ----------------------------------------------------------------

    def look_round(self) -> None:
        """Take no messages while our inputs are not seen; try again after a while."""
        now = time.monotonic()
        if self.slate.is_blind and not self._aside_until:
            logger.warning("Standing aside for %d s: %s", _ASIDE, self.slate.lacks)
            self._aside_until = now + _ASIDE
            self._steer("cancel_task_queue")
        elif self._aside_until and now > self._aside_until and not self.slate.is_draining:
            self._aside_until = 0.0
            self.slate.saw(STREAK - 1)  # one more that is missed, and we stand aside again
            self._steer("add_task_queue")

    def ended(self, args: Any, answer: str, seconds: float) -> None:
        """Note what came of a message that a pool process has answered; most are attempts."""
        try:
            outcome = Outcome(answer)
        except ValueError:
            return  # not claimed, or refused: nothing was tried
        project, flow, *_ = args
        self.on_end(project, flow, outcome.name.lower(), seconds)

    def lost(self, args: Any, kwargs: Any, pid: int | None, why: str) -> None:
        """Note that a pool process was killed while it had a message."""
        if state.should_stop is not None or state.should_terminate is not None or not pid:
            return  # we stop: that is no fault of the unit
        try:
            project, flow, _, key = args
            unit = Unit.from_key(flow, key)
            self._killed.put(Killed(project, kwargs["run"], unit, member(self.name, pid), why))
            self.on_end(project, flow, _KILLED, 0.0)
        except Exception as error:
            logger.warning("A message without a unit was lost: %s", error)

    def killed(self) -> Iterator[Killed]:
        """Yield each killed process once."""
        while True:
            try:
                yield self._killed.get_nowait()
            except Empty:
                return

    def put_back(self, killed: Killed) -> None:
        """Have a killed process yielded again later: the store could not be told."""
        self._killed.put(killed)

    # -- what is told of us -------------------------------------------------------------------

    def detail(self, project: str) -> dict[str, Any]:
        """Return what a beat says: what we do, in how many slots, and what we lack."""
        busy = list(_busy())
        found: dict[str, Any] = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "slots": self.slots,
            "state": self.state,
            "busy": [one for name, one in busy if name == project],
            "elsewhere": sum(name != project for name, _ in busy),
        }
        if self.slate.lacks:
            found["lacks"] = self.slate.lacks
        return found

    @property
    def state(self) -> str:
        """What it does at all: one of ``STATES``."""
        if self.slate.is_draining:
            return _DRAINING
        return _STANDING_ASIDE if self._aside_until else _WORKING

    @property
    def busy(self) -> int:
        """How many units it runs now."""
        return sum(1 for _ in _busy())

    def _steer(self, verb: str) -> None:
        if self._consumer is not None:
            # In the consumer's own loop: its connection is not for other threads.
            self._consumer.call_soon(getattr(self._consumer, verb), QUEUE)


def _nobody(project: str, flow: str, ended: str, seconds: float) -> None:
    """Keep nothing of how attempts end: nobody asked."""


def _busy() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the project of each unit that runs, and what is told of it."""
    try:
        requests = list(state.active_requests)
    except RuntimeError:  # it changed under our hands; the next beat will tell
        return
    for request in requests:
        if request.name != UNIT_TASK or len(request.args) != 4:
            continue
        project, flow, name, _ = request.args
        started = request.time_start
        yield (
            project,
            {
                "flow": flow,
                "slice": name,
                "run": request.kwargs.get("run", ""),
                "pid": request.worker_pid,
                "seconds": round(max(0.0, time.time() - started), 1) if started else 0.0,
            },
        )
