"""Whose turn it is when a message is taken: priority, evenness, caps, and messages out of date."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seeknal.feed import top_up
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_fleet import Due
from seeknal.stores.redis_worker import Refusal
from seeknal.workflow.state import Claim, RunStatus, UnitRecord, UnitStatus
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
)
from tests.contract.redis_harness import FakeHarness, ServerHarness

LEASE = 30.0
Harness = FakeHarness | ServerHarness


@pytest.fixture(params=[FakeHarness, ServerHarness])
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    made = request.param(tmp_path)
    yield made
    made.close()


@pytest.fixture
def store(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> RedisStore:
    """A store whose time passes from call to call, as a server's does."""
    opened = harness.open()
    assert isinstance(opened, RedisStore)
    if isinstance(harness, FakeHarness):
        run = opened._run

        def run_later(verb: str, args: Iterable[str | float]) -> Any:
            harness.pass_time(0.001)
            return run(verb, args)

        monkeypatch.setattr(opened, "_run", run_later)
    return opened


def hours(*numbers: int, flow: str = "events") -> list[Unit]:
    return [hour(number, flow) for number in numbers]


def asked(store: RedisStore, message: Due) -> list[Unit]:
    """Ask for the unit of a message; return those that go first, or itself if it is leased."""
    answer = store.claim_in_turn(WORKER, LEASE, message)
    return [answer.unit] if isinstance(answer, Claim) else [due.unit for due in answer.first]


def leased(store: RedisStore, message: Due) -> Claim:
    answer = store.claim_in_turn(WORKER, LEASE, message)
    assert isinstance(answer, Claim)
    return answer


def first_of(store: RedisStore, message: Due) -> tuple[Due, ...]:
    answer = store.claim_in_turn(WORKER, LEASE, message)
    assert isinstance(answer, Refusal)
    return answer.first


def outdated(store: RedisStore, message: Due) -> int:
    """Ask for the unit of a message; return which messages of its run are out of date."""
    answer = store.claim_in_turn(WORKER, LEASE, message)
    assert isinstance(answer, Refusal)
    assert answer.first == ()
    return answer.outdated


def test_the_only_run_goes_on(store: RedisStore) -> None:
    launch(store, *hours(0, 1))
    first, second = store.due()
    assert asked(store, first) == hours(0)
    assert asked(store, first) == []
    assert asked(store, second) == hours(1)


def test_a_higher_priority_goes_first_a_few_at_a_time(store: RedisStore) -> None:
    launch(store, *hours(0, 1))
    low, other = store.due()
    high = launch(store, *hours(*range(2, 13)), priority=1)
    before = first_of(store, low)
    assert [due.unit for due in before] == hours(*range(2, 10))
    # Whoever asks next, while these are on their way, is told of the next ones.
    assert asked(store, other) == hours(10)
    assert [asked(store, due) for due in before] == [[due.unit] for due in before]
    assert asked(store, low) == hours(11, 12)
    assert store.counts(high).running == 8
    # Those that are on their way are not told of again.
    assert asked(store, low) == hours(0)


def test_what_was_told_of_is_not_due(store: RedisStore) -> None:
    launch(store, hour(0))
    (low,) = store.due()
    launch(store, hour(1), hour(2), priority=1)
    assert asked(store, low) == hours(1, 2)
    assert store.due() == []


def test_the_fewer_units_go_first_one_at_a_time(store: RedisStore) -> None:
    old = launch(store, *hours(*range(10)))
    messages = store.due(6)
    claims = [leased(store, message) for message in messages[:3]]
    young = launch(store, *hours(*range(10, 20)))
    # Those on their way count as if they ran.
    assert [asked(store, messages[3]) for _ in range(3)] == [hours(10), hours(11), hours(12)]
    assert asked(store, messages[3]) == hours(3)
    assert (store.counts(old).running, store.counts(young).running) == (4, 0)
    for claim in claims:
        finish(store, claim)
    assert asked(store, messages[4]) == hours(4)


