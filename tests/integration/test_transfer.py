"""State that moves between stores by a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from seeknal.errors import LeaseLostError
from seeknal.statefile import read_state, write_state
from seeknal.stores.base import Change, Store
from seeknal.stores.redis import RedisStore
from seeknal.stores.sqlite import SQLiteStore
from seeknal.transfer import Merged, busy_flows, export_state, import_state
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import FlowState, Origin, RunStatus, UnitResult
from tests.contract.building import (
    FLOW,
    completion,
    day,
    fail_units,
    hour,
    launch,
    restate,
    run_units,
    span,
    take,
    value,
)

CHANGE = Change("ada", "import", "state.json", "moved")


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Callable[[str], SQLiteStore]]:
    opened: list[SQLiteStore] = []

    def embedded(name: str) -> SQLiteStore:
        opened.append(SQLiteStore(tmp_path / name / "state.db"))
        return opened[-1]

    yield embedded
    for store in opened:
        store.close()


def live(store: Store) -> None:
    """Give a store a past: runs, marks, restatements, failures, plans that nobody finished."""
    run_units(store, day(0), day(1), day(2), origin=Origin.RUN)
    run_units(store, hour(72), hour(73), fingerprint="fp-2")
    run_units(store, value("EU"), value("a/b: ü"), value("US"))
    store.mark(FLOW, [completion(day(9), last=day(11))], [], Change("ada", "complete", "x"))
    restate(store, day(1), value("EU"), reason="late data")
    restate(store, hour(73), value("US"), reason="fixed\nbug")
    fail_units(store, day(5), value("DE"), error="boom")
    store.set_status(launch(store, hour(200), hour(201), day(1)), RunStatus.CANCELLED)
    run_units(store, hour(0, "other"))


def states(store: Store) -> dict[str, FlowState]:
    """What moves of each flow; which units failed is told in the file, to people alone."""
    return {
        name: replace(store.state(name), failed=IntervalSet(), failed_values=frozenset())
        for name in store.flows()
    }


def move(source: Store, target: Store, file: Path) -> list[Merged]:
    write_state(file, export_state(source, "shop"))
    return import_state(target, read_state(file), CHANGE)


def test_state_goes_to_redis_and_comes_back_the_same(
    embedded: Callable[[str], SQLiteStore], redis_store: RedisStore, tmp_path: Path
) -> None:
    first, last = embedded("first"), embedded("last")
    live(first)
    move(first, redis_store, tmp_path / "there.json")
    assert states(redis_store) == states(first)
    move(redis_store, last, tmp_path / "back.json")
    assert states(last) == states(first)
    assert last.raise_token(0) == redis_store.raise_token(0) == first.raise_token(0)
    there, back = (read_state(tmp_path / f"{name}.json") for name in ("there", "back"))
    assert (there.flows, there.token) == (back.flows, back.token)


def test_failures_are_told_in_the_file_and_their_units_stay_unfinished(
    embedded: Callable[[str], SQLiteStore], tmp_path: Path
) -> None:
    live(embedded("first"))
    move(embedded("first"), embedded("last"), tmp_path / "state.json")
    content = json.loads((tmp_path / "state.json").read_text())
    errors = {f["unit"]: (f["error"], f["attempts"]) for f in content["flows"][FLOW]["failed"]}
    assert errors == {day(5).key: ("boom", 1), value("DE").key: ("boom", 1)}
    assert embedded("last").failed(FLOW) == []
    assert embedded("last").state(FLOW).unfinished.covers(day(5).start, day(5).end)
    assert "DE" in embedded("last").state(FLOW).unfinished_values


def test_importing_twice_changes_nothing_more(
    embedded: Callable[[str], SQLiteStore], tmp_path: Path
) -> None:
    source, target = embedded("first"), embedded("last")
    live(source)
    move(source, target, tmp_path / "state.json")
    before, audited, runs = states(target), target.audit(), target.runs()
    again = move(source, target, tmp_path / "state.json")
    assert again == [Merged(FLOW), Merged("other")]
    assert (states(target), target.audit(), target.runs()) == (before, audited, runs)


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_what_is_completed_already_keeps_its_provenance_and_restatements_join(
    embedded: Callable[[str], SQLiteStore], redis_store: RedisStore, tmp_path: Path, kind: str
) -> None:
    source = embedded("first")
    target: Store = redis_store if kind == "redis" else embedded("last")
    run_units(source, day(0), day(1), day(2), value("EU"), value("US"), fingerprint="theirs")
    restate(source, day(0), value("EU"), reason="theirs")
    run_units(target, day(0), day(1), value("EU"), fingerprint="ours")
    restate(target, day(1), reason="ours")
    (merged,) = move(source, target, tmp_path / "state.json")
    state = target.state(FLOW)
    assert state.completions == (
        completion(day(0), Origin.BACKFILL, "ours", last=day(1)),
        completion(day(2), Origin.BACKFILL, "theirs"),
    )
    assert [(v.value, v.fingerprint) for v in state.values] == [("EU", "ours"), ("US", "theirs")]
    assert [(r.start, r.reason) for r in state.restatements] == [
        (day(0).start, "theirs"),
        (day(1).start, "ours"),
    ]
    assert state.restated_values == {"EU": "theirs"}
    assert merged.completions == (completion(day(2), Origin.BACKFILL, "theirs"),)
    assert {(e.actor, e.action, e.what, e.reason) for e in target.audit(limit=3)} == {
        ("ada", "import", "state.json", "moved"),
        ("ada", "import", "state.json", "theirs"),
    }


def test_intervals_that_are_completed_here_in_part_in_another_shape_are_left_out(
    embedded: Callable[[str], SQLiteStore], tmp_path: Path
) -> None:
    source, target = embedded("first"), embedded("last")
    run_units(source, day(0), day(1), day(2))
    run_units(target, hour(30), hour(31))
    (merged,) = move(source, target, tmp_path / "state.json")
    assert target.state(FLOW).completed == span(day(0)) | span(day(2)) | span(hour(30), hour(31))
    assert IntervalSet((a.start, a.end) for a in merged.apart) == span(day(1)) - span(
        hour(30), hour(31)
    )


def test_a_token_from_before_the_move_is_refused(
    embedded: Callable[[str], SQLiteStore], redis_store: RedisStore, tmp_path: Path
) -> None:
    source = embedded("first")
    launch(source, day(0))
    source.raise_token(take(source, 30).token + 10**12)  # as of a clock that was ahead
    stale = take(source, 30, launch(source, day(1)))
    move(source, redis_store, tmp_path / "state.json")
    launch(redis_store, day(1))
    assert take(redis_store, 30).token > stale.token
    with pytest.raises(LeaseLostError):
        redis_store.complete(stale, "fp", UnitResult())


def test_runs_at_work_are_told(embedded: Callable[[str], SQLiteStore]) -> None:
    store = embedded("first")
    live(store)
    assert busy_flows(store) == []
    launch(store, hour(300))
    assert busy_flows(store) == [FLOW]
