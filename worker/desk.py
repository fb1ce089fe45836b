"""What one pool process works with: a store, an engine and a heartbeat for each project.

Everything is made when the first message of a project arrives: after the fork.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from seeknal.config import Settings
from seeknal.engine.machine import Usage
from seeknal.engine.session import Engine
from seeknal.engine.session import Settings as EngineSettings
from seeknal.errors import DataUnavailableError, SeeknalError
from seeknal.execute import Seat
from seeknal.executors.celery import Publisher
from seeknal.executors.dispatch import Dispatcher
from seeknal.flow import Flow
from seeknal.home import Home
from seeknal.project import Project
from seeknal.resolve import load_job, prepare
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_fleet import Due
from seeknal.stores.redis_worker import Refusal
from seeknal.workbench import Job, Outcome, Workbench
from seeknal.workflow.state import Run
from worker.slate import Slate

_WATCH: Final = 0.2
_METER: Final = 1.0
# After so many seconds without work inputs are let go, so that others can write to them.
_IDLE: Final = 2.0
_JOBS_KEPT: Final = 50
# A query that ignores its interrupt for so long ends with its process.
_STUBBORN: Final = 4.0
# So many workers must miss an input before it counts as missing.
_WITNESSES: Final = 2
_LEAVE: Final = 0.5
TAKEN: Final = "not claimed"


@dataclass
class _Project:
    """One project, as this process works on it."""

    store: RedisStore
    dispatcher: Dispatcher
    bench: Workbench
    seats: dict[int, Seat] = field(default_factory=dict)

    def seat(self) -> Seat:
        """Return this thread's place."""
        seat = self.seats.get(threading.get_ident())
        if seat is None:
            seat = self.seats[threading.get_ident()] = Seat(self.bench)
        return seat

    def tidy(self) -> None:
        """Let go of inputs and jobs."""
        for seat in self.seats.values():
            seat.close()
        self.bench.forget()