def test_equals_do_not_give_way(store: RedisStore) -> None:
    launch(store, *hours(0, 1))
    launch(store, *hours(2, 3))
    old, later_old, young, later_young = store.due()
    in_turn = [old, young, later_young, later_old]
    assert [asked(store, message) for message in in_turn] == [[due.unit] for due in in_turn]


def test_units_that_were_sent_come_before_those_that_were_not(store: RedisStore) -> None:
    launch(store, *hours(0, 1))
    messages = store.due()
    launch(store, *hours(2, 3, 4, 5), priority=1)
    sent = store.due(2)
    assert asked(store, messages[0]) == hours(2, 3, 4, 5)
    # And the message that each of them had is out of date.
    assert [asked(store, message) for message in sent] == [[], []]


def test_a_run_at_its_cap_does_not_go_first(store: RedisStore) -> None:
    launch(store, *hours(0, 1, 2))
    messages = store.due()
    capped = launch(store, *hours(3, 4, 5, 6), priority=1, max_active=2)
    before = first_of(store, messages[0])
    assert [due.unit for due in before] == hours(3, 4)
    assert asked(store, messages[0]) == hours(0)
    claims = [leased(store, due) for due in before]
    assert asked(store, messages[1]) == hours(1)
    finish(store, claims[0])
    assert asked(store, messages[2]) == hours(5)
    assert store.counts(capped).running == 1


@pytest.mark.parametrize("status", [RunStatus.PAUSED, RunStatus.CANCELLED])
def test_a_run_that_is_not_active_does_not_go_first(store: RedisStore, status: RunStatus) -> None:
    launch(store, hour(0))
    (message,) = store.due()
    store.set_status(launch(store, hour(1), priority=1), status)
    assert asked(store, message) == hours(0)


def test_a_run_whose_units_wait_does_not_go_first(store: RedisStore) -> None:
    high = launch(store, hour(0), priority=1)
    store.fail(take(store, LEASE, high), "boom", 600.0)
    launch(store, hour(1))
    (message,) = store.due()
    assert asked(store, message) == hours(1)


def test_a_unit_in_other_hands_does_not_go_first(store: RedisStore) -> None:
    held = launch(store, hour(0))
    claim = take(store, LEASE, held)
    store.set_status(held, RunStatus.PAUSED)
    high = launch(store, hour(0), hour(1), priority=1)
    launch(store, hour(2))
    low = store.due()[-1]
    assert asked(store, low) == hours(1)
    finish(store, claim)
    assert asked(store, low) == hours(2)
    assert store.counts(high).done == 0


def test_a_unit_that_is_done_does_not_go_first_and_counts_as_done(store: RedisStore) -> None:
    run_units(store, hour(0), hour(1))
    high = launch(store, hour(0), hour(1), priority=1)
    launch(store, hour(2))
    low = store.due()[-1]
    assert asked(store, low) == hours(2)
    assert store.counts(high).done == 2
    found = store.run(high)
    assert found is not None
    assert found.status is RunStatus.DONE


def test_who_holds_an_expired_lease_has_had_its_turn(store: RedisStore, harness: Harness) -> None:
    launch(store, hour(0))
    (message,) = store.due()
    claim = store.claim_in_turn(WORKER, harness.lease, message)
    assert isinstance(claim, Claim)
    launch(store, hour(1), priority=1)
    harness.expire(claim)
    assert asked(store, message) == hours(0)


def test_a_steered_priority_counts_at_once(store: RedisStore) -> None:
    low = launch(store, hour(0), hour(1))
    first, second = store.due()
    high = launch(store, hour(2), hour(3), priority=1)
    assert store.steer(low, {"priority": 2})
    assert asked(store, first) == hours(0)
    assert store.steer(high, {"priority": 3})
    assert asked(store, second) == hours(2, 3)


# -- messages out of date -----------------------------------------------------------------------


def test_only_the_last_message_of_a_unit_counts(store: RedisStore) -> None:
    run = launch(store, hour(0))
    (old,) = store.due()
    store.release(take(store, LEASE, run, hour(0)))
    assert asked(store, old) == []
    (new,) = store.due()
    assert asked(store, old) == []
    assert asked(store, new) == hours(0)


