"""One thread's part of the work: claimed units' queries. Every worker calls this."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from seeknal.ending import end_attempt, give_up
from seeknal.engine.render import render
from seeknal.engine.session import Session
from seeknal.errors import InterruptedRunError
from seeknal.finish import finish
from seeknal.heartbeat import Holding
from seeknal.stores.refusals import lost
from seeknal.workbench import Broken, Job, Kept, Made, Outcome, Workbench
from seeknal.workflow.state import Claim


class Seat:
    """One thread's place: executes claimed units, one at a time."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self._sessions: dict[str, Session] = {}

    def close(self) -> None:
        """Let go of this thread's sessions."""
        for session in self._sessions.values():
            session.close()
        self._sessions.clear()

    def execute(self, claim: Claim) -> Outcome:
        """Run a claimed unit to its end: completed, failed, or handed back."""
        made = self.compute(self._bench.heartbeat.hold(claim))
        if isinstance(made, Broken):
            return end_attempt(self._bench, made)
        return finish(self._bench, [made])[0]

    def compute(self, holding: Holding) -> Made | Broken:
        """Run a unit's query.

        What it made is to be passed to :func:`seeknal.finish.finish`, what it did not to
        :func:`seeknal.ending.end_attempt`.
        """
        heartbeat, claim = self._bench.heartbeat, holding.claim
        try:
            job = self._bench.job(claim.run)
            session = self._session(job)
            started = time.monotonic()
            timeout = job.options.get("timeout")
            heartbeat.query_begins(
                holding, session.interrupt, timeout, lambda: give_up(self._bench, holding)
            )
            if holding.lost:
                raise lost(claim)
            if self._bench.stopping.is_set():
                raise InterruptedRunError("The run was asked to stop.")
            kept, rows = self._query(job, session, claim)
            heartbeat.query_ended(holding)
            return Made(job, holding, kept, rows, time.monotonic() - started)
        except Exception as error:
            heartbeat.query_ended(holding)
            return Broken(holding, error)
        except BaseException:
            heartbeat.drop(holding)
            raise

    def _query(self, job: Job, session: Session, claim: Claim) -> tuple[Kept | None, int]:
        """Run a unit's query and return what is kept of its result, and its rows."""
        sql = render(job.query, claim.unit, job.partition(claim.unit))
        if job.output is None:
            # There is nothing to fence: completing refuses an old token by itself.
            return None, session.run(sql)
        staged = job.output.stage(claim.unit, claim.token)
        try:
            said = _provenance(job, claim, self._bench.heartbeat.lease)
            return Kept(job.output, staged), session.copy(sql, staged, said)
        except BaseException:
            job.output.discard(staged)
            raise

    def _session(self, job: Job) -> Session:
        session = self._sessions.get(job.run)
        if session is None:
            session = self._sessions[job.run] = self._bench.engine.session(job.query)
        return session


def _provenance(job: Job, claim: Claim, lease: float) -> dict[str, str]:
    started = datetime.fromtimestamp(claim.until - lease, UTC)
    return {
        "seeknal_flow": claim.unit.flow,
        "seeknal_unit": claim.unit.key,
        "seeknal_run": claim.run,
        "seeknal_token": str(claim.token),
        "seeknal_fingerprint": job.fingerprint,
        "seeknal_schedule": claim.planned.schedule,
        "seeknal_origin": claim.planned.origin,
        "seeknal_worker": claim.worker,
        "seeknal_started": started.isoformat(timespec="milliseconds"),
        "seeknal_attempt": str(claim.attempts + 1),
    }
