"""Operating a backfill while real workers are busy: each order acts, and strands nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from seeknal.workflow.state import Event, RunStatus
from tests.fleet import BURN, PROJECT, Fleet, fleet
from tests.waiting import wait_until

DAYS = 60
SLOTS = 4
PATIENCE = 120.0
FLOWS = ("events_flow", "urgent")


@pytest.fixture
def ships(tmp_path: Path) -> Iterator[Fleet]:
    """Two workers of two slots, and flows of many short units."""
    with fleet(tmp_path) as made:
        made.box.events("2024-01-01", DAYS * 24, "1 hour")
        for flow in FLOWS:
            made.box.declare(flow, sql=BURN.format(millions=6))
        for worker in [made.worker(SLOTS // 2, ready=False) for _ in range(2)]:
            wait_until("the worker is ready", worker.ready, PATIENCE)
        yield made


def order(ships: Fleet, *words: str) -> str:
    """Give an order about runs; return what is answered."""
    return ships.box.call("runs", *words, "--redis", ships.server.url).out


def launch(ships: Fleet, flow: str, *words: str) -> str:
    where = ("--redis", ships.server.url, "--flow", flow)
    ships.box.call("run", "--backfill", "--detach", *where, *words)
    return ships.store.runs(flow)[0].id


def advances(ships: Fleet, run: str, units: int = SLOTS + 1) -> None:
    """Wait until a run has done so many units more: some of them were claimed since now."""
    until = ships.store.counts(run).done + units
    wait_until(f"{run} goes on", lambda: ships.store.counts(run).done >= until, PATIENCE)


def began(event: Event) -> float:
    """When the attempt that an event ended began, by the store's clock."""
    return event.at - event.seconds


def test_a_paused_run_stands_still_while_others_go_on_and_then_comes_to_its_end(
    ships: Fleet,
) -> None:
    run = launch(ships, "events_flow")
    advances(ships, run)
    order(ships, "pause", run)
    wait_until("what ran has ended", lambda: not ships.running(run), PATIENCE)
    done = ships.store.counts(run).done
    assert done < DAYS
    # As many units of another pass by its messages.
    other = launch(ships, "urgent")
    assert ships.ends(other) is RunStatus.DONE
    assert (ships.store.counts(run).done, ships.run(run).status) == (done, RunStatus.PAUSED)
    order(ships, "resume", run)
    assert ships.ends(run) is RunStatus.DONE
    for each in (run, other):
        ships.assert_done_once(each, DAYS)
        assert ships.store.counts(each).retries == 0


def test_what_is_put_first_has_all_workers_until_nothing_of_it_waits(ships: Fleet) -> None:
    usual, urgent = launch(ships, "events_flow"), launch(ships, "urgent", "--priority", "-5")
    advances(ships, usual)
    assert ships.events(urgent, "completed") == []
    order(ships, "set", urgent, "--priority", "5")
    since = ships.store.now()
    # While it waits: however long this process is kept from running, much of it is left to turn.
    order(ships, "set", usual, "--newest-first")
    assert ships.ends(urgent) is RunStatus.DONE
    first = sorted(map(began, ships.events(urgent, "completed")))
    meanwhile = [
        event for event in ships.events(usual, "completed") if since < began(event) < first[-1]
    ]
    # Those that were claimed just before the order.
    assert len(meanwhile) <= SLOTS
    assert ships.ends(usual) is RunStatus.DONE
    units = [event.unit for event in sorted(ships.events(usual, "completed"), key=began)]
    turned = units[units.index(max(units)) :]
    place = {unit: number for number, unit in enumerate(sorted(turned, reverse=True))}
    strays = [unit for n, unit in enumerate(turned) if abs(place[unit] - n) > 2 * SLOTS]
    assert len(turned) > DAYS / 4
    assert len(strays) <= SLOTS
    for each in (usual, urgent):
        ships.assert_done_once(each, DAYS)


def test_a_cancelled_run_starts_nothing_holds_nothing_and_leaves_exactly_the_rest(
    ships: Fleet,
) -> None:
    run = launch(ships, "events_flow")
    advances(ships, run)
    wait_until("all workers are at it", lambda: len(ships.running(run)) == SLOTS, PATIENCE)
    order(ships, "cancel", run, "--reason", "Wrong input")
    done = {event.unit for event in ships.events(run, "completed")}
    leases = ships.client.zrange(f"seeknal:{{{PROJECT}}}:leases", 0, -1)
    assert (ships.running(run), leases) == ([], [])
    other = launch(ships, "urgent")
    assert ships.ends(other) is RunStatus.DONE
    assert ships.store.recent(run, 1)[0].kind == "cancelled"
    # What had published, and was about to complete as the run was cancelled, is done again.
    files = set(ships.box.files())
    assert done <= files
    assert len(files - done) <= SLOTS
    rest = launch(ships, "events_flow")
    assert ships.run(rest).units == DAYS - len(done)
    assert ships.ends(rest) is RunStatus.DONE
    ships.assert_done_once(rest, DAYS - len(done))
    assert done.isdisjoint(event.unit for event in ships.events(rest, "completed"))
    ships.box.assert_output_is("SELECT *, true AS burnt FROM events")
    (cancelled,) = [entry for entry in ships.store.audit() if entry.action == "cancel"]
    assert (cancelled.what, cancelled.reason) == (f"run {run}", "Wrong input")
