"""State that moves: between stores by a file, and back from the outputs' own metadata."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seeknal.errors import LeaseLostError
from seeknal.outputs.parquet import ParquetOutput
from seeknal.statefile import read_state, write_state
from seeknal.stores.base import Change, Store
from seeknal.stores.redis import RedisStore
from seeknal.stores.sqlite import SQLiteStore
from seeknal.transfer import Merged, busy_flows, export_state, import_state
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import FlowState, Origin, RunStatus, UnitResult
from tests.contract.building import (
    FLOW,
    HOUR,
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
from tests.contract.redis_harness import shared_server
from tests.projects import Sandbox

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
    return {name: store.state(name) for name in store.flows()}


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


# -- as operators do it ----------------------------------------------------------------------


@pytest.fixture
def shop(tmp_path: Path) -> Sandbox:
    """Ten days of events, processed, of which two are restated."""
    shop = Sandbox(tmp_path / "shop").declare().events("2024-01-01", 240, "1 hour")
    shop.seeknal("run", "--backfill")
    shop.seeknal("intervals", "restate", "--start", "2024-01-02", "--end", "2024-01-04",
                 "--reason", "late data")  # fmt: skip
    return shop


def use_redis(shop: Sandbox, project: str) -> None:
    file = shop.root / "seeknal_project.yml"
    file.write_text(f"name: {project}\nredis_url: {shared_server().url}\n")


def state_of(shop: Sandbox) -> FlowState:
    with shop.store() as store:
        return store.state("events_flow")


def test_a_project_moves_to_redis_and_back_by_commands(shop: Sandbox, project: str) -> None:
    before = state_of(shop)
    (shop.root / "seeknal_project.yml").write_text(f"name: {project}\n")
    assert shop.seeknal("state", "export", "state.json").lines == ["Exported 1 flow to state.json."]
    use_redis(shop, project)
    imported = shop.seeknal("state", "import", "state.json", "--reason", "Moved")
    assert imported.lines == ["events_flow: imported 10 completed intervals; 2 restatements."]
    assert state_of(shop) == before
    with shop.store() as store:
        assert {(e.action, e.reason) for e in store.audit()} == {("import", "Moved")}
    mirror = json.loads((shop.root / "target" / "run_state.json").read_text())
    assert mirror["flows"]["events_flow"]["counts"]["completed"] == 10
    shop.seeknal("state", "export", "back.json")
    (shop.root / "target" / "state.db").unlink()
    (shop.root / "seeknal_project.yml").write_text(f"name: {project}\n")
    shop.seeknal("state", "import", "back.json")
    assert state_of(shop) == before


def test_the_redis_can_be_named(shop: Sandbox, project: str) -> None:
    (shop.root / "seeknal_project.yml").write_text(f"name: {project}\n")
    url = shared_server().url
    before = state_of(shop)
    shop.seeknal("state", "export", "state.json")
    shop.seeknal("state", "import", "state.json", "--redis", url)
    shop.seeknal("state", "export", "again.json", "--redis", url)
    assert read_state(shop.root / "again.json").flows["events_flow"].state == before
    assert "10 known already" in shop.seeknal("state", "rebuild", "--redis", url).out


def test_a_file_of_another_project_changes_nothing(shop: Sandbox) -> None:
    shop.seeknal("state", "export", "state.json")
    file = shop.root / "state.json"
    file.write_text(file.read_text().replace('"acceptance"', '"another"'))
    with shop.store() as store:
        audited = store.audit()
    refused = shop.seeknal("state", "import", "state.json", code=2)
    assert "holds the state of the project 'another', not of 'acceptance'" in refused.err
    cut = file.read_bytes()[:-20]
    file.write_bytes(cut)
    assert "cut off" in shop.seeknal("state", "import", "state.json", code=2).err
    with shop.store() as store:
        assert store.audit() == audited


def test_lost_state_is_rebuilt_from_the_output(shop: Sandbox) -> None:
    with shop.store() as store:
        launch(store, day(20, "events_flow"))
        stale = take(store, 3600)
    before = state_of(shop).completions
    (shop.root / "target" / "state.db").unlink()
    dry = shop.seeknal("state", "rebuild", "--dry-run")
    assert dry.lines == [
        "events_flow: would restore 10 completed intervals from 10 files.",
        "  2024-01-01 to 2024-01-11 [backfill, @daily UTC] (10 intervals)",
    ]
    assert state_of(shop) == FlowState()
    rebuilt = shop.seeknal("state", "rebuild")
    assert rebuilt.lines[0] == "events_flow: restored 10 completed intervals from 10 files."
    assert state_of(shop).completions == before
    files = shop.runs_of_files()
    pending = shop.seeknal("intervals", "pending", "--end-date", "2024-01-11")
    assert pending.lines == ["Pending intervals (0):"]
    shop.seeknal("run", "--backfill", "--end-date", "2024-01-11")
    assert shop.runs_of_files() == files
    with shop.store() as store:
        assert [e.action for e in store.audit()] == ["rebuild"]
        with pytest.raises(LeaseLostError):
            store.complete(stale, "fp", UnitResult())


def test_tokens_go_on_from_the_greatest_one_of_the_output(shop: Sandbox) -> None:
    output = ParquetOutput(shop.root / "target" / "output" / "events_flow")
    published = [output.provenance(path) for path in shop.files().values()]
    greatest = max(int(said["seeknal_token"]) for said in published)
    ahead = greatest + 10**12
    rewrite(shop, "20240105T000000Z_20240106T000000Z", seeknal_token=str(ahead))
    (shop.root / "target" / "state.db").unlink()
    shop.seeknal("state", "rebuild")
    with shop.store() as store:
        assert store.raise_token(0) == ahead
        launch(store, day(20, "events_flow"))
        assert take(store, 30).token == ahead + 1


def rewrite(shop: Sandbox, key: str, target: Path | None = None, **said: str | None) -> Path:
    """Write a published file anew with other metadata (None: without), as somebody's tool might."""
    path = shop.files()[key]
    output = ParquetOutput(shop.root / "target" / "output" / "events_flow")
    kept = {**output.provenance(path), **said}
    pairs = ", ".join(f"{name}: '{text}'" for name, text in kept.items() if text is not None)
    metadata = f", KV_METADATA {{{pairs}}}" if pairs else ""
    place = target or path
    place.parent.mkdir(parents=True, exist_ok=True)
    copy = shop.root / "copy.tmp"
    shop.query(
        f"COPY (SELECT * FROM read_parquet('{path}', hive_partitioning = false)) "
        f"TO '{copy}' (FORMAT parquet{metadata})"
    )
    copy.replace(place)
    return place


