"""What is to be published, what scales the workers, who is alive and who holds office."""

from __future__ import annotations

import threading

import pytest

from seeknal.stores.redis import RedisStore
from seeknal.workflow.state import Claim, RunStatus, UnitResult
from seeknal.workflow.units import Unit
from tests.contract.building import (
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
from tests.waiting import wait_until

HOURS = [hour(number) for number in range(6)]


def due(store: RedisStore, limit: int = 100, lost_after: float | None = None) -> list[Unit]:
    return [message.unit for message in store.due(limit, lost_after)]


def test_each_fed_unit_is_due_once_in_order(redis_store: RedisStore) -> None:
    run = launch(redis_store, *HOURS, value("a/b"))
    messages = redis_store.due(4)
    assert [(m.run, m.unit) for m in messages] == [(run, unit) for unit in HOURS[:4]]
    assert due(redis_store) == [*HOURS[4:], value("a/b")]
    assert due(redis_store) == []


def test_due_follows_priority_and_age(redis_store: RedisStore) -> None:
    launch(redis_store, hour(0))
    launch(redis_store, hour(1))
    launch(redis_store, hour(2), priority=3)
    assert due(redis_store) == [hour(2), hour(0), hour(1)]


def test_a_unit_claimed_without_a_message_needs_none(redis_store: RedisStore) -> None:
    run = launch(redis_store, hour(0), hour(1))
    take(redis_store, 30, run, hour(0))
    assert due(redis_store) == [hour(1)]


def test_units_with_a_message_are_claimed_last(redis_store: RedisStore) -> None:
    launch(redis_store, *HOURS[:3])
    redis_store.due(2)
    assert [take(redis_store, 30).unit for _ in range(3)] == [hour(2), hour(0), hour(1)]


@pytest.mark.parametrize("end", ["retry", "release", "reap"])
def test_what_is_queued_again_is_due_again(redis_store: RedisStore, end: str) -> None:
    run = launch(redis_store, hour(0))
    redis_store.due()
    claim = take(redis_store, 0.05 if end == "reap" else 30, run, hour(0))
    if end == "retry":
        redis_store.fail(claim, "boom", 0.0)
    elif end == "release":
        redis_store.release(claim)
    else:
        wait_until("it is reaped", redis_store.reap)
    assert due(redis_store) == [hour(0)]


def test_a_unit_in_backoff_is_due_when_it_is_over(redis_store: RedisStore) -> None:
    run = launch(redis_store, hour(0))
    redis_store.due()
    claim = take(redis_store, 30, run, hour(0))
    redis_store.fail(claim, "boom", 0.2)
    assert due(redis_store) == []
    assert wait_until("it is due", lambda: due(redis_store)) == [hour(0)]


def test_no_more_is_due_than_a_cap_leaves_room_for(redis_store: RedisStore) -> None:
    run = launch(redis_store, *HOURS, max_active=2)
    assert due(redis_store) == HOURS[:2]
    assert due(redis_store) == []
    claim = take(redis_store, 30, run, hour(0))
    assert due(redis_store) == []
    finish(redis_store, claim)
    assert due(redis_store) == [hour(2)]


def test_a_message_refused_at_the_cap_is_sent_again(redis_store: RedisStore) -> None:
    run = launch(redis_store, *HOURS[:2], max_active=1)
    assert due(redis_store) == [hour(0)]
    claim = take(redis_store, 30, run, hour(1))
    assert redis_store.claim("w", 30, run, hour(0)) is None
    assert due(redis_store) == []
    finish(redis_store, claim)
    assert due(redis_store) == [hour(0)]


def test_messages_used_up_during_a_pause_are_sent_again(redis_store: RedisStore) -> None:
    run = launch(redis_store, hour(0), hour(1))
    redis_store.due()
    redis_store.set_status(run, RunStatus.PAUSED)
    assert redis_store.claim("w", 30, run, hour(0)) is None
    assert due(redis_store) == []
    redis_store.set_status(run, RunStatus.ACTIVE)
    assert due(redis_store) == [hour(0)]


def test_a_unit_in_another_runs_hands_is_asked_for_later(redis_store: RedisStore) -> None:
    first = launch(redis_store, hour(0))
    claim = take(redis_store, 30, first)
    second = launch(redis_store, hour(0))
    assert due(redis_store) == [hour(0)]
    assert redis_store.claim("w", 30, second, hour(0)) is None
    assert due(redis_store) == []
    finish(redis_store, claim)
    assert wait_until("it is due", lambda: due(redis_store)) == [hour(0)]
    assert redis_store.claim("w", 30, second, hour(0)) is None
    assert redis_store.counts(second).done == 1


def test_lost_messages_are_sent_again(redis_store: RedisStore) -> None:
    launch(redis_store, *HOURS[:4])
    redis_store.due(3)
    assert due(redis_store, lost_after=30) == [hour(3)]
    lost = wait_until("they count as lost", lambda: due(redis_store, 3, lost_after=0.1))
    assert lost == HOURS[:3]


def test_lost_messages_stay_below_the_cap(redis_store: RedisStore) -> None:
    launch(redis_store, *HOURS, max_active=2)
    redis_store.due()
    lost = wait_until("they count as lost", lambda: due(redis_store, 10, lost_after=0.05))
    assert lost == HOURS[:2]


def test_units_of_cancelled_runs_are_not_due(redis_store: RedisStore) -> None:
    run = launch(redis_store, *HOURS)
    redis_store.due(3)
    redis_store.set_status(run, RunStatus.CANCELLED)
    assert due(redis_store, lost_after=0.0) == []
    assert redis_store.pending() == 0


def test_many_who_publish_publish_no_unit_twice(redis_store: RedisStore) -> None:
    run = register(redis_store, new_run(*[hour(n) for n in range(3000)]))
    redis_store.feed(run.id, [planned(hour(n)) for n in range(3000)], "", "end")
    found: list[Unit] = []

    def publish() -> None:
        while units := due(redis_store, 70):
            found.extend(units)

    threads = [threading.Thread(target=publish) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(set(found)) == 3000


def test_pending_counts_what_workers_are_needed_for(redis_store: RedisStore) -> None:
    run = launch(redis_store, *HOURS)
    assert redis_store.pending() == 6
    claim = take(redis_store, 30)
    redis_store.fail(take(redis_store, 30), "boom", 60.0)
    assert redis_store.pending() == 6
    redis_store.fail(take(redis_store, 30), "boom", None)
    finish(redis_store, claim)
    assert redis_store.pending() == 4
    assert redis_store.set_status(run, RunStatus.PAUSED)
    assert redis_store.pending() == 0
    redis_store.release(take_running(redis_store, run))
    assert redis_store.pending() == 0
    redis_store.set_status(run, RunStatus.ACTIVE)
    assert redis_store.pending() == 4


def take_running(store: RedisStore, run: str) -> Claim:
    """A claim made while the run was active for a moment."""
    store.set_status(run, RunStatus.ACTIVE)
    claim = take(store, 30, run)
    store.set_status(run, RunStatus.PAUSED)
    return claim


def test_pending_scores_say_from_when_a_unit_is_ready(redis_store: RedisStore) -> None:
    run = launch(redis_store, hour(0))
    redis_store.fail(take(redis_store, 30), "boom", 60.0)
    ((name, score),) = redis_store._client.zrange(redis_store.pending_key, 0, -1, withscores=True)
    assert name == f"{run}:{hour(0).key}"
    assert 50 < score / 1e6 - redis_store.now() <= 60


def test_skipped_units_are_not_pending(redis_store: RedisStore) -> None:
    run_units(redis_store, hour(0))
    launch(redis_store, hour(0))
    assert redis_store.pending() == 1
    assert redis_store.claim("w", 30) is None
    assert redis_store.pending() == 0


def test_workers_are_seen_while_they_beat(redis_store: RedisStore) -> None:
    before = redis_store.now()
    redis_store.beat("b", {"unit": "events/x", "pid": 7}, 30)
    redis_store.beat("a", {}, 0.2)
    seen = redis_store.workers()
    assert [(w.name, w.detail) for w in seen] == [("a", {}), ("b", {"unit": "events/x", "pid": 7})]
    assert before + 30 <= seen[1].until <= redis_store.now() + 30
    wait_until("one is gone", lambda: [w.name for w in redis_store.workers()] == ["b"])
    redis_store.leave("b")
    assert redis_store.workers() == []


def test_an_office_is_held_by_one(redis_store: RedisStore) -> None:
    assert redis_store.elect("feeder", "a", 30)
    assert not redis_store.elect("feeder", "b", 30)
    assert redis_store.elect("janitor", "b", 30)
    assert redis_store.elect("feeder", "a", 30)
    redis_store.resign("feeder", "b")
    assert not redis_store.elect("feeder", "b", 30)
    redis_store.resign("feeder", "a")
    assert redis_store.elect("feeder", "b", 0.1)
    wait_until("it is free", lambda: redis_store.elect("feeder", "a", 30))


def test_tokens_are_raised_above_what_outputs_carry(redis_store: RedisStore) -> None:
    launch(redis_store, hour(0))
    ahead = round(redis_store.now() * 1e6) + 10**12
    assert redis_store.raise_token(ahead) == ahead
    assert redis_store.raise_token(5) == ahead
    claim = take(redis_store, 30)
    assert claim.token == ahead + 1
    redis_store.complete(claim, "fp", UnitResult())
