"""Schedules: a cron expression in a time zone, as ticks that tile time.

Every instant here is integer UTC epoch seconds, every range half-open. Across clock changes the
rules are Debian cron's: a fixed time that is skipped fires at the first instant after the gap, one
that is repeated fires the first time only; when the minute or hour field begins with ``*``, or the
expression has seconds, the schedule follows the clock instead, and every real match fires.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zoneinfo import ZoneInfo

from seeknal.errors import ScheduleError
from seeknal.workflow.wall import WallPattern, wall_pattern
from seeknal.workflow.zones import (
    DAY,
    EARLIEST,
    LATEST,
    LOOKBACK,
    check_instant,
    describe,
    load_zone,
    quoted,
    stretches,
)

_CHUNK = 16_384
# A search this long that finds nothing finds nothing at all: days are at most 40 years apart, and
# only clock changes, of which no future is known, can skip what is left of them.
_FARTHEST = LATEST - EARLIEST
# Each is twenty times the one before, so that a search reads the clock changes of about as much
# time as it must: that a zone changes no more would show at the end of all years only.
_SPANS = (2 * DAY, 40 * DAY, 800 * DAY, 16_000 * DAY, _FARTHEST)


class _Piece(NamedTuple):
    """Local matches in ``[low, high)`` fire at match - offset; ``gap`` fires before them all.

    Pieces come in ascending order of instants and do not overlap.
    """

    low: int
    high: int
    offset: int
    gap: int | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a flow's intervals begin: ``cron`` read on the wall clock of ``timezone``.

    Hashable, and equal when both texts are. ScheduleError when either is not valid, or when the
    expression can never fire. All methods are pure functions of integer UTC epoch seconds. The
    years 1900 to 2100 are supported, and fifty more on either side so that intervals at the edges
    are whole; an instant beyond is a TimeError.
    """

    cron: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if not isinstance(self.cron, str):
            raise ScheduleError(
                f"{quoted(self.cron)} is not a cron expression; write text such as '@daily'."
            )
        wall_pattern(self.cron)
        load_zone(self.timezone)
        object.__setattr__(self, "cron", " ".join(self.cron.split()))

    def __str__(self) -> str:
        """Return ``cron timezone``, which :meth:`parse` reads back."""
        return f"{self.cron} {self.timezone}"

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Return the schedule whose ``str`` is ``text``; ScheduleError when there is none."""
        cron, _, timezone = text.rpartition(" ") if isinstance(text, str) else ("", "", "")
        if not cron:
            raise ScheduleError(
                f"{quoted(text)} is no schedule with a time zone; "
                "write it as '@daily Europe/London'."
            )
        return cls(cron, timezone)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone itself."""
        return load_zone(self.timezone)

    def floor(self, instant: int) -> int:
        """Return the last tick at or before ``instant``: the start of the interval it lies in."""
        check_instant(instant)
        wall = wall_pattern(self.cron)
        for span in _SPANS:
            for piece in reversed(list(self._pieces(instant + 1 - span, instant + 1))):
                found = wall.last(piece.low, piece.high)
                if found is not None:
                    return found - piece.offset
                if piece.gap is not None:
                    return piece.gap
        raise self._exhausted("before", instant)

    def next(self, instant: int) -> int:
        """Return the first tick after ``instant``: the end of the interval it lies in."""
        return self._first_from(check_instant(instant) + 1)

    def ceil(self, instant: int) -> int:
        """Return the first tick at or after ``instant``."""
        return self._first_from(check_instant(instant))

    def ticks(self, start: int, end: int) -> list[int]:
        """Return every tick t with ``start <= t < end``, ascending; empty if end <= start."""
        check_instant(start)
        check_instant(end)
        wall = wall_pattern(self.cron)
        found: list[int] = []
        for low, high, offset, gap in self._pieces(start, end):
            if gap is not None:
                found.append(gap)
            found.extend(wall.ticks(low, high, offset))
        return found

    def iter_ticks(self, start: int, end: int) -> Iterator[int]:
        """Yield what :meth:`ticks` returns, in memory that does not depend on the range."""
        check_instant(start)
        check_instant(end)
        return self._iter_chunks(start, end)

    def count(self, start: int, end: int) -> int:
        """Return how many ticks lie in ``[start, end)``, by arithmetic."""
        check_instant(start)
        check_instant(end)
        wall = wall_pattern(self.cron)
        return sum(
            wall.count(low, high) + (gap is not None)
            for low, high, _, gap in self._pieces(start, end)
        )

    def intervals(
        self, start: int, end: int, *, newest_first: bool = False
    ) -> Iterator[tuple[int, int]]:
        """Yield (tick, next tick) for every tick in ``[start, end)``, lazily."""
        check_instant(start)
        check_instant(end)
        return self._iter_back(start, end) if newest_first else self._iter_intervals(start, end)

    def floors(self, instants: Sequence[int]) -> list[int]:
        """Return :meth:`floor` of each of ``instants`` (ascending), in one pass over time."""
        if not instants:
            return []
        carried = self.floor(instants[0])
        check_instant(instants[-1])
        last = wall_pattern(self.cron).last
        found: list[int] = []
        index, total = 0, len(instants)
        for low, high, offset, gap in self._pieces(instants[0], instants[-1] + 1):
            while index < total and instants[index] + offset < high:
                instant = instants[index]
                match = last(low, instant + offset + 1)
                if match is not None:
                    found.append(match - offset)
                else:
                    found.append(gap if gap is not None and gap <= instant else carried)
                index += 1
            final = last(low, high)
            carried = _latest(carried, gap, None if final is None else final - offset)
        return found + [carried] * (total - index)

    def ceils(self, instants: Sequence[int]) -> list[int]:
        """Return :meth:`ceil` of each of ``instants`` (ascending), in one pass over time."""
        if not instants:
            return []
        check_instant(instants[0])
        end = self.ceil(instants[-1]) + 1
        wall = wall_pattern(self.cron)
        first = wall.first
        found: list[int] = []
        index, total = 0, len(instants)
        for low, high, offset, gap in self._pieces(instants[0], end):
            final = wall.last(low, high)
            while index < total:
                wanted = instants[index]
                if gap is not None and wanted <= gap:
                    found.append(gap)
                elif final is not None and wanted + offset <= final:
                    match = first(max(low, wanted + offset), high)
                    found.append((final if match is None else match) - offset)
                else:
                    break
                index += 1
        return found

    def ranks(self, instants: Sequence[int]) -> list[int]:
        """Return :meth:`count` from the first of ``instants`` (ascending) to each of them."""
        if not instants:
            return []
        check_instant(instants[0])
        check_instant(instants[-1])
        count = wall_pattern(self.cron).count
        found: list[int] = []
        index, total, before = 0, len(instants), 0
        for low, high, offset, gap in self._pieces(instants[0], instants[-1]):
            while index < total and instants[index] + offset < high:
                instant = instants[index]
                extra = gap is not None and gap < instant
                found.append(before + extra + count(low, instant + offset))
                index += 1
            before += count(low, high) + (gap is not None)
        return found + [before] * (total - index)

    def _first_from(self, instant: int) -> int:
        """Return the first tick at or after ``instant``."""
        wall = wall_pattern(self.cron)
        for span in _SPANS:
            for piece in self._pieces(instant, instant + span):
                if piece.gap is not None:
                    return piece.gap
                found = wall.first(piece.low, piece.high)
                if found is not None:
                    return found - piece.offset
        raise self._exhausted("after", instant)

    def _pieces(self, start: int, end: int) -> Iterable[_Piece]:
        """Yield the pieces that hold exactly the ticks of ``[start, end)``."""
        wall = wall_pattern(self.cron)
        if wall.follows_clock:
            return (
                _Piece(since + offset, until + offset, offset, None)
                for since, until, offset in stretches(self.zone, start, end)
            )
        return self._fixed_pieces(wall, start, end)

    def _fixed_pieces(self, wall: WallPattern, start: int, end: int) -> Iterator[_Piece]:
        """Yield pieces for fixed times: each local time counts once, skipped ones after the gap.

        ``shown`` is the latest time the wall clock has shown so far: below it a stretch repeats,
        and a stretch that opens above it follows a gap.
        """
        if start >= end:
            return
        shown: int | None = None
        for since, until, offset in stretches(self.zone, start - LOOKBACK, end):
            low, high = since + offset, until + offset
            gap = None
            if shown is not None and low > shown and since >= start:
                skipped = wall.first(shown, low) is not None
                gap = since if skipped and wall.first(low, low + 1) is None else None
            shown = low if shown is None else shown
            low = max(low, shown, start + offset)
            shown = max(shown, high)
            if low < high:
                yield _Piece(low, high, offset, gap)

    def _iter_chunks(self, start: int, end: int) -> Iterator[int]:
        width = self._chunk_seconds()
        while start < end:
            stop = min(start + width, end)
            yield from self.ticks(start, stop)
            start = stop

    def _chunk_seconds(self) -> int:
        """Return for how long ticks are generated at once."""
        wall = wall_pattern(self.cron)
        return wall.step * _CHUNK or max(1, _CHUNK // len(wall.times)) * DAY

    def _iter_intervals(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        ticks = self._iter_chunks(start, end)
        tick = next(ticks, None)
        if tick is None:
            return
        for following in ticks:
            yield tick, following
            tick = following
        yield tick, self.next(tick)

    def _iter_back(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        width = self._chunk_seconds()
        following = None
        while start < end:
            stop = max(end - width, start)
            for tick in reversed(self.ticks(stop, end)):
                yield tick, self.next(tick) if following is None else following
                following = tick
            end = stop

    def _exhausted(self, side: str, instant: int) -> ScheduleError:
        return ScheduleError(
            f"The cron expression {quoted(self.cron)} never fires in {self.timezone} {side} "
            f"{describe(instant)}: clock changes skip all its times; choose other times."
        )


def _latest(carried: int, gap: int | None, final: int | None) -> int:
    """Return the latest tick known after a piece."""
    if final is not None:
        return final
    return carried if gap is None else gap