def test_a_message_without_a_mark_counts(store: RedisStore) -> None:
    launch(store, hour(0))
    (message,) = store.due()
    assert asked(store, message._replace(mark="")) == hours(0)


def test_a_message_of_a_unit_that_was_taken_back_is_refused(store: RedisStore) -> None:
    run = register(store, new_run(*hours(*range(6))))
    assert store.feed(run.id, [planned(hour(n)) for n in range(4)], "", "0@1/1#1")
    old = store.due()
    running = leased(store, old[0])
    assert store.steer(run.id, {"newest_first": True})
    # The messages of all are known to be so at the first of them.
    for message in old:
        assert int(message.mark) < outdated(store, old[1])
        assert asked(store, message) == []
    assert (store.window(run.id), store.pending()) == (1, 1)
    finish(store, running)
    assert store.counts(run.id).done == 1


def test_the_new_order_counts_although_old_messages_are_taken_first(store: RedisStore) -> None:
    """The whole run fits into the window: each unit has an old message and a new one."""
    run = register(store, new_run(*hours(*range(6)))).id
    top_up(store, run)
    old = store.due()
    assert store.steer(run, {"newest_first": True})
    top_up(store, run)
    new = store.due()
    assert [message.unit for message in new] == hours(*range(6))[::-1]
    assert int(old[-1].mark) < outdated(store, old[0]) <= int(new[0].mark)
    assert [asked(store, message) for message in old] == [[]] * 6
    assert [asked(store, message) for message in new] == [[message.unit] for message in new]


def test_what_was_tried_before_a_new_order_gets_another_message(store: RedisStore) -> None:
    run = launch(store, hour(0), hour(1))
    store.release(take(store, LEASE, run, hour(0)))
    (untried, tried) = sorted(store.due(), key=lambda message: message.unit, reverse=True)
    assert store.steer(run, {"newest_first": True})
    assert outdated(store, tried) == outdated(store, untried)
    (again,) = store.due()
    assert asked(store, again) == hours(0)


def test_messages_of_a_run_that_ended_are_out_of_date(store: RedisStore) -> None:
    run = launch(store, hour(0), hour(1))
    messages = store.due()
    store.set_status(run, RunStatus.PAUSED)
    assert outdated(store, messages[0]) == 0
    store.set_status(run, RunStatus.CANCELLED)
    assert outdated(store, messages[1]) > int(messages[1].mark)
    assert outdated(store, messages[0]._replace(run="unknown")) == 0


def test_a_cap_that_was_lowered_holds_as_units_end(store: RedisStore) -> None:
    run = launch(store, *hours(*range(6)))
    messages = store.due()
    claims = [leased(store, message) for message in messages[:3]]
    assert store.steer(run, {"max_active": 1})
    assert asked(store, messages[3]) == []
    finish(store, claims[0])
    finish(store, claims[1])
    assert [asked(store, message) for message in messages[4:]] == [[], []]
    assert store.due() == []
    finish(store, claims[2])
    (next_one,) = store.due()
    assert asked(store, next_one) == hours(3)


def test_records_are_told_by_their_state(store: RedisStore) -> None:
    run = launch(store, *hours(*range(8)))
    for number in (3, 5):
        store.fail(take(store, LEASE, run, hour(number)), "boom", None)
    for number in (6, 1, 2):
        take(store, LEASE, run, hour(number))

    def told(status: UnitStatus | None, limit: int) -> list[Unit]:
        found: list[UnitRecord] = store.records(run, status, limit)
        assert all(record.status is status for record in found if status)
        return [record.unit for record in found]

    assert told(UnitStatus.RUNNING, 9) == hours(1, 2, 6)
    assert told(UnitStatus.RUNNING, 2) == hours(1, 2)
    assert told(UnitStatus.QUEUED, 9) == hours(0, 4, 7)
    assert told(UnitStatus.QUEUED, 2) == hours(0, 4)
    assert told(UnitStatus.FAILED, 1) == hours(3)
    assert told(None, 6) == hours(*range(6))