def test_files_that_are_not_sure_are_named_and_left_alone(shop: Sandbox) -> None:
    root = shop.root / "target" / "output" / "events_flow" / "interval_month=2024-01"
    keys = sorted(shop.files())
    silent = dict.fromkeys(("seeknal_flow", "seeknal_unit"))
    rewrite(shop, keys[0], **silent)
    rewrite(shop, keys[1], seeknal_flow="other_flow")
    rewrite(shop, keys[2], seeknal_schedule=None)
    rewrite(shop, keys[3], seeknal_token="many")
    rewrite(shop, keys[4], seeknal_origin="magic")
    shop.files()[keys[5]].write_bytes(b"PAR1 broken")
    shutil.copy(shop.files()[keys[6]], root / "copy.parquet")
    (shop.root / "target" / "state.db").unlink()
    contents = {path: path.read_bytes() for path in root.iterdir()}
    rebuilt = shop.seeknal("state", "rebuild", code=1)
    told = {Path(line.split(": ")[1]).stem: line for line in rebuilt.err.splitlines()}
    assert "does not say which unit" in told[keys[0]]
    assert "belongs to the flow 'other_flow'" in told[keys[1]]
    for key in keys[2:5]:
        assert "cannot be read, or is not whole" in told[key]
    assert "cannot be read; remove it" in told[keys[5]]
    assert "is not where its unit belongs" in told["copy"]
    assert {path: path.read_bytes() for path in root.iterdir()} == contents
    done = state_of(shop).completed
    assert done == span(day(6), day(9))


