"""Replies that are lost on the way: what is asked again counts once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from seeknal.errors import LeaseLostError, StoreUnavailableError
from seeknal.stores.base import Again
from seeknal.stores.redis import RedisStore
from seeknal.stores.redis_scripts import source, verbs
from seeknal.stores.redis_worker import Refusal
from seeknal.workflow.state import Claim, RunStatus, UnitResult, UnitStatus
from seeknal.workflow.units import Unit
from tests.contract.building import (
    CHANGE,
    FLOW,
    WORKER,
    finish,
    hour,
    launch,
    new_run,
    planned,
    restatement,
    run_units,
    take,
)
from tests.contract.redis_harness import shared_server
from tests.proxy import Proxy
from tests.waiting import wait_until


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before the shared server."""
    proxy = Proxy(shared_server().port)
    yield proxy
    proxy.close()


@pytest.fixture
def shaky(proxy: Proxy, open_store: Callable[..., RedisStore]) -> RedisStore:
    """A store behind the proxy, connected already; the server knows its scripts."""
    with shared_server().client() as client:
        for verb in verbs():
            client.script_load(source(verb))
    store = open_store(f"redis://127.0.0.1:{proxy.port}/0", lease=0.5)
    store.reap()
    return store


@pytest.mark.parametrize("end", ["complete", "retry", "fail"])
def test_an_end_whose_reply_was_lost_counts_once(shaky: RedisStore, proxy: Proxy, end: str) -> None:
    run = launch(shaky, hour(0), hour(1))
    claim = take(shaky, 30.0)
    proxy.lose(1)
    close_attempt(shaky, claim, end)
    counts = shaky.counts(run)
    assert (counts.done, counts.failed, counts.retries, counts.running) == {
        "complete": (1, 0, 0, 0), "retry": (0, 0, 1, 0), "fail": (0, 1, 0, 0),
    }[end]  # fmt: skip
    with pytest.raises(LeaseLostError):
        close_attempt(shaky, claim, end)


@pytest.mark.parametrize("end", ["complete", "retry", "fail"])
def test_an_end_can_be_repeated_after_an_outage(shaky: RedisStore, proxy: Proxy, end: str) -> None:
    run = launch(shaky, hour(0), hour(1))
    claim = take(shaky, 30.0)
    with pytest.raises(StoreUnavailableError):
        with_every_reply_lost(proxy, lambda: close_attempt(shaky, claim, end))
    close_attempt(shaky, claim, end)
    assert shaky.counts(run).running == 0
    with pytest.raises(LeaseLostError):
        close_attempt(shaky, claim, end)


def test_a_death_whose_reply_was_lost_counts_once(shaky: RedisStore, proxy: Proxy) -> None:
    run = launch(shaky, hour(0))
    take(shaky, 30.0, run)
    proxy.lose(1)
    assert shaky.killed(run, hour(0), WORKER, "SIGKILL", 60.0) == 1
    assert shaky.counts(run).retries == 1
    with pytest.raises(StoreUnavailableError):
        with_every_reply_lost(
            proxy, lambda: shaky.killed(run, hour(0), "other", "SIGKILL", 60.0, mark="second")
        )
    assert shaky.killed(run, hour(0), "other", "SIGKILL", 60.0, mark="second") == 2
    assert shaky.killed(run, hour(0), "other", "SIGKILL", 60.0, mark="third") == 3


def test_a_death_that_is_told_after_its_lease_was_reaped_is_one_attempt(
    redis_store: RedisStore,
) -> None:
    run = launch(redis_store, hour(0))
    redis_store.fail(take(redis_store, 30.0, run), "boom", 0.0)
    taken = wait_until("it is ready again", lambda: redis_store.claim(WORKER, 0.01, run, hour(0)))
    assert taken is not None
    wait_until("its lease is reaped", redis_store.reap)
    assert redis_store.killed(run, taken.unit, WORKER, "it was killed", 0.0) == 1
    assert redis_store.killed(run, taken.unit, "other", "so was this", 0.0) == 2
    assert [(e.kind, e.detail) for e in redis_store.log(FLOW, hour(0))] == [
        ("retry", "boom"),
        ("reaped", "it was killed"),
        ("reaped", "so was this"),
    ]
    told = [event.detail for event in redis_store.events(run) if event.kind == "reaped"]
    assert told == ["the lease expired", "it was killed", "so was this"]


def test_a_repeat_after_an_outage_is_refused_if_somebody_else_has_the_unit(
    shaky: RedisStore, redis_store: RedisStore, proxy: Proxy
) -> None:
    run = launch(redis_store, hour(0), hour(1))
    claim = take(shaky, 0.01)
    proxy.cut()
    with pytest.raises(StoreUnavailableError):
        shaky.complete(claim, "fp", UnitResult())
    taken = wait_until("it is taken", lambda: redis_store.claim("other", 30.0, run, claim.unit))
    assert taken is not None
    proxy.mend()
    with pytest.raises(LeaseLostError):
        shaky.complete(claim, "fp", UnitResult())
    redis_store.complete(taken, "fp", UnitResult())
    with pytest.raises(LeaseLostError):
        shaky.complete(claim, "fp", UnitResult())


def close_attempt(store: RedisStore, claim: Claim, end: str) -> None:
    if end == "complete":
        store.complete(claim, "fp", UnitResult())
    else:
        store.fail(claim, "boom", 60.0 if end == "retry" else None)


def with_every_reply_lost(proxy: Proxy, act: Callable[[], object]) -> None:
    proxy.lose(1000)
    try:
        act()
    finally:
        proxy.lose(0)


