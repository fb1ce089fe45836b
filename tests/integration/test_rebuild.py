"""State that is lost, and comes back from the outputs' own metadata."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from seeknal.errors import LeaseLostError
from seeknal.outputs.parquet import ParquetOutput
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import FlowState, RunStatus, UnitResult
from tests.contract.building import CHANGE, HOUR, completion, day, hour, launch, span, take
from tests.integration.conftest import state_of
from tests.projects import Sandbox


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
