"""How long a run will take, from a sample of its units that has been run.

Everything here is a pure function of its arguments. A sample is spread evenly over the run, in
an order in which every beginning of it is spread evenly as well, so that it can be cut short.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, quantiles, stdev

from seeknal.plan import count_planned
from seeknal.workflow.intervals import nth
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import Event
from seeknal.workflow.units import Planned, PlannedUnit, PlannedValue, Unit

# Of a normal distribution, nine tenths lie within so many deviations of its mean.
_NINE_TENTHS = 1.645


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure, and the bounds between which it probably lies."""

    mean: float
    low: float
    high: float

    def times(self, factor: float) -> Spread:
        """Return the same of ``factor`` times as much."""
        return Spread(self.mean * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Estimate:
    """What ``left`` more units will come to, judged by ``sampled`` that have been run.

    ``seconds`` is what one takes one worker, with the bounds of its mean (nine in ten); ``usual``
    are the bounds between which eight in ten units lie, ``longest`` the longest seen. ``rows`` and
    ``bytes`` are those of one unit's output.
    """

    sampled: int
    left: int
    seconds: Spread
    usual: tuple[float, float]
    longest: float
    rows: Spread
    bytes: Spread

    def wall(self, workers: int) -> Spread:
        """Return the seconds that what is left takes so many workers, each with a processor."""
        whole = self.seconds.times(self.left / max(1, min(workers, self.left or 1)))
        floor = self.longest if self.left else 0.0
        return Spread(max(whole.mean, floor), max(whole.low, floor), max(whole.high, floor))


def sample(flow: str, planned: Sequence[Planned], size: int) -> list[PlannedUnit]:
    """Return ``size`` units of a plan (or all, if there are fewer), spread evenly over it."""
    total = count_planned(planned)
    size = min(size, total)
    ranks = [(2 * place + 1) * total // (2 * size) for place in _spread(size)]
    found = dict(zip(sorted(ranks), _at(flow, planned, sorted(ranks)), strict=True))
    return [found[rank] for rank in ranks]


def estimate(events: Iterable[Event], units: int, *, together: bool) -> Estimate | None:
    """Judge a run of ``units`` by the events of its sample; None if nothing was completed.

    ``together`` says that its worker completed many at once.
    """
    done = sorted((e for e in events if e.kind == "completed"), key=lambda event: event.at)
    if not done:
        return None
    left = units - len(done)
    seconds = _seconds(done, together=together)
    tenths = quantiles(seconds, n=10) if len(seconds) > 1 else seconds
    return Estimate(
        sampled=len(done),
        left=left,
        seconds=_mean(seconds, left),
        usual=(max(tenths[0], min(seconds)), min(tenths[-1], max(seconds))),
        longest=max(seconds),
        rows=_mean([float(event.rows) for event in done], left),
        bytes=_mean([float(event.bytes) for event in done], left),
    )


def _seconds(done: Sequence[Event], *, together: bool) -> list[float]:
    """Return what units took: from each completion of a worker to its next in the same run.

    So the store's part counts, and a worker's first unit, which opens the input, does not.
    Completions that come together tell nothing: of those, and if no worker completed two, it is
    what the attempts themselves took.
    """
    workers: dict[tuple[str, str], list[Event]] = {}
    for event in done:
        workers.setdefault((event.run, event.worker), []).append(event)
    pairs = [pair for events in workers.values() for pair in pairwise(events)]
    found = [later.seconds if together else later.at - one.at for one, later in pairs]
    return found or [event.seconds for event in done]


def _mean(values: Sequence[float], left: int) -> Spread:
    mean = fmean(values)
    if len(values) < 2 or not left:
        return Spread(mean, mean, mean)
    error = _NINE_TENTHS * stdev(values) / math.sqrt(len(values))
    return Spread(mean, max(0.0, mean - error), mean + error)


def _spread(size: int) -> list[int]:
    """Return 0 to ``size - 1``, each far from those just before: by their bits in reverse."""
    bits = max(1, (size - 1).bit_length())
    reverse = (int(f"{n:0{bits}b}"[::-1], 2) for n in range(1 << bits))
    return [place for place in reverse if place < size]


def _at(flow: str, planned: Iterable[Planned], ranks: Sequence[int]) -> Iterator[PlannedUnit]:
    """Yield the units at ascending ranks of a plan, without listing those between."""
    wanted = iter(ranks)
    rank = next(wanted, None)
    before = 0
    for one in planned:
        inside = count_planned([one])
        while rank is not None and rank < before + inside:
            if isinstance(one, PlannedValue):
                yield PlannedUnit(Unit(flow, value=one.value), one.origin)
            else:
                start, end = nth(Schedule.parse(one.schedule), one.start, one.end, rank - before)
                yield PlannedUnit(Unit(flow, start, end), one.origin, one.schedule)
            rank = next(wanted, None)
        before += inside
