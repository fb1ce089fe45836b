"""Requests and states by chance, for what plans."""

from __future__ import annotations

import random
from collections.abc import Sequence

from seeknal.plan import KINDS, Window
from seeknal.workflow.intervals import IntervalSet
from tests.unit.plan_oracle import HOUR, Slot, slots

DAYS = 6
DAY = 24 * HOUR
EARLIEST = 19_723 * DAY
LAST = EARLIEST + DAYS * DAY
DAILY, SIX_HOURLY, HOURLY = "@daily UTC", "0 */6 * * * UTC", "@hourly UTC"
SHAPES = (DAILY, SIX_HOURLY, HOURLY)


def published(chance: random.Random, shapes: tuple[str, ...], start: int, end: int) -> list[Slot]:
    """Some of a stretch, as units of one shape or another, the longest first."""
    found: list[Slot] = []
    for unit in slots(shapes[0], start, end):
        if shapes[1:] and chance.random() < 0.5:
            found += published(chance, shapes[1:], unit.start, unit.end)
        elif chance.random() < 0.6:
            found.append(unit)
    return found


def some(chance: random.Random, units: Sequence[Slot], share: float) -> list[Slot]:
    return [unit for unit in units if chance.random() < share]


def hour(chance: random.Random, first: int = 0) -> int:
    return EARLIEST + chance.randrange(first, DAYS * 24) * HOUR


def span(chance: random.Random) -> tuple[int, int]:
    low, high = sorted(chance.sample(range(DAYS * 24 + 1), 2))
    return EARLIEST + low * HOUR, EARLIEST + high * HOUR


def window_of(chance: random.Random) -> Window:
    low, high = span(chance)
    ranges = IntervalSet(span(chance) for _ in range(2)) if chance.random() < 0.2 else None
    return Window(
        start=None if ranges or chance.random() < 0.4 else low,
        end=None if ranges or chance.random() < 0.4 else high,
        ranges=ranges,
        backfill=chance.random() < 0.5,
        include_empty=chance.random() < 0.2,
        only=frozenset().union(*(KINDS[k] for k in _some_kinds(chance))),
        force="bug" if chance.random() < 0.3 else "",
        lookback=chance.choice((0, 0, 1, 2, 5)),
        limit=chance.choice((None, None, 0, 1, 3, 10, 1000)),
        newest_first=chance.random() < 0.5,
    )


def _some_kinds(chance: random.Random) -> list[str]:
    return [kind for kind in KINDS if chance.random() < 0.12]
