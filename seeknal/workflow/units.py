"""Units: what is leased, executed and completed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from urllib.parse import quote, unquote

from seeknal.errors import UsageError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Not by strptime, which takes ten times as long: a key is read for every message.
_STAMP = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z", re.ASCII)


@lru_cache(maxsize=4096)  # a unit's key is asked for many times while it runs
def stamp(seconds: int) -> str:
    """Write UTC seconds as ``20240101T050000Z``: sortable, and safe in a file name."""
    moment = (_EPOCH + timedelta(seconds=seconds)).isoformat()[:19]  # strftime takes thrice as long
    return f"{moment.replace('-', '').replace(':', '')}Z"


@lru_cache(maxsize=4096)  # the end of one unit is the start of the next
def parse_stamp(text: str) -> int:
    """Read what :func:`stamp` wrote.

    Raises:
        UsageError: ``text`` is not of that form.
    """
    found = _STAMP.fullmatch(text)
    try:
        year, month, day, hour, minute, second = map(int, found.groups() if found else ())
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        raise UsageError(f"{text!r} is not a time of the form 20240101T050000Z.") from None
    return (moment - _EPOCH) // timedelta(seconds=1)


@dataclass(frozen=True, slots=True, order=True)
class Unit:
    """One interval ``[start, end)`` in UTC seconds, or one value partition, of one flow.

    A unit of a value partition has ``value`` and no times; ``start`` and ``end`` are then 0.
    """

    flow: str
    start: int = 0
    end: int = 0
    value: str | None = None

    @property
    def key(self) -> str:
        """The unit's name within its flow, equal for equal units on every machine.

        ``20240101T000000Z_20240102T000000Z`` for an interval, ``value=EU`` (percent-encoded)
        for a partition. It holds no slash, colon or quote.
        """
        if self.value is not None:
            return f"value={quote(self.value, safe='')}"
        return f"{stamp(self.start)}_{stamp(self.end)}"

    @classmethod
    def from_key(cls, flow: str, key: str) -> Unit:
        """Read a unit back from its :attr:`key`.

        Raises:
            UsageError: ``key`` is not a unit's key.
        """
        if key.startswith("value="):
            return cls(flow, value=unquote(key[len("value=") :]))
        start, _, end = key.partition("_")
        return cls(flow, parse_stamp(start), parse_stamp(end))

    def __str__(self) -> str:
        return f"{self.flow}/{self.key}"


@dataclass(frozen=True, slots=True)
class PlannedRange:
    """A stretch of units to run: whole intervals of ``schedule`` that tile ``[start, end)``.

    ``schedule`` is a schedule's text (``str(Schedule)``); a restated range keeps the schedule
    that published it, so that its output is replaced and not doubled. ``origin`` is what the
    units' completions will say.
    """

    start: int
    end: int
    schedule: str
    origin: str


@dataclass(frozen=True, slots=True)
class PlannedValue:
    """One value partition to run."""

    value: str
    origin: str


Planned = PlannedRange | PlannedValue


@dataclass(frozen=True, slots=True)
class PlannedUnit:
    """One unit of a run, with what its completion will say of it."""

    unit: Unit
    origin: str
    schedule: str = ""
