"""Tables of labelled ranges: only the neighbours of what changes are read and written."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Final

from seeknal.stores.ranges import Label, Stretch, clip, covers, erase, fill, paint


class RangeTable:
    """A table of ``flow, start, end`` and label columns, which holds disjoint ranges per flow."""

    def __init__(self, table: str, *labels: str) -> None:
        columns = ", ".join(["start", "end", *labels])
        self._all = f"SELECT {columns} FROM {table} WHERE flow = ? ORDER BY start"
        # Ranges do not overlap, so the first that ends too early, going down, is the last.
        self._down = (
            f"SELECT {columns} FROM {table} WHERE flow = ? AND start <= ? ORDER BY start DESC"
        )
        self._move = f"UPDATE {table} SET start = ?, end = ? WHERE flow = ? AND start = ?"
        self._drop = f"DELETE FROM {table} WHERE flow = ? AND start = ?"
        marks = ", ".join("?" * (3 + len(labels)))
        self._put = f"INSERT OR REPLACE INTO {table} (flow, {columns}) VALUES ({marks})"

    def all(self, db: sqlite3.Connection, flow: str) -> list[Stretch]:
        """Return a flow's ranges in order."""
        return [Stretch(row[0], row[1], row[2:]) for row in db.execute(self._all, (flow,))]

    def near(self, db: sqlite3.Connection, flow: str, start: int, end: int) -> list[Stretch]:
        """Return the ranges that overlap or touch ``[start, end)``, in order."""
        found = []
        for row in db.execute(self._down, (flow, end)):
            if row[1] < start:
                break
            found.append(Stretch(row[0], row[1], row[2:]))
        found.reverse()
        return found

    def within(self, db: sqlite3.Connection, flow: str, start: int, end: int) -> list[Stretch]:
        """Return the parts of the ranges that lie within ``[start, end)``."""
        return clip(self.near(db, flow, start, end), start, end)

    def covers(self, db: sqlite3.Connection, flow: str, start: int, end: int) -> bool:
        """Say whether the ranges leave no gap in ``[start, end)``."""
        return covers(self.near(db, flow, start, end), start, end)

    def paint(
        self, db: sqlite3.Connection, flow: str, start: int, end: int, label: Label = ()
    ) -> None:
        """Label ``[start, end)``, whatever lay there before."""
        self._change(db, flow, start, end, lambda near: paint(near, start, end, label))

    def fill(
        self, db: sqlite3.Connection, flow: str, start: int, end: int, label: Label = ()
    ) -> None:
        """Label what of ``[start, end)`` is empty."""
        self._change(db, flow, start, end, lambda near: fill(near, start, end, label))

    def erase(self, db: sqlite3.Connection, flow: str, start: int, end: int) -> None:
        """Take ``[start, end)`` out."""
        self._change(db, flow, start, end, lambda near: erase(near, start, end))

    def _change(
        self,
        db: sqlite3.Connection,
        flow: str,
        start: int,
        end: int,
        change: Callable[[Sequence[Stretch]], list[Stretch]],
    ) -> None:
        before = self.near(db, flow, start, end)
        after = change(before)
        if len(before) == len(after) == 1 and before[0].label == after[0].label:
            (old,), (new,) = before, after
            if old != new:
                db.execute(self._move, (new.start, new.end, flow, old.start))
            return
        kept = {new.start for new in after}
        for old in before:
            if old.start not in kept:
                db.execute(self._drop, (flow, old.start))
        known = set(before)
        for new in after:
            if new not in known:
                db.execute(self._put, (flow, new.start, new.end, *new.label))


COMPLETIONS: Final = RangeTable("completions", "origin", "schedule", "fingerprint")
FORGOTTEN: Final = RangeTable("forgotten", "origin", "schedule", "fingerprint")
RESTATEMENTS: Final = RangeTable("restatements", "schedule", "reason")
UNFINISHED: Final = RangeTable("unfinished")
