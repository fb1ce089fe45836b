"""The Redis store's verbs of a run: register, hold, feed, pause, steer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from seeknal.stores.base import Again, Change, Holds
from seeknal.stores.redis_core import Core, change_args
from seeknal.stores.redis_values import (
    option_text,
    plan_text,
    readable,
    restatement_args,
    run_fields,
    run_of,
    value_key,
)
from seeknal.stores.refusals import check_status, check_steered, run_exists
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Run, RunStatus
from seeknal.workflow.units import PlannedRange, PlannedUnit, PlannedValue


class RunVerbs(Core):
    """Runs, from their registration to their end.

    All of them repeat themselves when a reply is lost: registering and steering by a mark of
    their own call, feeding by the cursor, which lets no second feed pass, a new status by what
    it is then.
    """

    def holds(self, flow: str) -> Holds:
        """Return who holds units of a flow."""
        version, *runs = self._call("holds", flow, repeat=True)
        with readable(f"the runs of flow {flow}"):
            return Holds(int(version), tuple(map(run_of, runs)))

    def register(self, run: Run, version: int, again: Again | None = None) -> bool:
        """Start a run; False, changing nothing, if the version is not the current one.

        Raises:
            StoreError: there is a run of that id already.
        """
        planned = IntervalSet((p.start, p.end) for p in run.planned if isinstance(p, PlannedRange))
        ends = [str(end) for stretch in planned.ranges for end in stretch]
        values = [value_key(p.value) for p in run.planned if isinstance(p, PlannedValue)]
        again = again or Again()
        answer = self._call(
            "register",
            run.id,
            run.flow,
            version,
            secrets.token_hex(8),
            run.units,
            run.created_by,
            *change_args(again.change),
            len(planned.ranges),
            len(values),
            len(again.restatements),
            len(again.values),
            *ends,
            *values,
            *_again_args(again),
            *run_fields(run),
            repeat=True,
        )
        if answer < 0:
            raise run_exists(run.id)
        return bool(answer)

    def run(self, run_id: str) -> Run | None:
        """Return a run, or None if there is none of that id (any more)."""
        reply = self._call("run", run_id, repeat=True)
        with readable(f"run {run_id}"):
            return run_of(reply) if reply[0] else None

    def runs(self, flow: str | None = None, limit: int = 100) -> list[Run]:
        """Return runs, newest first; those that ended are kept for 90 days."""
        rows = self._call("runs", flow or "", limit, repeat=True)
        with readable("the runs"):
            return [run_of(row) for row in rows]

    def set_status(self, run_id: str, status: RunStatus, change: Change | None = None) -> bool:
        """Pause, resume, cancel or interrupt a run; returns whether anything changed."""
        check_status(run_id, status)
        return bool(self._call_told("set_status", run_id, str(status), *change_args(change)))

    def steer(self, run_id: str, options: Mapping[str, Any], change: Change | None = None) -> bool:
        """Change the order, the priority or the cap of an active or paused run."""
        check_steered(run_id, options)
        texts = [text for name, value in options.items() for text in (name, option_text(value))]
        args = (secrets.token_hex(8), *change_args(change), *texts)
        return bool(self._call("steer", run_id, *args, repeat=True))

    def feed(
        self, run_id: str, units: Sequence[PlannedUnit], cursor: str, next_cursor: str
    ) -> bool:
        """Queue units of an active run; False if another feeder was faster.

        It publishes nothing: ``due`` says for which units a message is needed.
        """
        args = [text for planned in units for text in (planned.unit.key, plan_text(planned))]
        return bool(self._call("feed", run_id, cursor, next_cursor, *args, repeat=True))


def _again_args(again: Again) -> list[str]:
    reasons = [text for v, reason in again.values.items() for text in (value_key(v), reason)]
    return restatement_args(again.restatements) + reasons
