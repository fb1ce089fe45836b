"""Which failures are alike: those whose errors differ in numbers and quoted names only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from seeknal.workflow.state import UnitRecord

_VARYING: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\d+")
_ID_LENGTH: Final = 6


def kind_of(error: str) -> str:
    """Return an error without its numbers and quoted names: the same text for those alike."""
    return _VARYING.sub("?", error)


def failure_id(error: str) -> str:
    """Return a short name of an error's kind: the same in every run and on every machine."""
    return sha256(kind_of(error).encode()).hexdigest()[:_ID_LENGTH]


@dataclass(frozen=True, slots=True)
class Group:
    """Failed units whose errors are alike: how many there are, and the first of them."""

    id: str
    count: int
    example: UnitRecord


def groups(failed: Iterable[UnitRecord]) -> list[Group]:
    """Return failed units by the kind of their error, the most frequent kind first."""
    counts: Counter[str] = Counter()
    examples: dict[str, UnitRecord] = {}
    for record in failed:
        name = failure_id(record.error)
        counts[name] += 1
        examples.setdefault(name, record)
    return [Group(name, count, examples[name]) for name, count in counts.most_common()]