def test_of_overlapping_shapes_the_latest_counts_and_the_others_are_told(shop: Sandbox) -> None:
    key = "20240103T000000Z_20240104T000000Z"
    newest = hour(2 * 24 + 5, "events_flow")
    output = ParquetOutput(shop.root / "target" / "output" / "events_flow")
    token = int(output.provenance(shop.files()[key])["seeknal_token"])
    rewrite(shop, key, output.path(newest), seeknal_unit=newest.key, seeknal_schedule="@hourly UTC",
            seeknal_token=str(token + 10**6))  # fmt: skip
    (shop.root / "target" / "state.db").unlink()
    rebuilt = shop.seeknal("state", "rebuild", code=1)
    assert f"overlaps {newest.key}.parquet, which was published after it" in rebuilt.err
    assert f"{key}.parquet: " in rebuilt.err
    assert state_of(shop).completed == span(day(0), day(1)) | span(newest) | span(day(3), day(9))
    assert len(shop.files()) == 11


def test_what_is_completed_in_another_shape_keeps_it(shop: Sandbox) -> None:
    (shop.root / "target" / "state.db").unlink()
    part = hour(2 * 24 + 5, "events_flow")
    with shop.store() as store:
        store.mark("events_flow", [completion(part)], [], CHANGE)
    rebuilt = shop.seeknal("state", "rebuild", code=1)
    assert "part of its time (2024-01-03 to 2024-01-04) is completed in another shape" in (
        rebuilt.err
    )
    assert sum(end - start for start, end in state_of(shop).completed) == 9 * 24 * HOUR + HOUR
    again = shop.seeknal("state", "rebuild", code=1)
    assert again.lines == ["events_flow: restored nothing new from 10 files, 9 known already."]


def test_value_partitions_are_rebuilt(tmp_path: Path) -> None:
    sql = "SELECT * FROM events WHERE region = '__PARTITION__'"
    shop = Sandbox(tmp_path / "shop")
    shop.declare(schedule=None, partition={"column": "region"}, sql=sql)
    with shop.data() as data:
        data.execute(
            "CREATE TABLE events AS SELECT * FROM (VALUES ('EU', 1), ('a/b', 2)) t(region, n)"
        )
    shop.seeknal("run")
    before = state_of(shop)
    assert len(before.values) == 2
    (shop.root / "target" / "state.db").unlink()
    shop.seeknal("state", "rebuild")
    assert state_of(shop) == before


def test_flows_without_output_have_nothing_to_rebuild_from(tmp_path: Path) -> None:
    shop = Sandbox(tmp_path / "shop").declare(output={"kind": "none"})
    assert "keeps no output" in shop.seeknal("state", "rebuild").err
    assert (
        "keeps no output" in shop.seeknal("state", "rebuild", "--flow", "events_flow", code=2).err
    )


def test_output_that_is_not_seen_here_is_told(shop: Sandbox) -> None:
    shutil.rmtree(shop.root / "target" / "output")
    told = shop.seeknal("state", "rebuild")
    assert "no published file of events_flow is seen here in" in told.err
    assert state_of(shop).completed == span(day(0), day(9))


def test_units_that_were_published_and_not_completed_are_completed(shop: Sandbox) -> None:
    """A crash between the two leaves exactly that, in the store that is still there."""
    unit = day(4, "events_flow")
    (shop.root / "target" / "state.db").unlink()
    with shop.store() as store:
        launch(store, unit)
        store.prepare(take(store, 1))
        store.set_status(store.runs()[0].id, RunStatus.INTERRUPTED)
    shop.seeknal("state", "rebuild")
    assert state_of(shop).completed == span(day(0), day(9))
    assert state_of(shop).unfinished == IntervalSet()
