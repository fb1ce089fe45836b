"""Which failures are alike."""

from __future__ import annotations

import pytest

from seeknal.alike import failure_id, groups, kind_of
from seeknal.workflow.state import UnitRecord, UnitStatus
from seeknal.workflow.units import PlannedUnit, Unit


def failed(number: int, error: str) -> UnitRecord:
    planned = PlannedUnit(Unit("f", number, number + 1), "run")
    return UnitRecord("r", planned, UnitStatus.FAILED, 3, error=error)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sensor 7 is broken", "sensor 1234 is broken"),
        ("Could not convert string 'n/a' to DOUBLE", "Could not convert string '-' to DOUBLE"),
        ('Table "a" does not exist (line 1)', 'Table "b" does not exist (line 22)'),
        ("took 3.5 s", "took 12.25 s"),
    ],
)
def test_numbers_and_quoted_names_do_not_distinguish(one: str, other: str) -> None:
    assert kind_of(one) == kind_of(other)
    assert failure_id(one) == failure_id(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("out of memory", "out of disk"),
        ("sensor 7 is broken", "sensor 7 is missing"),
        ("line 1, near a", "line 1, near b"),
    ],
)
def test_words_do(one: str, other: str) -> None:
    assert kind_of(one) != kind_of(other)
    assert failure_id(one) != failure_id(other)


def test_an_id_is_short_and_the_same_for_ever() -> None:
    # Pasted from a report of last week: it must still be the same.
    assert failure_id("The query failed: sensor 7 is broken.") == "b9d542"


def test_the_most_frequent_kind_comes_first_with_its_first_unit() -> None:
    found = groups(
        [failed(1, "disk 1 full"), failed(2, "row 9 bad"), failed(3, "row 4 bad"), failed(4, "x")]
    )
    assert [(group.count, group.example.unit.start) for group in found] == [(2, 2), (1, 1), (1, 4)]
    assert [group.id for group in found] == [
        failure_id("row 0 bad"), failure_id("disk 0 full"), failure_id("x"),
    ]  # fmt: skip


def test_without_failures_there_are_no_kinds() -> None:
    assert groups([]) == []
