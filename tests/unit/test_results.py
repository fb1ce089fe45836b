"""What waits to be published: for company, not for long, and for nobody who is idle."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import pytest

from seeknal.executors import batches
from seeknal.executors.batches import Results
from seeknal.workbench import Made
from tests.waiting import passed, wait_until

LONG = 600.0
MANY = 16


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let results wait for others as good as for ever."""
    monkeypatch.setattr(batches, "_WITHIN", LONG)


def made(number: int) -> Made:
    return cast(Made, number)


def take(results: Results) -> Any:
    with results.take() as taken:
        return taken


def drain(results: Results) -> Any:
    with results.drain() as drained:
        return drained


@contextmanager
def aside(work: Callable[[], Any]) -> Iterator[list[Any]]:
    """Do something in a thread within the block; what it returns comes into a list."""
    returned: list[Any] = []
    thread = threading.Thread(target=lambda: returned.append(work()), daemon=True)
    thread.start()
    yield returned
    thread.join(10)
    assert not thread.is_alive()


def test_many_are_due_at_once() -> None:
    results = Results()
    for number in range(MANY):
        results.put(made(number))
    assert take(results) == list(range(MANY))


def test_few_are_due_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    results = Results()
    results.put(made(1))
    results.put(made(2))
    monkeypatch.setattr(batches, "_WITHIN", 0.3)
    started = time.monotonic()
    assert take(results) == [1, 2]
    assert time.monotonic() - started < 10


def test_whoever_is_idle_makes_them_due() -> None:
    results = Results()
    results.put(made(1))
    with aside(lambda: take(results)) as taken:
        wait_until("a while has passed", passed(0.2))
        assert taken == []
        with results.idle():
            wait_until("the one that waited is taken", lambda: taken == [[1]])
            results.put(made(2))
            assert take(results) == [2]
    results.put(made(3))
    with aside(lambda: take(results)) as taken:
        wait_until("a while has passed", passed(0.2))
        assert taken == [], "nobody is idle any more"
        results.close()
    assert taken == [[3]]


def test_nobody_gets_ahead_by_more_than_a_batch() -> None:
    results = Results()
    for number in range(MANY):
        results.put(made(number))
    with aside(lambda: results.put(made(MANY))) as put:
        wait_until("a while has passed", passed(0.2))
        assert put == []
        assert take(results) == list(range(MANY))
        wait_until("there is room", lambda: put)


def test_batches_are_small_where_it_takes_long_to_publish_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "_LONGEST", 0.1)
    results = Results()
    for number in range(MANY):
        results.put(made(number))
    with results.take():
        wait_until("it has taken long", passed(MANY * 0.1))
    results.put(made(1))
    with aside(lambda: results.put(made(2))) as put:
        assert take(results) == [1]
        wait_until("there is room", lambda: put)
    with results.idle():
        assert take(results) == [2]
        for number in range(20):  # quick ones make them large again
            results.put(made(number))
            assert take(results) == [number]
    for number in range(MANY):
        results.put(made(number))
    assert take(results) == list(range(MANY))


def test_nobody_gets_ahead_of_what_is_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_WITHIN", 0.1)
    results = Results()
    results.put(made(1))
    wait_until("it is overdue", passed(0.2))
    with aside(lambda: results.put(made(2))) as put:
        wait_until("a while has passed", passed(0.2))
        assert put == []
        assert take(results) == [1]


def test_closing_lets_nobody_wait() -> None:
    results = Results()
    for number in range(MANY):
        results.put(made(number))
    with aside(lambda: results.put(made(MANY))):
        results.close()
    assert take(results) == list(range(MANY))
    assert take(results) == [MANY]
    assert not take(results)


def test_what_waits_can_be_taken_at_any_time() -> None:
    results = Results()
    for number in range(MANY):
        results.put(made(number))
    with aside(lambda: results.put(made(MANY))):
        assert drain(results) == list(range(MANY))
    assert drain(results) == [MANY]
    assert not drain(results)


@pytest.mark.parametrize("way", [Results.take, Results.drain])
def test_what_is_drained_comes_after_what_others_have_taken(way: Any) -> None:
    results = Results()
    for number in range(MANY):
        results.put(made(number))
    with ExitStack() as publishing:
        publishing.enter_context(way(results))
        results.put(made(MANY))
        with aside(lambda: drain(results)) as drained:
            wait_until("a while has passed", passed(0.2))
            assert drained == []
            publishing.close()
        assert drained == [[MANY]]


def test_what_others_take_later_is_not_waited_for() -> None:
    results = Results()
    with ExitStack() as first, ExitStack() as second:
        results.put(made(0))
        first.enter_context(results.drain())
        with aside(lambda: drain(results)) as drained:
            wait_until("a while has passed", passed(0.2))
            for number in range(MANY):
                results.put(made(number))
            second.enter_context(results.take())
            assert drained == []
            first.close()
            wait_until("it goes on while the other publishes", lambda: drained == [[]])


def test_whoever_waits_for_one_hears_of_the_end() -> None:
    results = Results()
    with aside(lambda: take(results)) as taken:
        results.close()
    assert taken == [[]]


def test_all_are_taken_once_whoever_takes_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_WITHIN", 0.001)
    results, taken = Results(), list[Any]()
    lock = threading.Lock()

    def take_all() -> None:
        while batch := take(results):
            with lock:
                taken.extend(batch)

    def put(first: int) -> None:
        for number in range(first, first + 500):
            results.put(made(number))

    takers = [threading.Thread(target=take_all) for _ in range(3)]
    putters = [threading.Thread(target=put, args=(n * 500,)) for n in range(4)]
    for thread in [*takers, *putters]:
        thread.start()
    for thread in putters:
        thread.join(30)
    results.close()
    for thread in takers:
        thread.join(30)
    assert sorted(taken) == list(range(2000))