def test_a_named_claim_whose_reply_was_lost_is_leased(shaky: RedisStore, proxy: Proxy) -> None:
    run = launch(shaky, hour(0))
    proxy.lose(1)
    claim = take(shaky, 30.0, run, hour(0))
    assert shaky.counts(run).running == 1
    finish(shaky, claim)


def test_a_claim_whose_reply_was_lost_comes_back(shaky: RedisStore, proxy: Proxy) -> None:
    run = launch(shaky, hour(0))
    proxy.lose(1)
    with pytest.raises(StoreUnavailableError):
        shaky.claim(WORKER, 0.1)
    assert [r.status for r in shaky.records(run)] == [UnitStatus.RUNNING]
    wait_until("it is reaped", shaky.reap)
    finish(shaky, take(shaky, 30.0))


def test_what_launches_can_lose_any_reply(shaky: RedisStore, proxy: Proxy) -> None:
    run = new_run(hour(0))
    version = shaky.holds(FLOW).version
    proxy.lose(1)
    assert shaky.register(run, version)
    proxy.lose(1)
    shaky.feed(run.id, [planned(hour(0))], "", "end")
    assert shaky.window(run.id) == 1
    for status in (RunStatus.PAUSED, RunStatus.ACTIVE, RunStatus.CANCELLED):
        proxy.lose(1)
        assert shaky.set_status(run.id, status)
    kinds = [event.kind for event in shaky.events(run.id)]
    assert kinds == ["registered", "paused", "active", "cancelled"]


def test_who_shared_an_outage_spares_expired_leases(
    shaky: RedisStore, redis_store: RedisStore, proxy: Proxy
) -> None:
    run = launch(redis_store, hour(0))
    claim = take(redis_store, 0.05, run)
    proxy.cut()
    with pytest.raises(StoreUnavailableError):
        shaky.now()
    wait_until("the lease expires", lambda: redis_store.now() > claim.until)
    proxy.mend()
    assert shaky.reap() == []
    assert shaky.claim("other", 0.1, run, hour(0)) is None
    assert redis_store.renew(claim, 0.05)
    (reaped,) = wait_until("it is reaped", shaky.reap)
    assert reaped.unit == hour(0)


def test_an_idle_connection_that_was_closed_is_opened_again(
    shaky: RedisStore, proxy: Proxy
) -> None:
    launch(shaky, hour(0))
    proxy.hang_up()
    assert shaky.claim(WORKER, 30.0) is not None


def test_what_steers_can_lose_any_reply(shaky: RedisStore, proxy: Proxy) -> None:
    """And is audited once."""
    run_units(shaky, hour(0))
    run = new_run(hour(0), hour(1), hour(2))
    again = Again((restatement(hour(0)),), change=replace(CHANGE, action="force"))
    proxy.lose(1)
    assert shaky.register(run, shaky.holds(FLOW).version, again)
    shaky.feed(run.id, [planned(hour(0)), planned(hour(1))], "", "0/3")
    proxy.lose(1)
    assert shaky.steer(run.id, {"newest_first": True}, replace(CHANGE, action="steer"))
    found = shaky.run(run.id)
    assert found is not None
    assert (found.cursor, len(found.returned), shaky.window(run.id)) == ("0/3#1", 2, 0)
    proxy.lose(1)
    assert shaky.set_status(run.id, RunStatus.CANCELLED, replace(CHANGE, action="cancel"))
    assert [entry.action for entry in shaky.audit()] == ["cancel", "steer", "force"]


def test_of_a_failure_whose_reply_was_lost_there_is_one_entry(
    shaky: RedisStore, proxy: Proxy
) -> None:
    run = launch(shaky, hour(0))
    claim = take(shaky, 30.0, run)
    proxy.lose(1)
    shaky.fail(claim, "boom", 0.0)
    claim = take(shaky, 30.0, run)
    proxy.lose(1)
    finish(shaky, claim)
    assert [event.kind for event in shaky.log(FLOW, hour(0))] == ["retry", "completed"]


def test_a_claim_in_turn_whose_reply_was_lost_is_leased(shaky: RedisStore, proxy: Proxy) -> None:
    run = launch(shaky, hour(0))
    (message,) = shaky.due()
    proxy.lose(1)
    claim = shaky.claim_in_turn(WORKER, 30.0, message)
    assert isinstance(claim, Claim)
    assert shaky.counts(run).running == 1
    finish(shaky, claim)


def test_whose_turn_it_is_can_be_asked_again(shaky: RedisStore, proxy: Proxy) -> None:
    """What the lost reply named stays claimed by nobody, and is sent by and by."""
    launch(shaky, *[hour(n) for n in range(3)])
    (message, *_) = shaky.due(1)
    first = launch(shaky, *[hour(n, "other") for n in range(20)], priority=1)
    proxy.lose(1)
    before = shaky.claim_in_turn(WORKER, 30.0, message)
    assert isinstance(before, Refusal)
    assert [due.unit for due in before.first] == [hour(8, "other")]
    assert {due.run for due in before.first} == {first}
    assert isinstance(shaky.claim_in_turn(WORKER, 30.0, before.first[0]), Claim)
    sent: set[Unit] = set()

    def all_are_sent() -> bool:
        sent.update(due.unit for due in shaky.due(50, lost_after=0.0))
        return sent >= {hour(n, "other") for n in range(8)}

    wait_until("the others are sent", all_are_sent, 15.0)
