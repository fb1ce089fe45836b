"""Sets of instants as merged ranges.

Instants are integer UTC epoch seconds, ranges half-open ``[start, end)``.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from operator import itemgetter

from seeknal.errors import TimeError
from seeknal.workflow.zones import describe

Range = tuple[int, int]

_START = itemgetter(0)
_END = itemgetter(1)
_SHAPE = "A set of instants is made of pairs (start, end); give both in whole UTC epoch seconds."


class IntervalSet:
    """An immutable set of instants, held as the fewest half-open ranges in ascending order.

    Made from any iterable of ``(start, end)`` pairs in any order: overlapping and adjacent ones are
    merged, empty ones dropped, and one that ends before it starts or is no pair of whole seconds is
    a TimeError. Equal sets of instants are equal, and hash alike. The operators take time linear in
    the ranges of both sides.
    """

    __slots__ = ("_ranges",)

    _ranges: tuple[Range, ...]

    def __init__(self, pairs: Iterable[Range] = ()) -> None:
        given = list(pairs)
        try:
            given.sort()
            merged = tuple(merge_ranges(given))
        except (TypeError, ValueError) as error:
            raise TimeError(_SHAPE) from error
        if not all(isinstance(start, int) and isinstance(end, int) for start, end in merged):
            raise TimeError(_SHAPE)
        self._ranges = merged

    @classmethod
    def of_ordered(cls, pairs: Iterable[Range]) -> "IntervalSet":
        """Return the set of pairs whose starts ascend already; they may overlap or touch."""
        return cls._of(merge_ranges(pairs))

    @classmethod
    def _of(cls, ranges: Iterable[Range]) -> "IntervalSet":
        """Return the set of ranges that are known to be merged and ascending."""
        made = cls.__new__(cls)
        made._ranges = tuple(ranges)
        return made

    @property
    def ranges(self) -> tuple[Range, ...]:
        """The ranges, ascending; no two of them touch."""
        return self._ranges

    @property
    def span(self) -> Range | None:
        """From the first instant to the end of the last; None for the empty set."""
        return (self._ranges[0][0], self._ranges[-1][1]) if self._ranges else None

    def covers(self, start: int, end: int) -> bool:
        """Return whether all of ``[start, end)`` is in the set (an empty range always is)."""
        if start >= end:
            return True
        index = bisect_right(self._ranges, start, key=_START) - 1
        return index >= 0 and self._ranges[index][1] >= end

    def overlaps(self, start: int, end: int) -> bool:
        """Return whether any instant of ``[start, end)`` is in the set."""
        index = bisect_right(self._ranges, start, key=_END)
        return start < end and index < len(self._ranges) and self._ranges[index][0] < end

    def overlapping(self, start: int, end: int) -> tuple[Range, ...]:
        """Return the whole ranges that share an instant with ``[start, end)``, ascending."""
        if start >= end:
            return ()
        first = bisect_right(self._ranges, start, key=_END)
        return self._ranges[first : bisect_left(self._ranges, end, key=_START)]

    def __contains__(self, instant: object) -> bool:
        return isinstance(instant, int) and self.overlaps(instant, instant + 1)

    def __or__(self, other: "IntervalSet") -> "IntervalSet":
        if not isinstance(other, IntervalSet):
            return NotImplemented
        if not self._ranges or not other._ranges:
            return self if self._ranges else other
        return IntervalSet._of(merge_ranges(sorted(self._ranges + other._ranges)))

    def __and__(self, other: "IntervalSet") -> "IntervalSet":
        if not isinstance(other, IntervalSet):
            return NotImplemented
        few, many = sorted((self, other), key=len)
        return IntervalSet._of(_common(few._ranges, many))

    def __sub__(self, other: "IntervalSet") -> "IntervalSet":
        if not isinstance(other, IntervalSet):
            return NotImplemented
        return IntervalSet._of(_without(self._ranges, other)) if other._ranges else self

    def __iter__(self) -> Iterator[Range]:
        return iter(self._ranges)

    def __len__(self) -> int:
        return len(self._ranges)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IntervalSet) and self._ranges == other._ranges

    def __hash__(self) -> int:
        return hash(self._ranges)

    def __repr__(self) -> str:
        return f"IntervalSet({list(self._ranges)!r})"


def merge_ranges(ordered: Iterable[Range]) -> Iterator[Range]:
    """Yield ascending pairs merged, without empty ones; TimeError for one that is reversed."""
    start = end = 0
    for low, high in ordered:
        if low < high:
            if start < end and low <= end:
                end = max(end, high)
                continue
            if start < end:
                yield start, end
            start, end = low, high
        elif low > high:
            raise TimeError(
                f"The range from {describe(low)} to {describe(high)} ends before it starts; "
                "swap its ends."
            )
    if start < end:
        yield start, end


def _common(few: tuple[Range, ...], many: IntervalSet) -> Iterator[Range]:
    """Yield the parts of ``few`` that are in ``many``."""
    if not few:
        return
    ranges = many.overlapping(few[0][0], few[-1][1])
    index, total = 0, len(ranges)
    for start, end in few:
        while index < total and ranges[index][1] <= start:
            index += 1
        while index < total and ranges[index][0] < end:
            low, high = ranges[index]
            yield max(low, start), min(high, end)
            if high >= end:
                break
            index += 1


def _without(ranges: tuple[Range, ...], other: IntervalSet) -> Iterator[Range]:
    """Yield the parts of ``ranges`` that are not in ``other``."""
    if not ranges:
        return
    holes = other.overlapping(ranges[0][0], ranges[-1][1])
    index, total = 0, len(holes)
    for low, end in ranges:
        start = low
        while index < total and holes[index][1] <= start:
            index += 1
        while index < total and holes[index][0] < end:
            if start < holes[index][0]:
                yield start, holes[index][0]
            start = holes[index][1]
            if start >= end:
                break
            index += 1
        if start < end:
            yield start, end


#: The set that holds nothing.
EMPTY = IntervalSet()