class Desk:
    """The place of one pool process, of the worker ``crew``. Threads may share it.

    ``meter`` is told every second what memory is used.
    """

    def __init__(
        self,
        settings: Settings,
        url: str,
        crew: str,
        slots: int,
        slate: Slate,
        meter: Callable[[Usage], None] | None = None,
    ) -> None:
        self._settings = settings
        self._url = url
        self._crew = crew
        self._worker = member(crew, os.getpid())
        self._slate = slate
        self._engine = Engine(EngineSettings(processes=slots))
        self._publisher = Publisher(url)
        self._projects: dict[str, _Project] = {}
        self._lock = threading.Lock()
        self._busy = 0
        self._last = time.monotonic()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()
        if meter is not None:
            # In a thread of its own: whoever watches must not wait for DuckDB.
            args = (meter,)
            threading.Thread(target=self._measure, args=args, name="meter", daemon=True).start()

    def work(self, project: str, message: Due, sent: float) -> str:
        """Claim a unit and execute it; return in a word or a sentence what came of it.

        ``sent`` is when the message about it says that it was sent.
        """
        with self._lock:
            self._busy += 1
            here = self._projects.get(project) or self._open(project)
        try:
            claim = here.store.claim_in_turn(here.bench.worker, self._settings.lease, message)
            if isinstance(claim, Refusal):
                return _obey(here, claim, message, sent)
            outcome = here.seat().execute(claim)
            here.dispatcher.feed_if_low(message.run)
            if outcome is Outcome.UNSEEN:
                self._slate.missed(here.bench.lacks)
            elif outcome is Outcome.DONE:
                self._slate.saw()
            return str(outcome)
        finally:
            with self._lock:
                self._busy -= 1
                self._last = time.monotonic()

    def probe(self, project: str, name: str) -> bool:
        """Answer a question about data; False if another machine should be asked.

        The answer holds what the data have, or an error for the one who asks.
        """
        with self._lock:
            here = self._projects.get(project) or self._open(project)
        question = here.store.asked(name)
        if question is None:
            return True
        answer: dict[str, Any] = {}
        try:
            answer = self._look(question)
        except DataUnavailableError as error:
            if self._elsewhere(here.store, "probe", name):
                time.sleep(_LEAVE)  # the message returns to whoever is quickest
                return False
            answer = {"error": str(error), "kind": type(error).__name__}
        except SeeknalError as error:
            answer = {"error": str(error), "kind": type(error).__name__}
        here.store.answer(name, answer)
        return True

    def close(self) -> None:
        """Let go of everything."""
        with self._lock:
            for project in self._projects.values():
                project.tidy()
                project.bench.close()
                project.store.close()

    # -- inside -----------------------------------------------------------------------------

    def _open(self, name: str) -> _Project:
        store = RedisStore(self._url, name, lease=self._settings.lease)
        bench = Workbench(
            store,
            self._engine,
            _load,
            worker=self._worker,
            lease=self._settings.lease,
            elsewhere=lambda claim: self._elsewhere(store, claim.run, claim.unit.key),
        )
        dispatcher = Dispatcher(store, self._publisher, name, self._worker)
        made = self._projects[name] = _Project(store, dispatcher, bench)
        return made

    def _elsewhere(self, store: RedisStore, run: str, name: str) -> bool:
        return store.lacking(run, name, self._crew) < _WITNESSES

    def _look(self, question: Mapping[str, Any]) -> dict[str, Any]:
        project = _project(question["project"])
        prepared = prepare(project, Flow.from_spec(question["spec"], project), self._engine)
        data = prepared.data(self._engine)
        return {
            "fingerprint": prepared.fingerprint,
            "extent": data.extent,
            "values": list(data.values),
        }

    def _watch(self) -> None:
        """Interrupt what runs when the worker must stop; let go of inputs when idle."""
        while True:
            time.sleep(_WATCH)
            if self._slate.overdue > 0:
                self._interrupt()
            elif self._is_stuck():
                # What it was at has failed by now; whoever follows in its place is free.
                os._exit(1)
            elif self._is_idle() or self._is_full():
                with self._lock:
                    if not self._busy:
                        for project in self._projects.values():
                            project.tidy()

    def _measure(self, meter: Callable[[Usage], None]) -> None:
        while True:
            usage = self._engine.usage()
            if usage is not None:
                meter(usage)
            time.sleep(_METER)

    def _interrupt(self) -> None:
        for project in list(self._projects.values()):
            project.bench.interrupt()
        if self._slate.overdue > _STUBBORN and self._busy:
            for project in list(self._projects.values()):
                project.bench.hand_back()
            os._exit(1)

    def _is_stuck(self) -> bool:
        """Whether all that runs are queries that outlived their attempts."""
        stuck = sum(len(project.bench.stuck) for project in list(self._projects.values()))
        return stuck > 0 and stuck == self._busy

    def _is_idle(self) -> bool:
        return not self._busy and time.monotonic() - self._last > _IDLE

    def _is_full(self) -> bool:
        return any(p.bench.loaded > _JOBS_KEPT for p in self._projects.values())


def member(crew: str, pid: int) -> str:
    """Return the name of a pool process of a worker: what claims are made under."""
    return f"{crew}#{pid}"


def _project(snapshot: Mapping[str, Any]) -> Project:
    home = Home.of_snapshot(snapshot)
    if not home.data_root.is_dir():
        raise DataUnavailableError(
            f"The data root {home.data_root} is no folder on {socket.gethostname()}; mount it "
            "there, or correct SEEKNAL_DATA_ROOT."
        )
    return Project.of(home)


def _obey(here: _Project, refusal: Refusal, message: Due, sent: float) -> str:
    """Do what the store wants done instead of what a message is about."""
    if refusal.outdated:
        here.dispatcher.withdraw(message.run, refusal.outdated)
        return "out of date"
    if refusal.first:
        here.dispatcher.give_way(refusal.first, message, sent)
        return f"gave way to {refusal.first[0].unit} of run {refusal.first[0].run}"
    return TAKEN


def _load(run: Run) -> Job:
    return load_job(_project(run.options["project"]), run)
