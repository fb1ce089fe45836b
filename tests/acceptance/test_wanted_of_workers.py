"""What those who run backfills ask of workers and do not get elsewhere: a short test of each."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from redis.connection import AbstractConnection

from seeknal.executors.celery import QUEUE
from seeknal.workflow.state import RunStatus
from tests.fleet import BURN, Fleet, fleet
from tests.projects import EVENTS_SQL
from tests.waiting import wait_until

DAYS = 12
SCREEN = 45
PATIENCE = 120.0


@pytest.fixture
def ships(tmp_path: Path) -> Iterator[Fleet]:
    """A server, and a daily flow over some days; no worker yet."""
    with fleet(tmp_path) as made:
        made.box.events("2024-01-01", DAYS * 24, "1 hour").declare()
        yield made


def launch(ships: Fleet, *words: str, flow: str = "events_flow") -> str:
    """Leave a backfill to the workers that are there, or will be; return its id."""
    where = ("--redis", ships.server.url, "--flow", flow)
    ships.box.call("run", "--backfill", "--detach", *where, *words)
    return ships.store.runs(flow)[0].id


def runs(ships: Fleet, *words: str) -> Any:
    """What a command of ``seeknal runs`` answers as JSON."""
    return ships.box.call("runs", *words, "--redis", ships.server.url, "--json").json


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often this process has sent something to a Redis since it was last asked."""
    send: Callable[..., None] = AbstractConnection.send_packed_command
    count = 0

    def send_counted(connection: AbstractConnection, *arguments: Any, **more: Any) -> None:
        nonlocal count
        count += 1
        send(connection, *arguments, **more)

    def asked() -> int:
        nonlocal count
        found, count = count, 0
        return found

    monkeypatch.setattr(AbstractConnection, "send_packed_command", send_counted)
    return asked


# -- launching -----------------------------------------------------------------------------------


def test_ten_thousand_partitions_are_launched_with_as_few_calls_as_ten(
    ships: Fleet, sent: Callable[[], int]
) -> None:
    by_value = EVENTS_SQL.partition(" WHERE ")[0] + " WHERE id = '__PARTITION__'"
    calls: dict[str, list[int]] = {"hours": [], "values": []}
    for many in (10, 10_000):
        ships.box.events("2020-01-01", many, "1 hour", table=f"of_{many}")
        hourly, valued = (
            sql.replace("FROM events", f"FROM of_{many}") for sql in (EVENTS_SQL, by_value)
        )
        ships.box.declare(f"hours_{many}", sql=hourly, schedule="@hourly")
        ships.box.declare(f"values_{many}", sql=valued, schedule=None, partition={"column": "id"})
        for kind, found in calls.items():
            sent()
            run = launch(ships, flow=f"{kind}_{many}")
            found.append(sent())
            assert ships.store.counts(run).units == many
    # The very first launch has the scripts to load as well.
    assert all(thousands <= ten + 5 for ten, thousands in calls.values()), calls


def test_status_of_ten_thousand_units_fits_a_screen(ships: Fleet) -> None:
    ships.box.declare("long", schedule="* * * * *")
    run = launch(ships, flow="long")
    where = ("--redis", ships.server.url)
    assert runs(ships, "show", run)["units"] > 10_000
    for command in (("list",), ("show", run), ("set", run, "--newest-first"), ("cancel", run)):
        assert len(ships.box.call("runs", *command, *where).lines) <= SCREEN


# -- deaths --------------------------------------------------------------------------------------


def test_a_dead_workers_unit_is_taken_up_once_its_lease_is_over(ships: Fleet) -> None:
    ships.box.declare(sql=BURN.format(millions=400))
    dying = ships.worker()
    run = launch(ships, "--limit", "1")
    ships.runs_one(run)
    dying.kill()
    (left,) = ships.running(run)
    ships.worker(ready=False)
    taken = wait_until(
        "another has the unit",
        lambda: [r for r in ships.running(run) if r.worker != left.worker],
        PATIENCE,
    )
    assert taken[0].since > left.until
    assert taken[0].attempts == 0
    assert ships.ends(run) is RunStatus.DONE
    ships.assert_done_once(run, 1)


def test_closing_the_laptop_cancels_nothing(ships: Fleet) -> None:
    ships.box.declare(sql=BURN.format(millions=5))
    ships.worker(2)
    laptop = ships.start("run", "--backfill")
    run = wait_until("it is launched", ships.store.runs, PATIENCE)[0].id
    ships.runs_one(run)
    laptop.send_signal(signal.SIGKILL)
    laptop.communicate(timeout=PATIENCE)
    assert ships.ends(run) is RunStatus.DONE
    ships.assert_done_once(run, DAYS)
    assert ships.store.counts(run).retries == 0


# -- messages ------------------------------------------------------------------------------------


def test_a_message_that_comes_twice_runs_nothing_twice(ships: Fleet) -> None:
    run = launch(ships)
    messages = ships.client.lrange(QUEUE, 0, -1)
    assert len(messages) == DAYS
    ships.client.lpush(QUEUE, *messages, *messages)
    ships.worker(2)
    assert ships.ends(run) is RunStatus.DONE
    wait_until("all messages are taken", lambda: ships.queued() == 0, PATIENCE)
    ships.assert_done_once(run, DAYS)


def test_a_backfill_is_not_over_because_nothing_is_at_work(ships: Fleet) -> None:
    run = launch(ships)
    ships.client.delete(QUEUE)
    shown = runs(ships, "show", run)
    assert (shown["status"], shown["queued"], shown["running"]) == ("active", DAYS, 0)
    ships.worker(2)
    assert ships.ends(run) is RunStatus.DONE
    ships.assert_done_once(run, DAYS)


# -- steering ------------------------------------------------------------------------------------


def test_after_a_cancel_nothing_more_is_started(ships: Fleet) -> None:
    ships.box.declare(sql=BURN.format(millions=30)).declare("later")
    ships.worker()
    run = launch(ships)
    ships.runs_one(run)
    runs(ships, "cancel", run)
    done = {event.unit for event in ships.events(run, "completed")}
    # Its messages are before those of a run that is launched now.
    later = launch(ships, flow="later")
    assert ships.ends(later) is RunStatus.DONE
    assert ships.store.recent(run, 1)[0].kind == "cancelled"
    assert set(ships.box.files()) == done
    assert len(done) < DAYS
    ships.assert_done_once(later, DAYS)


def test_what_is_urgent_goes_first(ships: Fleet) -> None:
    ships.box.declare("urgent")
    usual = launch(ships)
    urgent = launch(ships, "--priority", "5", "--newest-first", flow="urgent")
    ships.worker()
    assert ships.ends(usual) is RunStatus.DONE
    units = [event.unit for event in ships.events(urgent, "completed")]
    assert units == sorted(units, reverse=True)
    assert len(units) == DAYS
    last = max(event.at for event in ships.events(urgent, "completed"))
    assert last <= min(event.at for event in ships.events(usual, "completed"))
