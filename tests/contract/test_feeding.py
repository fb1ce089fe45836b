"""A run from its first feed to its last unit, on a store: whatever happens, each unit ends once."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seeknal.feed import is_fed, next_units, top_up
from seeknal.stores.base import Store
from seeknal.workflow.state import Claim, Run, RunStatus
from seeknal.workflow.units import PlannedRange, Unit
from tests.contract.building import (
    HOURLY,
    WORKER,
    finish,
    hour,
    launch,
    new_run,
    planned,
    register,
    take,
    value,
)

UNITS = 8
STEPS = ["feed", "complete", "complete", "fail", "retry", "release", "steer"]

_flows = itertools.count()


def run_of(units: list[Unit]) -> Run:
    """A run of these units; hours are planned as two stretches."""
    run = new_run(*units)
    if units[0].value is not None:
        return run
    edges = [(units[0].start, units[4].end), (units[5].start, units[-1].end)]
    return replace(run, planned=tuple(PlannedRange(*e, HOURLY, "run") for e in edges))


def end(store: Store, claim: Claim, step: str) -> bool:
    """End an attempt in some way; say whether that was the unit's last."""
    if step == "complete":
        finish(store, claim)
    elif step == "release":
        store.release(claim)
    else:
        store.fail(claim, "boom", 0.0 if step == "retry" else None)
    return step in ("complete", "fail")


@pytest.mark.timeout(120)
@settings(
    max_examples=40,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    by_value=st.booleans(),
    window=st.integers(1, 5),
    steps=st.lists(st.sampled_from(STEPS), max_size=25),
)
def test_whatever_happens_each_unit_ends_once_and_begins_in_the_order_of_the_moment(
    store: Store, by_value: bool, window: int, steps: list[str]
) -> None:
    flow = f"fed-{next(_flows)}"
    units = [value(f"{n * 5 % 8}", flow) if by_value else hour(n, flow) for n in range(UNITS)]
    run = register(store, run_of(units)).id
    ended, tried = set[Unit](), set[Unit]()
    newest_first = False
    for step in [*steps, *["feed", "complete"] * UNITS]:
        if step == "feed":
            top_up(store, run, window)
        elif step == "steer":
            newest_first = not newest_first
            assert store.steer(run, {"newest_first": newest_first}) == (len(ended) < UNITS)
        elif claim := store.claim(WORKER, 60.0, run):
            assert claim.unit not in ended
            untried = [unit for unit in units if unit not in tried]
            assert claim.unit in tried or claim.unit == untried[-1 if newest_first else 0]
            tried.add(claim.unit)
            if end(store, claim, step):
                ended.add(claim.unit)
    assert ended == set(units)
    counts = store.counts(run)
    assert (counts.done + counts.failed, counts.running, store.window(run)) == (UNITS, 0, 0)
    found = store.run(run)
    assert found is not None
    assert found.status is (RunStatus.FAILED if counts.failed else RunStatus.DONE)
    assert is_fed(found)


def test_of_two_who_feed_what_was_returned_one_is_refused(store: Store) -> None:
    """Else the slower one would feed again what has completed meanwhile."""
    run = launch(store, *[hour(n) for n in range(4)])
    store.steer(run, {"newest_first": True})
    found = store.run(run)
    assert found is not None
    units, cursor = next_units(found, 2)
    assert units == [planned(hour(3)), planned(hour(2))]
    assert store.feed(run, units, found.cursor, cursor)
    finish(store, take(store, 60.0))
    assert not store.feed(run, units, found.cursor, cursor)
    assert [record.unit for record in store.records(run)] == [hour(2)]
