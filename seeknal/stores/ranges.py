"""Labelled ranges: the arithmetic that completions, restatements and plans share.

A list of stretches is in order, and no two overlap; two that touch are one if, and only if,
their labels are equal. Every function takes such a list, or the part of it that overlaps or
touches ``[start, end)``, and returns one. Nothing here knows of a store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

Label = tuple[str, ...]


class Stretch(NamedTuple):
    """``[start, end)`` in UTC seconds, and what is known of it."""

    start: int
    end: int
    label: Label = ()


def paint(stretches: Sequence[Stretch], start: int, end: int, label: Label = ()) -> list[Stretch]:
    """Label ``[start, end)``, whatever lay there before; older stretches are cut at its edges."""
    if start >= end:
        return list(stretches)
    return _joined(sorted([*erase(stretches, start, end), Stretch(start, end, label)]))


def erase(stretches: Iterable[Stretch], start: int, end: int) -> list[Stretch]:
    """Take ``[start, end)`` out."""
    if start >= end:
        return list(stretches)
    kept = []
    for old in stretches:
        if old.end <= start or old.start >= end:
            kept.append(old)
            continue
        if old.start < start:
            kept.append(Stretch(old.start, start, old.label))
        if old.end > end:
            kept.append(Stretch(end, old.end, old.label))
    return kept


def fill(stretches: Sequence[Stretch], start: int, end: int, label: Label = ()) -> list[Stretch]:
    """Label what of ``[start, end)`` is empty; what is there stays."""
    filled = list(stretches)
    for low, high in gaps(stretches, start, end):
        filled = paint(filled, low, high, label)
    return filled


def gaps(stretches: Iterable[Stretch], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the parts of ``[start, end)`` that no stretch covers, in order."""
    reached = start
    for old in stretches:
        if old.start >= end:
            break
        if old.start > reached:
            yield reached, old.start
        reached = max(reached, old.end)
    if reached < end:
        yield reached, end


def clip(stretches: Iterable[Stretch], start: int, end: int) -> list[Stretch]:
    """Return what of the stretches lies within ``[start, end)``."""
    return [
        Stretch(max(old.start, start), min(old.end, end), old.label)
        for old in stretches
        if old.start < end and old.end > start
    ]


def covers(stretches: Iterable[Stretch], start: int, end: int) -> bool:
    """Say whether no instant of ``[start, end)`` is missing."""
    return next(gaps(stretches, start, end), None) is None


def _joined(stretches: Iterable[Stretch]) -> list[Stretch]:
    joined: list[Stretch] = []
    for new in stretches:
        if joined and joined[-1].end == new.start and joined[-1].label == new.label:
            joined[-1] = Stretch(joined[-1].start, new.end, new.label)
        else:
            joined.append(new)
    return joined
