"""What a message calls, in a pool process; and what the main process makes of how it ended."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from celery import Celery, Task
from celery.exceptions import Reject
from celery.worker.request import Request

from seeknal.errors import StoreUnavailableError, UsageError
from seeknal.executors.celery import PROBE_TASK, UNIT_TASK
from seeknal.workflow.units import Unit
from worker.crew import Crew
from worker.desk import Desk


def register(app: Celery, crew: Crew, make_desk: Callable[[], Desk]) -> None:
    """Give an app its tasks.

    ``make_desk`` is called once in each pool process.
    """
    desks: dict[int, Desk] = {}

    def desk() -> Desk:
        found = desks.get(os.getpid())
        if found is None:
            found = desks[os.getpid()] = make_desk()
        return found

    class UnitRequest(Request):  # type: ignore[misc]
        """A message, seen from the main process."""

        def on_success(self, failed__retval__runtime: Any, **options: Any) -> Any:
            result = super().on_success(failed__retval__runtime, **options)
            if not failed__retval__runtime[0]:
                crew.ended(str(failed__retval__runtime[1]))
            return result

        def on_failure(self, exc_info: Any, *args: Any, **options: Any) -> Any:
            error = getattr(exc_info.exception, "exc", exc_info.exception)
            if type(error).__name__ in ("WorkerLostError", "SystemExit"):
                crew.lost(self.args, self.kwargs, self.worker_pid, str(error))
            return super().on_failure(exc_info, *args, **options)

    class UnitTask(Task):  # type: ignore[misc]
        """A task whose pool process may be killed."""

        abstract = True
        Request = UnitRequest

    def unit(project: str, flow: str, slice: str, key: str, *, run: str) -> str:  # noqa: A002
        """Run one unit; the store decides whether it is still to be run."""
        if crew.drain.is_on:
            raise Reject("this worker stops", requeue=True)
        try:
            return desk().work(project, run, Unit.from_key(flow, key))
        except (StoreUnavailableError, UsageError) as error:
            # The store knows the unit, and will send another message.
            return f"refused: {error}"

    def probe(project: str, flow: str, slice: str, key: str, *, run: str) -> str:  # noqa: A002
        """Answer a question about a flow's data."""
        if crew.drain.is_on or not desk().probe(project, key):
            raise Reject("another worker may know", requeue=True)
        return "answered"

    app.task(name=UNIT_TASK, base=UnitTask, acks_late=True)(unit)
    app.task(name=PROBE_TASK, acks_late=True)(probe)
