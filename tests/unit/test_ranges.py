from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeknal.stores.ranges import Stretch, clip, covers, erase, fill, gaps, paint

A, B = ("a",), ("b",)

marks = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.sampled_from([A, B])), max_size=8
)
edges = st.tuples(st.integers(0, 12), st.integers(0, 12))


def painted(strokes: list[tuple[int, int, tuple[str, ...]]]) -> list[Stretch]:
    made: list[Stretch] = []
    for start, end, label in strokes:
        made = paint(made, start, end, label)
    return made


def seconds(stretches: list[Stretch]) -> dict[int, tuple[str, ...]]:
    return {s: label for start, end, label in stretches for s in range(start, end)}


def is_canonical(stretches: list[Stretch]) -> bool:
    pairs = pairwise(stretches)
    return all(s.start < s.end for s in stretches) and all(
        a.end < b.start or (a.end == b.start and a.label != b.label) for a, b in pairs
    )


@given(marks, edges)
def test_every_change_is_that_of_each_second(
    strokes: list[tuple[int, int, tuple[str, ...]]], span: tuple[int, int]
) -> None:
    before = painted(strokes)
    known = seconds(before)
    within = set(range(*span))
    assert is_canonical(before)
    for change, expected in [
        (paint(before, *span, A), {**known, **dict.fromkeys(within, A)}),
        (fill(before, *span, A), {**dict.fromkeys(within, A), **known}),
        (erase(before, *span), {s: v for s, v in known.items() if s not in within}),
    ]:
        assert is_canonical(change)
        assert seconds(change) == expected
    assert seconds(clip(before, *span)) == {s: v for s, v in known.items() if s in within}
    assert {s for gap in gaps(before, *span) for s in range(*gap)} == within - set(known)
    assert covers(before, *span) == (within <= set(known))


@pytest.mark.parametrize(("label", "count"), [(A, 1), (B, 3)])
def test_a_hole_is_filled_and_joined_only_with_its_like(label: tuple[str, ...], count: int) -> None:
    assert len(fill([Stretch(0, 1, A), Stretch(2, 3, A)], 0, 3, label)) == count
