"""The Redis store's verbs of a flow's state: read, mark, restate, failed, log, audit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from seeknal.stores.base import Change
from seeknal.stores.redis_core import Core, change_args
from seeknal.stores.redis_values import (
    attempt_of,
    failure_of,
    readable,
    restatement_args,
    seconds_of,
    state_of,
    text_of,
    value_key,
)
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import (
    AuditEntry,
    CompletedValue,
    Completion,
    Event,
    FlowState,
    Restatement,
    UnitRecord,
)
from seeknal.workflow.units import Unit

_PAGE = 1000


class FlowVerbs(Core):
    """What is completed, restated, unfinished and failed of a flow.

    Reading repeats itself when a reply is lost. What is audited does not, so that no change is
    told twice: the error says that it may have happened.
    """

    def flows(self) -> list[str]:
        """Return the names of all flows that have state, sorted."""
        return sorted(self._ask(lambda: self._client.smembers(self._key("flows")), repeat=True))

    def state(self, flow: str) -> FlowState:
        """Return a consistent snapshot of a flow's state."""
        reply = self._call("state", flow, repeat=True)
        with readable(f"flow {flow}"):
            return state_of(reply)

    def mark(
        self,
        flow: str,
        completions: Iterable[Completion],
        values: Iterable[CompletedValue],
        change: Change,
    ) -> None:
        """Complete by hand. Time that is already completed keeps its provenance."""
        ranges = [
            text
            for c in completions
            for text in (str(c.start), str(c.end), text_of(c.origin, c.schedule, c.fingerprint))
        ]
        labels = [
            text for v in values for text in (value_key(v.value), text_of(v.origin, v.fingerprint))
        ]
        self._call("mark", flow, *change_args(change), len(ranges) // 3, *ranges, *labels)

    def restate(
        self,
        flow: str,
        restatements: Iterable[Restatement],
        values: Iterable[str],
        change: Change,
    ) -> None:
        """Ask for completed time, and completed values, to be done again."""
        ranges = restatement_args(restatements)
        units = map(value_key, values)
        self._call("restate", flow, *change_args(change), len(ranges) // 3, *ranges, *units)

    def clear_restatements(
        self, flow: str, within: IntervalSet, values: Iterable[str], change: Change
    ) -> None:
        """Withdraw what is restated within the given time, or of the given values."""
        ends = [str(end) for stretch in within.ranges for end in stretch]
        units = map(value_key, values)
        self._call("clear_restatements", flow, *change_args(change), len(ends) // 2, *ends, *units)

    def failed(self, flow: str) -> list[UnitRecord]:
        """Return the flow's failed units in order of time (or value)."""
        rows = self._call("failed", flow, repeat=True)
        with readable(f"flow {flow}"):
            found = [failure_of(flow, row) for row in rows]
        return sorted(found, key=lambda r: (r.unit.start, r.unit.end, r.unit.value or ""))

    def log(self, flow: str, unit: Unit) -> list[Event]:
        """Return the latest attempts at a unit, in any run, oldest first."""
        key = self._key("log", f"{flow}:{unit.key}")
        lines = self._ask(lambda: self._client.lrange(key, 0, -1), repeat=True)
        with readable(f"the attempts at {unit}"):
            return [attempt_of(unit, line) for line in lines]

    def specs(self, flow: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the spec of the latest run of each fingerprint that a flow was run with."""
        key = self._key("specs", flow)
        texts = self._ask(lambda: self._client.hgetall(key), repeat=True)
        with readable(f"flow {flow}"):
            return {fingerprint: json.loads(text) for fingerprint, text in texts.items()}

    def audit(self, flow: str | None = None, limit: int = 1000) -> list[AuditEntry]:
        """Return the latest audited changes, newest first. With ``flow``, others are read too."""
        found: list[AuditEntry] = []
        latest = "+"
        while len(found) < limit:
            size = limit if flow is None else _PAGE
            page = self._audit_page(latest, size)
            for entry_id, fields in page:
                latest = f"({entry_id}"
                if flow in (None, fields["flow"]):
                    found.append(_entry(fields))
            if len(page) < size:
                break
        return found[:limit]

    def _audit_page(self, latest: str, size: int) -> list[tuple[str, dict[str, str]]]:
        page: list[tuple[str, dict[str, str]]] = self._ask(
            lambda: self._client.xrevrange(self._key("audit"), latest, "-", count=size),
            repeat=True,
        )
        return page


def _entry(fields: dict[str, str]) -> AuditEntry:
    with readable("the audit"):
        return AuditEntry(
            seconds_of(fields["at"]),
            fields["actor"],
            fields["action"],
            fields["flow"],
            fields["what"],
            fields["reason"],
        )
