"""What ``seeknal runs watch`` does."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from seeknal.cli import text
from seeknal.cli.exporting import Watched, serve_run_metrics
from seeknal.cli.progress import LINES_EVERY, line
from seeknal.cli.reach import Reached, Where, reached
from seeknal.cli.runtext import going_on, pace, progress, view_json
from seeknal.cli.streams import is_terminal
from seeknal.errors import StoreUnavailableError
from seeknal.failing import why_paused
from seeknal.lookout import Lookout
from seeknal.stores.redis import RedisStore
from seeknal.view import Crew, View
from seeknal.workflow.state import RunStatus

if TYPE_CHECKING:
    from rich.live import Live

_INTERRUPTED = 130
_LOOK_EVERY = 0.5
_AWAY_FOR = 1.0
_AWAY = "The store cannot be reached; it is tried again and again."


def watch_run(
    where: Where,
    run_id: str | None,
    every: float | None,
    metrics_port: str | None,
    *,
    as_json: bool,
) -> int:
    """Show a run until it ends or pauses; return the exit code.

    ``metrics_port`` is where Prometheus finds what is seen meanwhile, if anywhere.
    """
    with reached(where) as found:
        run = found.run(run_id)
        seen = _Seen(found.project)
        try:
            with serve_run_metrics(metrics_port, seen.read), _face(every, as_json=as_json) as face:
                view = _follow(Lookout(found.store, run, _crew(found)), face, seen)
        except KeyboardInterrupt:
            text.say(f"No longer watching; run {run.id} goes on.")
            return _INTERRUPTED
        if not as_json:
            text.show(f"Run {run.id} is {view.run.status}: {progress(view.counts)}.")
        why = why_paused(found.store, view.run)
    if view.run.status is RunStatus.PAUSED:
        because = f"It paused itself, because {why} " if why else ""
        text.say(f"{because}Go on with: {where.command(going_on(view.run))}")
    return 0 if view.run.status is RunStatus.DONE else 1


def _crew(found: Reached) -> Callable[[], Crew] | None:
    store = found.store
    if not isinstance(store, RedisStore):
        return None

    def crew() -> Crew:
        workers = [worker.detail for worker in store.workers()]
        slots = sum(int(detail.get("slots", 0)) for detail in workers)
        busy = sum(len(d.get("busy", [])) + int(d.get("elsewhere", 0)) for d in workers)
        return Crew(len(workers), slots, busy)

    return crew


class _Seen:
    """What was seen last, for whoever scrapes."""

    def __init__(self, project: str) -> None:
        self._project = project
        self.view: View | None = None

    def read(self) -> Watched | None:
        view = self.view
        if view is None:
            return None
        return Watched(self._project, view.run, view.counts, view.rate)


def _follow(lookout: Lookout, face: _Face, seen: _Seen) -> View:
    while True:
        try:
            view = lookout.look()
        except StoreUnavailableError:
            # The run may go on without us; so may the watching, when the store is back.
            face.away()
            time.sleep(_AWAY_FOR)
            continue
        seen.view = view
        face.show(view)
        if view.run.status is not RunStatus.ACTIVE:
            return view
        time.sleep(_LOOK_EVERY)


class _Face(Protocol):
    """Where views of a run are shown."""

    def show(self, view: View) -> None:
        """Show how the run stands now, or leave it if it is too early for that."""
        ...

    def away(self) -> None:
        """Tell that nothing can be seen at present."""
        ...


@contextmanager
def _face(every: float | None, *, as_json: bool) -> Iterator[_Face]:
    if as_json or not is_terminal():
        yield _Lines(LINES_EVERY if every is None else every, as_json=as_json)
        return
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    with Live(console=console, auto_refresh=False) as live:
        yield _Screen(live)


class _Lines:
    """Now and then a line: text on standard error, or JSON on standard output."""

    def __init__(self, every: float, *, as_json: bool) -> None:
        self._every, self._as_json = every, as_json
        self._said = float("-inf")
        self._away = False

    def show(self, view: View) -> None:
        self._away = False
        ended = view.run.status is not RunStatus.ACTIVE
        now = time.monotonic()
        if now - self._said < self._every and not ended:
            return
        self._said = now
        if self._as_json:
            text.show(json.dumps(view_json(view), ensure_ascii=False))
        elif not ended:
            text.say(line(view.run.flow, view.counts, pace(view.rate, view.left)))

    def away(self) -> None:
        if not self._away:
            text.say(_AWAY)
        self._away = True


class _Screen:
    """A picture on a terminal."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._view: View | None = None

    def show(self, view: View) -> None:
        self._view = view
        self._draw()

    def away(self) -> None:
        self._draw(_AWAY)

    def _draw(self, note: str = "") -> None:
        from seeknal.cli.screen import screen

        if self._view is not None:
            width, height = self._live.console.size
            self._live.update(screen(self._view, width, height, note), refresh=True)
