"""The end of units whose queries are done: published, and complete. Many at once are cheaper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from seeknal.ending import end_attempt
from seeknal.errors import LeaseLostError, OutputError
from seeknal.stores.base import NO_OVERLAP, Overlap
from seeknal.workbench import Broken, Kept, Made, Outcome, Workbench
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import UnitResult
from seeknal.workflow.units import Unit


def finish(bench: Workbench, made: Sequence[Made]) -> list[Outcome]:
    """Publish what queries made, and complete their units.

    Each takes the same steps, one after the other, and all take a step before any takes the
    next: so that they share the transactions of the store, and the syncs of directories. What
    one cannot do ends its attempt alone, but the store's own troubles are everybody's.
    """
    batch = _Batch(bench, made)
    try:
        batch.take_steps()
    finally:
        for part in batch.parts:
            bench.heartbeat.drop(part.holding)
            part.discard()
    return [_outcome(bench, part) for part in batch.parts]


def _outcome(bench: Workbench, part: _Part) -> Outcome:
    if part.error is not None:
        return end_attempt(bench, Broken(part.holding, part.error))
    bench.lacks = ""
    return Outcome.DONE


class _Part:
    """One result on its way."""

    def __init__(self, made: Made) -> None:
        self.made = made
        self.holding, self.claim = made.holding, made.holding.claim
        self.size = 0
        self.overlap = NO_OVERLAP
        self.published = False
        self.error: Exception | None = None

    def discard(self) -> None:
        """Remove what is staged, unless it has been published."""
        if self.made.kept is not None and not self.published:
            self.made.kept.output.discard(self.made.kept.staged)


class _Batch:
    """Results that are published and completed together."""

    def __init__(self, bench: Workbench, made: Sequence[Made]) -> None:
        self._bench, self._store = bench, bench.store
        self.parts = [_Part(each) for each in made]
        # What became of each directory's sync. Asked again a disk may deny that it lost anything.
        self._synced: dict[Path, OutputError | None] = {}

    def take_steps(self) -> None:
        """Bring each to its end, or to the error that ended it."""
        self._each(self._make_durable)
        # What keeps nothing needs no fence: completing refuses an old token by itself.
        self._together(self._fence, [part for part in self.parts if part.made.kept])
        self._each(self._replace)
        self._each(self._sync)
        self._each(self._supersede)
        self._together(self._complete, self.parts)

    def _each(self, step: Callable[[_Part, Kept], None]) -> None:
        for part in _going(self.parts):
            if part.made.kept is None:
                continue
            try:
                step(part, part.made.kept)
            except Exception as error:
                part.error = error

    def _together(self, step: Callable[[_Part], None], parts: list[_Part]) -> None:
        """Take a step of the store with all in one transaction, which a refusal does not undo."""

        def take() -> None:
            with self._store.together():
                for part in _going(parts):
                    try:
                        step(part)
                    except LeaseLostError as error:
                        part.error = error

        if not _going(parts):
            return
        try:
            self._bench.insist(take)
        except Exception as error:
            for part in _going(parts):
                part.error = error

    def _make_durable(self, part: _Part, kept: Kept) -> None:
        part.size = kept.output.make_durable(kept.staged, part.claim.unit)

    def _fence(self, part: _Part) -> None:
        part.overlap = self._store.prepare(part.claim)

    def _replace(self, part: _Part, kept: Kept) -> None:
        kept.output.replace(kept.staged, part.claim.unit, part.claim.token)
        part.published = True

    def _sync(self, part: _Part, kept: Kept) -> None:
        """Make a file's name durable, and with it all in its directory."""
        directory = kept.output.path(part.claim.unit).parent
        if directory not in self._synced:
            try:
                kept.output.sync(directory)
                self._synced[directory] = None
            except OutputError as error:
                self._synced[directory] = error
        failed = self._synced[directory]
        if failed is not None:
            raise failed

    def _supersede(self, part: _Part, kept: Kept) -> None:
        claim = part.claim
        if part.overlap == NO_OVERLAP:
            return
        cells, spill = superseded(claim.unit, part.overlap)
        if spill:
            self._bench.insist(lambda: self._store.forget(claim, spill))
        if cells:
            kept.output.remove(cells, token=claim.token)

    def _complete(self, part: _Part) -> None:
        made = part.made
        result = UnitResult(made.rows, part.size, made.seconds)
        self._store.complete(part.claim, made.job.fingerprint, result)


def _going(parts: list[_Part]) -> list[_Part]:
    return [part for part in parts if part.error is None]


def superseded(unit: Unit, overlap: Overlap) -> tuple[list[Unit], IntervalSet]:
    """Return the units of other shapes whose output a unit replaces, and what that takes back.

    Taken back is the time beside the unit that was complete by that output, and by it alone:
    output that was prepared and never completed may lie over others' that is.
    """
    cells = set(overlap.publishing)
    spill = IntervalSet()
    for completion in overlap.completions:
        schedule = Schedule.parse(completion.schedule)
        start = max(completion.start, schedule.floor(max(unit.start, completion.start)))
        end = min(completion.end, schedule.ceil(min(unit.end, completion.end)))
        cells.update(Unit(unit.flow, s, e) for s, e in schedule.intervals(start, end))
        spill |= IntervalSet([(start, end)])
    cells.discard(unit)
    return sorted(cells), spill - IntervalSet([(unit.start, unit.end)])
