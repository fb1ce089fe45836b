"""Several runs and few workers: who is served next."""

from __future__ import annotations

from collections import Counter

from seeknal.stores.base import Store
from seeknal.workflow.state import Claim
from tests.contract.building import WORKER, finish, hour, launch, take
from tests.contract.harness import Harness


def served(store: Store, harness: Harness, times: int) -> list[Claim]:
    return [take(store, harness.lease) for _ in range(times)]


def test_runs_of_one_priority_share_workers_evenly(store: Store, harness: Harness) -> None:
    old = launch(store, *[hour(n) for n in range(0, 10)])
    first = served(store, harness, 3)
    young = launch(store, *[hour(n) for n in range(10, 20)])
    later = launch(store, *[hour(n) for n in range(20, 30)])
    # The young ones catch up, the older of them first, and then all take turns.
    runs = [claim.run for claim in served(store, harness, 9)]
    assert runs == [young, later] * 3 + [old, young, later]
    # Who lets go of units is next.
    for claim in first[:2]:
        finish(store, claim)
    assert [claim.run for claim in served(store, harness, 3)] == [old, old, old]


def test_the_fewest_are_counted_now_not_ever(store: Store, harness: Harness) -> None:
    old = launch(store, *[hour(n) for n in range(0, 5)])
    young = launch(store, *[hour(n) for n in range(5, 10)])
    for _ in range(3):
        claim = take(store, harness.lease)
        assert claim.run == old
        finish(store, claim)
    taken = take(store, harness.lease)
    assert taken.run == old
    assert take(store, harness.lease).run == young
    store.fail(taken, "boom", 600.0)
    assert take(store, harness.lease).run == old


def test_priority_goes_before_evenness(store: Store, harness: Harness) -> None:
    high = launch(store, *[hour(n) for n in range(0, 4)], priority=1)
    low = launch(store, *[hour(n) for n in range(4, 8)])
    assert [claim.run for claim in served(store, harness, 6)] == [high] * 4 + [low] * 2


def test_runs_of_several_flows_share_too(store: Store, harness: Harness) -> None:
    launch(store, *[hour(n) for n in range(4)])
    launch(store, *[hour(n, "other") for n in range(4)])
    claims = served(store, harness, 4)
    assert Counter(claim.unit.flow for claim in claims) == {"events": 2, "other": 2}
    assert [c.unit.start for c in claims[::2]] == [hour(0).start, hour(1).start]


def test_a_run_with_nothing_ready_does_not_keep_others_waiting(
    store: Store, harness: Harness
) -> None:
    empty = launch(store, hour(0))
    store.fail(take(store, harness.lease), "boom", 600.0)
    capped = launch(store, hour(1), hour(2), max_active=1)
    assert take(store, harness.lease).run == capped
    full = launch(store, hour(3), hour(4), hour(5))
    assert [claim.run for claim in served(store, harness, 3)] == [full] * 3
    assert store.claim(WORKER, harness.lease) is None
    assert store.counts(empty).running == 0


def test_a_lease_that_expired_counts_until_it_is_reaped(store: Store, harness: Harness) -> None:
    old = launch(store, hour(0), hour(1), hour(2))
    young = launch(store, hour(3), hour(4), hour(5))
    claim = take(store, harness.lease)
    harness.expire(claim)
    assert take(store, harness.lease).run == young
    store.reap()
    again = take(store, harness.lease)
    assert (again.run, again.unit) == (old, hour(0))
