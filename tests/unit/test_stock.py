"""Units claimed ahead: many while they are quick, one by one when they are not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from seeknal.engine.session import Engine
from seeknal.executors import batches
from seeknal.executors.batches import Stock
from seeknal.heartbeat import Holding
from seeknal.stores.sqlite import SQLiteStore
from seeknal.workbench import Workbench
from seeknal.workflow.state import Run
from tests.contract.building import hour, launch

UNITS = 60


def never(run: Run) -> NoReturn:
    raise AssertionError("nothing is executed here")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    made = SQLiteStore(tmp_path / "state.db")
    yield made
    made.close()


@pytest.fixture
def bench(store: SQLiteStore) -> Iterator[Workbench]:
    made = Workbench(store, Engine(), never, worker="w", lease=30.0)
    yield made
    made.close()


def taken(stock: Stock, number: int, seconds: float) -> list[Holding]:
    """Take so many units, and let each have taken so long."""
    held = []
    for _ in range(number):
        holding = stock.take()
        assert holding is not None
        held.append(holding)
        stock.queries.note(seconds)
    return held


def test_each_worker_has_one_at_first(bench: Workbench, store: SQLiteStore) -> None:
    run = launch(store, *(hour(n) for n in range(UNITS)))
    stock = Stock(bench, 3)
    assert stock.take() is not None
    assert store.counts(run).running == 3


def test_slow_units_are_claimed_one_by_one(bench: Workbench, store: SQLiteStore) -> None:
    run = launch(store, *(hour(n) for n in range(UNITS)))
    stock = Stock(bench, 2)
    held = taken(stock, 5, 60.0)
    assert store.counts(run).running == 5
    assert [holding.claim.unit for holding in held] == [hour(n) for n in range(5)]


def test_quick_units_are_claimed_many_at_once_and_never_twice(
    bench: Workbench, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch(store, *(hour(n) for n in range(UNITS)))
    claims: list[int] = []
    claim = bench.claim

    def counted(most: int) -> list[Holding]:
        claims.append(most)
        return claim(most)

    monkeypatch.setattr(bench, "claim", counted)
    stock = Stock(bench, 1)
    held = taken(stock, UNITS, 0.001)
    assert [holding.claim.unit for holding in held] == [hour(n) for n in range(UNITS)]
    assert stock.take() is None
    assert max(claims) == 16
    assert len(claims) < 12


def test_one_slow_unit_is_remembered_for_a_while(bench: Workbench, store: SQLiteStore) -> None:
    run = launch(store, *(hour(n) for n in range(UNITS)))
    stock = Stock(bench, 1)
    stock.queries.note(10.0)
    for _ in range(4):
        stock.queries.note(0.001)
    assert stock.take() is not None
    assert store.counts(run).running == 1
    for _ in range(20):
        stock.queries.note(0.001)
    assert stock.take() is not None
    assert store.counts(run).running == 17


def test_what_nobody_takes_is_handed_back_after_a_while(
    bench: Workbench, store: SQLiteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "_STALE", 600.0)
    run = launch(store, *(hour(n) for n in range(UNITS)))
    stock = Stock(bench, 4)
    first = stock.take()
    stock.hand_back(only_stale=True)
    assert store.counts(run).running == 4
    monkeypatch.setattr(batches, "_STALE", 0.0)
    stock.hand_back(only_stale=True)
    (left,) = store.records(run)[:1]
    assert store.counts(run).running == 1
    assert first is not None
    assert left.planned.unit == first.claim.unit
    stock.hand_back()
    assert store.counts(run).running == 1, "what was taken is its thread's"
    again = stock.take()
    assert again is not None
    assert again.claim.unit == hour(1)


def test_a_cap_is_kept(bench: Workbench, store: SQLiteStore) -> None:
    run = launch(store, *(hour(n) for n in range(UNITS)), max_active=3)
    stock = Stock(bench, 8)
    held = [stock.take() for _ in range(4)]
    assert [holding is not None for holding in held] == [True, True, True, False]
    assert store.counts(run).running == 3


def test_threads_never_get_the_same_one(bench: Workbench, store: SQLiteStore) -> None:
    launch(store, *(hour(n) for n in range(UNITS)))
    stock, got, lock = Stock(bench, 4), [], threading.Lock()

    def take() -> None:
        while (holding := stock.take()) is not None:
            stock.queries.note(0.001)
            with lock:
                got.append(holding.claim.unit)

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(got) == [hour(n) for n in range(UNITS)]
