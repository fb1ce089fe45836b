"""What is asked for, what the input holds, and what others have taken."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from seeknal.plan.held import Held
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Run


class Reason(StrEnum):
    """Why a unit is to be run; the first that holds, but for what failed, which says so."""

    NEW = "new"
    MISSING = "missing"
    UNFINISHED = "unfinished"
    FAILED = "failed"
    RESTATED = "restated"
    FORCED = "forced"
    LOOKBACK = "lookback"


#: What can be chosen from, by the names that people choose by.
KINDS: Final[Mapping[str, frozenset[Reason]]] = MappingProxyType(
    {
        "failed": frozenset({Reason.FAILED}),
        "missing": frozenset({Reason.NEW, Reason.MISSING, Reason.UNFINISHED}),
        "restated": frozenset({Reason.RESTATED}),
    }
)


@dataclass(frozen=True, slots=True)
class Window:
    """What a caller asks to run.

    ``start`` and ``end`` are explicit bounds in UTC seconds (None: the flow's own), ``ranges``
    explicit stretches of time instead of them, ``values`` explicit value partitions (None: all).
    ``backfill`` asks for every missing unit; ``include_empty`` also for those past the data.

    ``only`` keeps units of these reasons alone (none: all), ``force`` is why what is done shall
    be done again (empty: it shall not); either asks for all of the window, as ``backfill`` does.
    ``lookback`` adds what is done of so many intervals before each stretch that runs. ``limit``
    keeps so many units, the oldest, or the newest with ``newest_first``.
    """

    start: int | None = None
    end: int | None = None
    ranges: IntervalSet | None = None
    values: tuple[str, ...] | None = None
    backfill: bool = False
    include_empty: bool = False
    only: frozenset[Reason] = frozenset()
    force: str = ""
    lookback: int = 0
    limit: int | None = None
    newest_first: bool = False

    @property
    def whole(self) -> bool:
        """Whether all of the window is meant, and not only what is new or was left."""
        return self.backfill or bool(self.only) or bool(self.force)

    def wants(self, reason: Reason) -> bool:
        """Return whether units of a reason are asked for."""
        return not self.only or reason in self.only


@dataclass(frozen=True, slots=True)
class Data:
    """What the input holds: its extent in UTC seconds (None: no rows), or its values."""

    extent: tuple[float, float] | None = None
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What a plan leaves to others.

    ``runs`` hold the units they planned. ``answered`` is what failed in their hands, or in
    ours, and is not tried again now. ``again`` has been done again already, or others were at
    it, since it was asked for: neither force nor look-back asks for it twice.
    """

    runs: tuple[Run, ...] = ()
    answered: Held = field(default_factory=Held)
    again: Held = field(default_factory=Held)
