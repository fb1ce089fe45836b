"""State files that are damaged, full, locked or not Seeknal's: a sentence, and no change."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from seeknal.errors import SeeknalError, StoreError, StoreUnavailableError
from seeknal.stores import sqlite_db
from seeknal.stores.base import Change, Store
from seeknal.stores.sqlite import SQLiteStore
from seeknal.stores.sqlite_schema import SCHEMA_VERSION
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.state import Claim, Completion, Origin, Run, RunStatus, UnitResult
from seeknal.workflow.units import PlannedRange, PlannedUnit, Unit
from tests.raising import raising

UNIT = Unit("f", 0, 10)
PLANNED = PlannedUnit(UNIT, "run", "s")
CLAIM = Claim("r1", PLANNED, 1, 0.0, "w", 0)
CHANGE = Change("ada", "mark", "x")
RUN = Run("r1", "f", {}, "fp", (PlannedRange(0, 10, "s", "run"),), 1)
NONE = IntervalSet()

VERBS: dict[str, Callable[[Store], Any]] = {
    "flows": lambda s: s.flows(),
    "state": lambda s: s.state("f"),
    "mark": lambda s: s.mark("f", [Completion(0, 10, Origin.MANUAL, "s", "")], [], CHANGE),
    "restate": lambda s: s.restate("f", [], ["v"], CHANGE),
    "clear": lambda s: s.clear_restatements("f", NONE, [], CHANGE),
    "failed": lambda s: s.failed("f"),
    "log": lambda s: s.log("f", UNIT),
    "specs": lambda s: s.specs("f"),
    "audit": lambda s: s.audit(),
    "holds": lambda s: s.holds("f"),
    "register": lambda s: s.register(RUN, 0),
    "run": lambda s: s.run("r1"),
    "runs": lambda s: s.runs(),
    "set_status": lambda s: s.set_status("r1", RunStatus.PAUSED),
    "steer": lambda s: s.steer("r1", {"newest_first": True}),
    "feed": lambda s: s.feed("r1", [PLANNED], "", "end"),
    "window": lambda s: s.window("r1"),
    "counts": lambda s: s.counts("r1"),
    "records": lambda s: s.records("r1"),
    "events": lambda s: s.events("r1"),
    "recent": lambda s: s.recent("r1"),
    "claim": lambda s: s.claim("w", 1.0),
    "renew": lambda s: s.renew(CLAIM, 1.0),
    "prepare": lambda s: s.prepare(CLAIM),
    "forget": lambda s: s.forget(CLAIM, NONE),
    "complete": lambda s: s.complete(CLAIM, "fp", UnitResult()),
    "fail": lambda s: s.fail(CLAIM, "boom", None),
    "release": lambda s: s.release(CLAIM),
    "reap": lambda s: s.reap(),
}


def filled(path: Path, spans: int = 400) -> None:
    """Write a state file of several pages, all of it in the main file."""
    store = SQLiteStore(path)
    marks = [Completion(i * 20, i * 20 + 10, Origin.MANUAL, "s", "") for i in range(spans)]
    store.mark("f", marks, [], CHANGE)
    store.register(RUN, 0)
    store.close()


def connection(store: SQLiteStore) -> sqlite3.Connection:
    found = store._db._connection
    assert found is not None
    return found


def assert_refused(call: Callable[[], object], path: Path, *words: str) -> None:
    with pytest.raises(StoreError) as caught:
        call()
    text = str(caught.value)
    assert str(path) in text
    assert text.endswith(".")
    assert "Traceback" not in text
    for word in words:
        assert word in text


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "target" / "state.db"


def test_opening_makes_the_file_and_leaves_nothing_else(path: Path) -> None:
    SQLiteStore(path).close()
    assert [p.name for p in path.parent.iterdir()] == ["state.db"]


def test_what_was_written_is_there_after_opening_again(path: Path) -> None:
    filled(path)
    assert len(SQLiteStore(path).state("f").completions) == 400


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_damaged_file_is_told_of_by_every_verb(path: Path, verb: str) -> None:
    filled(path)
    store = SQLiteStore(path)
    data = path.read_bytes()
    path.write_bytes(data[:100] + b"\xff" * (len(data) - 100))
    try:
        VERBS[verb](store)
    except SeeknalError as error:
        assert isinstance(error, StoreError)
        assert str(path) in str(error)


@pytest.mark.parametrize("seed", range(40))
def test_wherever_a_file_is_damaged_no_error_but_seeknals_is_raised(path: Path, seed: int) -> None:
    filled(path, spans=30)
    dice = random.Random(seed)
    data = bytearray(path.read_bytes())
    for _ in range(dice.choice([1, 3, 30])):
        data[dice.randrange(len(data))] = dice.randrange(256)
    path.write_bytes(data)
    with suppress(SeeknalError):
        store = SQLiteStore(path)
        for verb in VERBS.values():
            with suppress(SeeknalError):
                verb(store)
        store.close()


@pytest.mark.parametrize("size", [1, 50, 99, 4096, 10_000])
def test_a_truncated_file_is_refused_and_left(path: Path, size: int) -> None:
    filled(path)
    data = path.read_bytes()[:size]
    path.write_bytes(data)
    assert_refused(lambda: SQLiteStore(path).state("f"), path, "damaged")
    assert path.read_bytes() == data


def test_an_empty_file_is_refused_and_left(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    assert_refused(lambda: SQLiteStore(path), path, "cut off", "copy")
    assert path.read_bytes() == b""


def test_a_file_that_is_no_database_is_refused_and_left(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("{'completed': []}\n" * 1000)
    before = path.read_bytes()
    assert_refused(lambda: SQLiteStore(path), path, "damaged")
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_left(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE songs (title)")
    other.close()
    before = path.read_bytes()
    assert_refused(lambda: SQLiteStore(path), path, "not a state file")
    assert path.read_bytes() == before


def test_a_newer_file_is_refused_and_left(path: Path) -> None:
    filled(path)
    newer = sqlite3.connect(path)
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = path.read_bytes()
    assert_refused(lambda: SQLiteStore(path), path, "newer", "99", "Upgrade")
    assert path.read_bytes() == before


def test_an_older_file_is_refused_and_left(path: Path) -> None:
    filled(path)
    older = sqlite3.connect(path)
    older.execute(f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    older.close()
    before = path.read_bytes()
    assert_refused(lambda: SQLiteStore(path), path, "older", "-wal", "seeknal state rebuild")
    assert path.read_bytes() == before


def test_a_lost_file_whose_log_is_there_is_refused(path: Path) -> None:
    store = SQLiteStore(path)
    store.mark("f", [], [], CHANGE)
    path.unlink()
    assert_refused(lambda: SQLiteStore(path), path, "state.db-wal")
    assert not path.exists()


def test_a_folder_in_the_files_place_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    assert_refused(lambda: SQLiteStore(path), path)


def test_a_file_in_the_folders_place_is_refused(path: Path) -> None:
    path.parent.touch()
    assert_refused(lambda: SQLiteStore(path), path, "Check the path")


def test_a_folder_that_cannot_be_written_is_refused(plain_folder: Path) -> None:
    path = plain_folder / "project" / "state.db"
    filled(path)
    path.chmod(0o400)
    path.parent.chmod(0o500)
    try:
        assert_refused(lambda: VERBS["mark"](SQLiteStore(path)), path, "write")
    finally:
        path.parent.chmod(0o700)


def test_a_file_that_cannot_be_written_is_refused_and_left(path: Path) -> None:
    filled(path)
    store = SQLiteStore(path)
    before = store.state("f")
    connection(store).execute("PRAGMA query_only = ON")
    assert_refused(lambda: VERBS["register"](store), path)
    assert_refused(lambda: VERBS["mark"](store), path, "cannot be written")
    assert store.state("f") == before


def test_a_full_disk_changes_nothing(path: Path) -> None:
    filled(path)
    store = SQLiteStore(path)
    before = store.state("f"), store.audit()
    pages = connection(store).execute("PRAGMA page_count").fetchone()[0]
    connection(store).execute(f"PRAGMA max_page_count = {pages}")
    marks = [Completion(i * 20 + 5, i * 20 + 15, Origin.RUN, "s", "") for i in range(5000)]
    assert_refused(lambda: store.mark("f", marks, [], CHANGE), path, "full", "Free some space")
    assert (store.state("f"), store.audit()) == before
    connection(store).execute("PRAGMA max_page_count = 1000000")
    store.mark("f", marks, [], CHANGE)


def test_a_lock_that_is_not_let_go_is_told_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(path)
    monkeypatch.setattr(sqlite_db, "BUSY_SECONDS", 0.05)
    store = SQLiteStore(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="locked by another process"):
        store.register(RUN, 0)
    assert len(store.state("f").completions) == 400  # readers are not in a writer's way
    other.close()


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_a_closed_store_says_so(path: Path, verb: str) -> None:
    store = SQLiteStore(path)
    store.close()
    store.close()
    assert_refused(lambda: VERBS[verb](store), path, "closed")


def test_a_value_that_nobody_wrote_is_damage(path: Path) -> None:
    filled(path)
    store = SQLiteStore(path)
    connection(store).execute("UPDATE completions SET origin = 'magic'")
    assert_refused(lambda: store.state("f"), path, "damaged", "magic")
    connection(store).execute("UPDATE run_specs SET planned = '[' WHERE run = 'r1'")
    assert_refused(lambda: store.run("r1"), path, "damaged", "r1")
    connection(store).execute("UPDATE run_specs SET spec = '[1', options = '7' WHERE run = 'r1'")
    assert_refused(lambda: store.specs("f"), path, "damaged")
    assert_refused(lambda: store.steer("r1", {"priority": 1}), path, "damaged")


def test_an_interrupted_verb_leaves_the_store_usable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SQLiteStore(path)
    monkeypatch.setattr(store, "_audit", raising(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        VERBS["mark"](store)
    monkeypatch.undo()
    assert store.state("f").completions == ()
    VERBS["mark"](store)
    assert len(store.state("f").completions) == 1


def test_what_is_done_together_is_seen_at_once_or_never(path: Path) -> None:
    store, other = SQLiteStore(path), SQLiteStore(path)
    with store.together():
        store.mark("f", [Completion(0, 10, Origin.MANUAL, "s", "")], [], CHANGE)
        store.mark("g", [Completion(0, 10, Origin.MANUAL, "s", "")], [], CHANGE)
        assert store.flows() == ["f", "g"]
        assert other.flows() == []
    assert other.flows() == ["f", "g"]
    with pytest.raises(KeyboardInterrupt), store.together():
        VERBS["mark"](store)
        store.mark("h", [Completion(0, 10, Origin.MANUAL, "s", "")], [], CHANGE)
        raise KeyboardInterrupt
    assert store.flows() == ["f", "g"]
    assert len(store.audit()) == 2


def test_of_what_is_done_together_one_that_breaks_is_undone_alone(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SQLiteStore(path)
    with store.together():
        store.mark("g", [Completion(0, 10, Origin.MANUAL, "s", "")], [], CHANGE)
        monkeypatch.setattr(store, "_audit", raising(ZeroDivisionError()))
        with pytest.raises(ZeroDivisionError):
            VERBS["mark"](store)
        monkeypatch.undo()
        store.mark("h", [Completion(0, 10, Origin.MANUAL, "s", "")], [], CHANGE)
    assert store.flows() == ["g", "h"]


def test_a_full_disk_undoes_all_that_was_done_together(path: Path) -> None:
    filled(path)
    store = SQLiteStore(path)
    before = store.state("f"), store.flows()
    pages = connection(store).execute("PRAGMA page_count").fetchone()[0]
    connection(store).execute(f"PRAGMA max_page_count = {pages + 2}")
    marks = [Completion(i * 20 + 5, i * 20 + 15, Origin.RUN, "s", "") for i in range(5000)]

    def together() -> None:
        with store.together():
            store.mark("g", marks[:1], [], CHANGE)
            store.mark("f", marks, [], CHANGE)

    assert_refused(together, path, "full", "Free some space")
    assert (store.state("f"), store.flows()) == before
    connection(store).execute("PRAGMA max_page_count = 1000000")
    together()
    assert store.flows() == ["f", "g"]
