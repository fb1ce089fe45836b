"""What a message calls, in a pool process; and what the main process makes of how it ended."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Final

from celery import Celery, Task
from celery.exceptions import Reject
from celery.worker.request import Request

from seeknal.errors import StoreUnavailableError, UsageError
from seeknal.executors.celery import MARK, PROBE_TASK, SENT, UNIT_TASK
from seeknal.stores.redis_fleet import Due
from seeknal.workflow.units import Unit
from worker.crew import Crew
from worker.desk import Desk

_ASIDE: Final = 0.3


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

        def __init_subclass__(cls, **options: Any) -> None:
            """Hear of success: Celery makes a subclass for each task, which tells nobody else."""
            super().__init_subclass__(**options)
            succeed = cls.on_success

            def on_success(self: Any, outcome: tuple[Any, Any, float], **more: Any) -> Any:
                failed, answer, seconds = outcome
                if not failed:
                    crew.ended(self.args, str(answer).strip("'\""), seconds)
                return succeed(self, outcome, **more)

            cls.on_success = on_success

        def on_failure(self, exc_info: Any, *args: Any, **options: Any) -> Any:
            error = getattr(exc_info.exception, "exc", exc_info.exception)
            if type(error).__name__ in ("WorkerLostError", "SystemExit"):
                crew.lost(self.args, self.kwargs, self.worker_pid, str(error))
            return super().on_failure(exc_info, *args, **options)

    class UnitTask(Task):  # type: ignore[misc]
        """A task whose pool process may be killed."""

        abstract = True
        Request = UnitRequest

    def unit(
        task: Task,
        project: str,
        flow: str,
        slice: str,  # noqa: A002
        key: str,
        *,
        run: str,
    ) -> str:
        """Run one unit; the store decides whether it is still to be run."""
        if crew.slate.is_draining:
            raise Reject("this worker stops", requeue=True)
        if crew.slate.is_blind:
            time.sleep(_ASIDE)  # until the main process takes no more messages
            raise Reject("this worker does not see the data", requeue=True)
        try:
            unit, headers = Unit.from_key(flow, key), task.request
            message = Due(run, unit.flow, unit.key, str(headers.get(MARK, "")))
            return desk().work(project, message, float(headers.get(SENT, 0.0)))
        except (StoreUnavailableError, UsageError, AttributeError, ValueError, TypeError) as error:
            # A unit that the store knows gets another message; what is none was no unit.
            return f"refused: {error}"

    def probe(project: str, flow: str, slice: str, key: str, *, run: str) -> str:  # noqa: A002
        """Answer a question about a flow's data."""
        if crew.slate.is_draining or not desk().probe(project, key):
            raise Reject("another worker may know", requeue=True)
        return "answered"

    app.task(name=UNIT_TASK, base=UnitTask, bind=True, acks_late=True)(unit)
    app.task(name=PROBE_TASK, acks_late=True)(probe)
