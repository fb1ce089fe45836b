"""What is asked for, and what the input holds."""

from __future__ import annotations

from dataclasses import dataclass

from seeknal.workflow.intervals import IntervalSet


@dataclass(frozen=True, slots=True)
class Window:
    """What a caller asks to run.

    ``start`` and ``end`` are explicit bounds in UTC seconds (None: the flow's own), ``ranges``
    explicit stretches of time instead of them, ``values`` explicit value partitions (None: all).
    ``backfill`` asks for every missing unit; ``include_empty`` also for those past the data.
    """

    start: int | None = None
    end: int | None = None
    ranges: IntervalSet | None = None
    values: tuple[str, ...] | None = None
    backfill: bool = False
    include_empty: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    """What the input holds: its extent in UTC seconds (None: no rows), or its values."""

    extent: tuple[float, float] | None = None
    values: tuple[str, ...] = ()
