"""Plans the failed units of a run anew, all of them or those that failed in one way."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import Final
from uuid import uuid4

from seeknal.alike import failure_id, groups
from seeknal.errors import ConflictError, UnknownNameError, UsageError
from seeknal.failing import allowing
from seeknal.stores.base import Store
from seeknal.workflow.state import Run, UnitRecord
from seeknal.workflow.units import Planned, PlannedRange, PlannedValue, stamp

_TRIES: Final = 20


def register_failed(
    store: Store, old: Run, failures: Collection[str], *, actor: str, owner: str
) -> Run:
    """Register a run of the failed units of another, with its spec and options, and return it.

    ``failures`` names the kinds of failure to try again; none of them means all. ``owner`` is the
    process whose death shall end the run, or empty.

    Raises:
        UsageError: no unit of the run is failed, any more.
        UnknownNameError: none failed in a way that is named.
        ConflictError: other runs keep starting and ending.
    """
    for _ in range(_TRIES):
        holds = store.holds(old.flow)
        failed = _failed(store, old, failures)
        new = Run(
            id=f"{stamp(int(store.now()))}-{uuid4().hex[:6]}",
            flow=old.flow,
            spec=old.spec,
            fingerprint=old.fingerprint,
            planned=tuple(_planned(failed)),
            units=len(failed),
            options=allowing(old.options, 0, len(failed)),
            created_by=actor,
            owner=owner,
        )
        if store.register(new, holds.version):
            return new
    raise ConflictError(f"Other runs of flow {old.flow!r} keep starting and ending; try again.")


def _failed(store: Store, old: Run, failures: Collection[str]) -> list[UnitRecord]:
    failed = [record for record in store.failed(old.flow) if record.run == old.id]
    if not failed:
        raise UsageError(f"No unit of run {old.id} is failed; there is nothing to retry.")
    known = [group.id for group in groups(failed)]
    for name in failures:
        if name not in known:
            raise UnknownNameError(
                f"No unit of run {old.id} is failed in the way {name!r}; there are "
                f"{', '.join(known)}: see them with: seeknal runs show {old.id}"
            )
    return [r for r in failed if not failures or failure_id(r.error) in failures]


def _planned(failed: Iterable[UnitRecord]) -> Iterable[Planned]:
    """Yield what is to be planned for failed units, those that follow one another as one."""
    last: PlannedRange | None = None
    for record in failed:
        unit, planned = record.unit, record.planned
        if unit.value is not None:
            yield PlannedValue(unit.value, planned.origin)
            continue
        new = PlannedRange(unit.start, unit.end, planned.schedule, planned.origin)
        if last is not None and last == replace(new, start=last.start, end=new.start):
            last = replace(last, end=new.end)
            continue
        if last is not None:
            yield last
        last = new
    if last is not None:
        yield last
