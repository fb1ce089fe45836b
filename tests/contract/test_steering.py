"""Changing a run on its way: its order, its priority and its cap, and what the feed makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from seeknal.errors import UsageError
from seeknal.feed import is_fed, top_up
from seeknal.stores.base import Change, Store
from seeknal.workflow.cursor import ends_of
from seeknal.workflow.state import Run, RunStatus, UnitStatus
from seeknal.workflow.units import Unit
from tests.contract.building import (
    WORKER,
    finish,
    hour,
    launch,
    new_run,
    planned,
    register,
    run_units,
    take,
    value,
)
from tests.contract.harness import Harness

HOURS = [hour(n) for n in range(6)]
VALUES = [value(name) for name in ("EU", "US", "AU", "JP", "BR", "ZA")]
STEERED = Change("ada", "set", "a run", "the newest first")


def found(store: Store, run: str) -> Run:
    current = store.run(run)
    assert current is not None
    return current


def units_of(store: Store, run: str) -> list[Unit]:
    return [record.unit for record in store.records(run)]


def returned_units(store: Store, run: str) -> set[Unit]:
    return {planned.unit for planned in found(store, run).returned}


def test_options_change_and_others_stay(store: Store) -> None:
    run = launch(store, hour(0), max_attempts=5, priority=3, max_active=2)
    assert store.steer(run, {"priority": 7, "newest_first": True})
    expected = {"max_attempts": 5, "priority": 7, "max_active": 2, "newest_first": True}
    assert found(store, run).options == expected
    assert store.steer(run, {"max_active": None, "newest_first": None})
    assert found(store, run).options == {"max_attempts": 5, "priority": 7}
    assert found(store, run).status is RunStatus.ACTIVE


def test_a_new_priority_counts_from_the_next_claim_on(store: Store, harness: Harness) -> None:
    old = launch(store, hour(0), hour(1), hour(2))
    young = launch(store, hour(3), hour(4), priority=1)
    assert take(store, harness.lease).run == young
    store.steer(old, {"priority": 2})
    assert take(store, harness.lease).run == old
    store.steer(old, {"priority": None})
    assert take(store, harness.lease).run == young
    assert take(store, harness.lease).run == old


def test_a_new_cap_counts_from_the_next_claim_on(store: Store, harness: Harness) -> None:
    run = launch(store, *HOURS)
    claims = [take(store, harness.lease) for _ in range(3)]
    store.steer(run, {"max_active": 2})
    assert store.claim(WORKER, harness.lease) is None
    assert all(store.renew(claim, harness.lease) for claim in claims)
    finish(store, claims[0])
    assert store.claim(WORKER, harness.lease) is None
    assert store.claim(WORKER, harness.lease, run, hour(4)) is None
    finish(store, claims[1])
    assert take(store, harness.lease).unit == hour(3)
    store.steer(run, {"max_active": None})
    assert take(store, harness.lease).unit == hour(4)


@pytest.mark.parametrize("units", [HOURS, VALUES])
def test_a_new_order_takes_back_what_nobody_claimed(
    store: Store, harness: Harness, units: list[Unit]
) -> None:
    run = launch(store, *units)
    running, backing_off, retried, released = (take(store, harness.lease) for _ in range(4))
    store.fail(backing_off, "boom", 600.0)
    store.fail(retried, "boom", 0.0)
    store.release(released)
    before = found(store, run).cursor
    assert store.steer(run, {"newest_first": True})
    assert units_of(store, run) == units[:4]
    assert set(found(store, run).returned) == {planned(unit) for unit in units[4:]}
    assert (store.window(run), store.counts(run).queued) == (4, 5)
    after = found(store, run).cursor
    assert after != before
    assert ends_of(after) == ends_of(before)
    assert store.claim(WORKER, harness.lease, run, units[4]) is None
    again = take(store, harness.lease, run, units[2])
    assert again.attempts == 1
    finish(store, running)
    assert found(store, run).status is RunStatus.ACTIVE


def test_who_held_a_reaped_unit_can_still_complete_it_after_a_new_order(
    store: Store, harness: Harness
) -> None:
    run = launch(store, hour(0), hour(1))
    claim = take(store, harness.lease)
    harness.expire(claim)
    store.reap()
    assert store.steer(run, {"newest_first": True})
    assert returned_units(store, run) == {hour(1)}
    finish(store, claim)
    assert store.counts(run).done == 1


def test_failed_units_stay_when_the_order_changes(store: Store, harness: Harness) -> None:
    run = launch(store, hour(0), hour(1))
    store.fail(take(store, harness.lease), "boom", None)
    store.steer(run, {"newest_first": True})
    (record,) = store.records(run)
    assert (record.unit, record.status) == (hour(0), UnitStatus.FAILED)


@pytest.mark.parametrize("options", [{"priority": 4}, {"max_active": 1}, {"newest_first": False}])
def test_what_is_fed_stays_while_the_order_does(store: Store, options: dict[str, Any]) -> None:
    run = launch(store, *HOURS)
    before = found(store, run).cursor
    assert store.steer(run, options)
    assert units_of(store, run) == HOURS
    assert (found(store, run).cursor, found(store, run).returned) == (before, ())


def test_a_feeder_that_read_before_the_new_order_is_refused(store: Store) -> None:
    run = register(store, new_run(*HOURS)).id
    assert store.feed(run, [planned(hour(0))], "", "0/6#1")
    old = found(store, run).cursor
    seen = {"", old}
    for newest_first in (True, None, True):
        store.steer(run, {"newest_first": newest_first})
        assert found(store, run).cursor not in seen
        seen.add(found(store, run).cursor)
        assert not store.feed(run, [planned(hour(1))], old, "1/6#2")
    assert units_of(store, run) == []


def test_what_is_fed_again_is_no_longer_returned(store: Store, harness: Harness) -> None:
    run = launch(store, *HOURS)
    store.steer(run, {"newest_first": True})
    assert returned_units(store, run) == set(HOURS)
    cursor = found(store, run).cursor
    assert store.feed(run, [planned(hour(5)), planned(hour(4))], cursor, f"{cursor}1")
    assert returned_units(store, run) == set(HOURS[:4])
    assert units_of(store, run) == [hour(5), hour(4)]
    assert store.window(run) == 2
    assert not store.feed(run, [planned(hour(3))], cursor, f"{cursor}2")
    assert returned_units(store, run) == set(HOURS[:4])
    assert take(store, harness.lease).unit == hour(5)


@pytest.mark.parametrize("units", [HOURS, VALUES])
def test_the_feed_goes_on_in_the_new_order(
    store: Store, harness: Harness, units: list[Unit]
) -> None:
    run = register(store, new_run(*units)).id
    order = []
    newest_first = False
    for number in range(len(units)):
        top_up(store, run, 2)
        claim = take(store, harness.lease)
        order.append(claim.unit)
        finish(store, claim)
        if number in (1, 2, 4):
            newest_first = not newest_first
            store.steer(run, {"newest_first": newest_first or None})
    assert order == [units[n] for n in (0, 1, 5, 2, 3, 4)]
    assert found(store, run).status is RunStatus.DONE
    assert is_fed(found(store, run))


def test_a_paused_run_is_steered_and_fed_once_it_goes_on(store: Store, harness: Harness) -> None:
    run = launch(store, *HOURS)
    store.set_status(run, RunStatus.PAUSED)
    assert store.steer(run, {"newest_first": True})
    assert units_of(store, run) == []
    assert top_up(store, run, 4) == 0
    store.set_status(run, RunStatus.ACTIVE)
    assert top_up(store, run, 4) == 4
    assert take(store, harness.lease).unit == hour(5)


@pytest.mark.parametrize("end", [RunStatus.CANCELLED, RunStatus.INTERRUPTED])
def test_an_ended_run_is_not_steered(store: Store, end: RunStatus) -> None:
    run = launch(store, hour(0))
    store.set_status(run, end)
    before = found(store, run)
    assert not store.steer(run, {"priority": 1, "newest_first": True}, STEERED)
    assert found(store, run) == before
    assert not store.steer(run_units(store, hour(1)), {"max_active": 1}, STEERED)
    assert not store.steer("nobody", {"max_active": 1}, STEERED)
    assert store.audit() == []


@pytest.mark.parametrize("option", ["max_attempts", "backoff", "lease", ""])
def test_other_options_are_not_changed_on_the_way(store: Store, option: str) -> None:
    run = launch(store, hour(0), max_attempts=5)
    with pytest.raises(UsageError):
        store.steer(run, {"priority": 1, option: 1}, STEERED)
    assert found(store, run).options == {"max_attempts": 5}
    assert store.audit() == []


def test_steering_is_audited_if_it_has_a_change(store: Store) -> None:
    run = launch(store, hour(0))
    store.steer(run, {"priority": 1})
    assert store.audit() == []
    store.steer(run, {"priority": 2}, STEERED)
    (entry,) = store.audit(hour(0).flow)
    assert (entry.actor, entry.action, entry.reason) == ("ada", "set", "the newest first")


def test_a_status_is_audited_if_it_has_a_change_and_changed_anything(store: Store) -> None:
    run = launch(store, hour(0))
    change = Change("ada", "cancel", run, "wrong input")
    store.set_status(run, RunStatus.PAUSED)
    assert not store.set_status(run, RunStatus.PAUSED, change)
    assert not store.set_status("nobody", RunStatus.PAUSED, change)
    assert store.audit() == []
    assert store.set_status(run, RunStatus.CANCELLED, change)
    (entry,) = store.audit(hour(0).flow)
    assert (entry.actor, entry.action, entry.what) == ("ada", "cancel", run)
    assert entry.reason == "wrong input"
    assert not store.set_status(run, RunStatus.CANCELLED, change)
    assert len(store.audit()) == 1
