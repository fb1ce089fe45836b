"""What a run plans as text: how every store keeps it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache

from seeknal.workflow.units import Planned, PlannedRange, PlannedValue


def planned_text(planned: Iterable[Planned]) -> str:
    """Write planned ranges and values as JSON."""
    parts = [
        [part.value, part.origin]
        if isinstance(part, PlannedValue)
        else [part.start, part.end, part.schedule, part.origin]
        for part in planned
    ]
    return json.dumps(parts, separators=(",", ":"))


@lru_cache(maxsize=8)  # a run is read for each window of units that it is fed
def planned_of(text: str) -> tuple[Planned, ...]:
    """Read what :func:`planned_text` wrote.

    Raises:
        ValueError: it is no JSON.
        TypeError: it holds something else.
    """
    parts = json.loads(text)
    return tuple(PlannedValue(*part) if len(part) == 2 else PlannedRange(*part) for part in parts)
