"""The files that tell what became of a run's units: Parquet and JSON, each whole or not there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from seeknal.errors import ConfigError, UsageError
from seeknal.export import COLUMNS, export, rows
from seeknal.stores.base import Store
from seeknal.stores.sqlite import SQLiteStore
from seeknal.workflow.state import Run
from tests.contract.building import finish, hour, launch, new_run, register, run_units, take
from tests.raising import raising


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteStore]:
    opened = SQLiteStore(tmp_path / "state" / "state.db")
    yield opened
    opened.close()


def run_of(store: Store, name: str) -> Run:
    found = store.run(name)
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["run.parquet", "run.json", "run.jsonl"])
def test_duckdb_reads_what_is_written(store: SQLiteStore, tmp_path: Path, name: str) -> None:
    run = launch(store, hour(0), hour(1), hour(2))
    finish(store, take(store, 60, run))
    store.fail(take(store, 60, run), "it's \"so\" broken, 100 %\nand 'more'; ü", None)
    path = tmp_path / name
    assert export(store, run_of(store, run), None, path) == 3
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        found = connection.execute(
            f"SELECT status, attempts, epoch(\"start\"::TIMESTAMPTZ), rows, error FROM '{path}' "
            'ORDER BY "start"'
        ).fetchall()
    assert found == [
        ("done", 1, hour(0).start, 10, None),
        ("failed", 1, hour(1).start, None, "it's \"so\" broken, 100 %\nand 'more'; ü"),
        ("queued", 0, hour(2).start, None, None),
    ]
    assert [each.name for each in tmp_path.iterdir() if "tmp" in each.name] == []


def test_parquet_has_types(store: SQLiteStore, tmp_path: Path) -> None:
    run = launch(store, hour(0))
    path = tmp_path / "run.parquet"
    export(store, run_of(store, run), None, path)
    with duckdb.connect() as connection:
        described = connection.execute(f"DESCRIBE FROM '{path}'").fetchall()
    assert {row[0]: row[1] for row in described} == {
        name: "TIMESTAMP WITH TIME ZONE" if kind == "TIMESTAMPTZ" else kind
        for name, kind in COLUMNS.items()
    }


def test_json_is_one_array_and_jsonl_a_line_for_each(store: SQLiteStore, tmp_path: Path) -> None:
    run = run_units(store, hour(0), hour(1))
    export(store, run_of(store, run), None, tmp_path / "a.json")
    export(store, run_of(store, run), None, tmp_path / "a.jsonl")
    array = json.loads((tmp_path / "a.json").read_text())
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert array == lines == list(rows(store, run_of(store, run), None))


def test_a_run_of_nothing_is_an_empty_file(store: SQLiteStore, tmp_path: Path) -> None:
    run = register(store, new_run()).id
    for name in ("a.parquet", "a.json", "a.jsonl"):
        assert export(store, run_of(store, run), None, tmp_path / name) == 0
    assert json.loads((tmp_path / "a.json").read_text()) == []
    path = tmp_path / "a.parquet"
    with duckdb.connect() as connection:
        counted = connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)])
        assert counted.fetchall() == [(0,)]


def test_a_file_is_replaced_whole_or_not_at_all(
    store: SQLiteStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_units(store, hour(0))
    path = tmp_path / "out" / "run.parquet"
    path.parent.mkdir()
    path.write_text("before")

    with monkeypatch.context() as patch:
        full = OSError(28, "No space left on device")
        patch.setattr("seeknal.export.to_parquet", raising(full))
        with pytest.raises(ConfigError, match=r"run\.parquet: No space left"):
            export(store, run_of(store, run), None, path)
    assert path.read_text() == "before"
    assert list(path.parent.iterdir()) == [path]
    export(store, run_of(store, run), None, path)
    assert path.read_bytes()[:4] == b"PAR1"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("name", ["run", "run.csv", "run.parquet.gz", "parquet"])
def test_a_name_that_does_not_say_what_it_is_is_refused(
    store: SQLiteStore, tmp_path: Path, name: str
) -> None:
    run = run_of(store, launch(store, hour(0)))
    with pytest.raises(UsageError, match="neither Parquet nor JSON"):
        export(store, run, None, tmp_path / name)
    assert not (tmp_path / name).exists()
