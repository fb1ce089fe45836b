"""Publishing: one file per unit, whole or not at all, and never an older one over a newer."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeknal.engine.literals import text
from seeknal.errors import LeaseLostError, OutputError
from seeknal.outputs import durable, staging
from seeknal.outputs.parquet import RESERVED_COLUMNS, ParquetOutput
from seeknal.workflow.units import Unit, parse_stamp
from tests.publishing import publish_staged

DAY = Unit("f", parse_stamp("20240103T000000Z"), parse_stamp("20240104T000000Z"))
NEXT = Unit("f", parse_stamp("20240104T000000Z"), parse_stamp("20240105T000000Z"))


@pytest.fixture
def output(tmp_path: Path) -> ParquetOutput:
    return ParquetOutput(tmp_path / "out")


def write(path: Path, value: object = 1, token: int | None = None) -> None:
    kept = "" if token is None else f", KV_METADATA {{seeknal_token: '{token}'}}"
    shown = text(value) if isinstance(value, str) else repr(value)
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT {shown} AS a) TO {text(str(path))} (FORMAT parquet{kept})"
        )


def publish(output: ParquetOutput, unit: Unit, token: int, value: object = 1) -> Path:
    staged = output.stage(unit, token)
    write(staged, value, token)
    return publish_staged(output, staged, unit, token)


def read(root: Path, columns: str = "a") -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        sql = f"SELECT {columns} FROM read_parquet([?]) ORDER BY ALL"
        return connection.execute(sql, [f"{root}/**/*.parquet"]).fetchall()


def test_the_path_depends_on_the_unit_alone(tmp_path: Path) -> None:
    output = ParquetOutput(tmp_path)
    assert output.path(DAY).relative_to(tmp_path) == Path(
        "interval_month=2024-01/20240103T000000Z_20240104T000000Z.parquet"
    )
    last = Unit("f", parse_stamp("20231231T235959Z"), parse_stamp("20240101T000000Z"))
    assert output.path(last).parent.name == "interval_month=2023-12"
    assert output.path(Unit("f", value="EU")).parent.name == "partition_value=EU"


def test_a_published_unit_is_read_by_one_glob(output: ParquetOutput) -> None:
    publish(output, DAY, 5, 1)
    publish(output, NEXT, 5, 2)
    staged = output.stage(NEXT, 6)
    write(staged, 3)
    assert read(output.root) == [(1,), (2,)]
    assert read(output.root, "a, interval_month") == [(1, "2024-01"), (2, "2024-01")]
    assert output.published(DAY) == {"seeknal_token": "5"}
    assert output.published(Unit("f", 0, 1)) is None


VALUES = ["EU", "eu", "", ".", "..", "a/b", "a b", "é'\"$", "%41", "=", "*?[x]", "\n", "CON", "~",
          "x" * 5000, "x" * 5000 + "y", "😀" * 90, "2024-01-01", "null", "NULL",
          "__HIVE_DEFAULT_PARTITION__", "\\", ":"]  # fmt: skip


def test_any_value_has_a_directory_of_its_own(output: ParquetOutput) -> None:
    for value in VALUES:
        publish(output, Unit("f", value=value), 1, value)
    assert len(list(output.root.glob("**/*.parquet"))) == len(VALUES)
    assert all(len(part) < 255 for p in output.root.glob("**/*") for part in p.parts)
    assert all(p.is_relative_to(output.root) for p in output.root.glob("**/*"))
    short = [v for v in VALUES if len(v) < 80]
    found = [(a, p) for a, p in read(output.root, "a, partition_value") if len(str(a)) < 80]
    assert sorted(found) == sorted((value, value) for value in short)


def test_case_alone_tells_files_apart(output: ParquetOutput) -> None:
    first, second = (output.path(Unit("f", value=v)) for v in ("EU", "eu"))
    assert str(first).lower() != str(second).lower()


@given(value=st.text(), other=st.text())
def test_values_never_share_a_path(value: str, other: str) -> None:
    output = ParquetOutput(Path("/out"))
    first, second = (output.path(Unit("f", value=v)) for v in (value, other))
    assert (first == second) == (value == other)
    assert len(first.relative_to("/out").parts) == 2
    assert first.suffix == ".parquet"


def test_a_column_of_a_reserved_name_is_shadowed(output: ParquetOutput) -> None:
    staged = output.stage(DAY, 1)
    with duckdb.connect() as connection:
        connection.execute(
            f"COPY (SELECT 'mine' AS interval_month, 1 AS month) TO '{staged}' (FORMAT parquet)"
        )
    publish_staged(output, staged, DAY, 1)
    assert read(output.root, "interval_month, month") == [("2024-01", 1)]
    assert "interval_month" in RESERVED_COLUMNS


def test_staging_names_are_unique_and_unseen(output: ParquetOutput) -> None:
    staged = {output.stage(DAY, 1) for _ in range(100)}
    assert len(staged) == 100
    for path in staged:
        assert path.is_relative_to(output.root)
        assert path.suffix != ".parquet"
        assert "*" not in path.name


def test_replacing_is_one_step(output: ParquetOutput) -> None:
    """Whoever reads while a unit is republished sees one whole file or the other."""
    publish(output, DAY, 1, "x" * 10)
    seen: set[object] = set()
    stop = threading.Event()

    def reading() -> None:
        while not stop.is_set():
            seen.update(read(output.root))

    reader = threading.Thread(target=reading)
    reader.start()
    for token in range(2, 40):
        publish(output, DAY, token, "xy"[token % 2] * 10)
    stop.set()
    reader.join()
    assert seen <= {("x" * 10,), ("y" * 10,)}
    assert len(list(output.root.glob("**/*.parquet"))) == 1


def test_publishing_again_changes_nothing_else(output: ParquetOutput) -> None:
    publish(output, NEXT, 1, 7)
    for _ in range(3):
        publish(output, DAY, 4, 1)
    assert read(output.root) == [(1,), (7,)]


def test_an_older_token_is_refused(output: ParquetOutput) -> None:
    publish(output, DAY, 9, "new")
    staged = output.stage(DAY, 8)
    write(staged, "old", 8)
    with pytest.raises(LeaseLostError, match="token 9, ours is 8"):
        publish_staged(output, staged, DAY, 8)
    assert read(output.root) == [("new",)]
    output.discard(staged)
    output.discard(staged)
    assert not staged.exists()


@pytest.mark.parametrize("found", ["broken", "foreign", "nonsense"])
def test_what_carries_no_token_is_replaced(output: ParquetOutput, found: str) -> None:
    target = output.path(DAY)
    target.parent.mkdir(parents=True)
    if found == "broken":
        target.write_bytes(b"PAR1 cut off")
    elif found == "foreign":
        write(target)
    else:
        with duckdb.connect() as connection:
            kept = "KV_METADATA {seeknal_token: 'x'}"
            connection.execute(f"COPY (SELECT 1) TO '{target}' (FORMAT parquet, {kept})")
    publish(output, DAY, 1, 5)
    assert read(output.root) == [(5,)]


def test_superseded_shapes_are_removed(output: ParquetOutput) -> None:
    hours = [Unit("f", DAY.start + h * 3600, DAY.start + (h + 1) * 3600) for h in range(24)]
    for hour in hours:
        publish(output, hour, 2)
    publish(output, DAY, 3, "day")
    output.remove(hours)
    output.remove(hours)
    assert read(output.root) == [("day",)]
    output.remove([DAY], token=2)
    assert read(output.root) == [("day",)]
    output.remove([DAY], token=3)
    assert output.published(DAY) is None


def test_a_file_and_the_directory_for_it_are_made_durable(
    output: ParquetOutput, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    sync_file = durable.sync_file

    def sync(path: Path) -> int:
        steps.append(f"file {path.suffix}")
        return sync_file(path)

    monkeypatch.setattr(durable, "sync_file", sync)
    monkeypatch.setattr(durable, "sync_directory", lambda path: steps.append(f"dir {path.name}"))
    staged = output.stage(DAY, 1)
    write(staged)
    steps.clear()
    assert output.make_durable(staged, DAY) == staged.stat().st_size
    assert steps == ["file .part", f"dir {output.root.name}"]
    steps.clear()
    output.make_durable(staged, DAY)
    assert steps == ["file .part"], "the directory is there by now"


def stage_elsewhere(root: Path, how: str) -> Path:
    code = (
        "import os; from pathlib import Path; from seeknal.outputs.parquet import ParquetOutput;"
        "from seeknal.workflow.units import Unit;"
        f"p = ParquetOutput(Path({str(root)!r})).stage(Unit('f', 0, 60), 1); p.write_text('x');"
        f"print(p, flush=True); {how}"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                             check=False)  # fmt: skip
    return Path(process.stdout.strip())


def test_leftovers_of_a_killed_process_are_swept(output: ParquetOutput) -> None:
    dead = stage_elsewhere(output.root, "os.kill(os.getpid(), 9)")
    assert dead.exists()
    mine = output.stage(DAY, 1)
    mine.write_text("being written")
    assert output.sweep() == 1
    assert mine.exists()
    assert not dead.exists()


def test_leftovers_from_elsewhere_are_swept_by_age(output: ParquetOutput) -> None:
    mine = output.stage(DAY, 1)
    mine.write_text("x")
    now = mine.stat().st_mtime
    foreign = mine.with_name("another-machine.1" + mine.name)
    foreign.write_text("x")
    os.utime(foreign, (now, now))
    assert output.sweep(now) == 0
    assert output.sweep(now + staging.DEAD_AFTER - 1) == 0
    assert output.sweep(now + staging.DEAD_AFTER + 1) == 2
    assert ParquetOutput(output.root / "nowhere").sweep() == 0


def refuse(number: int) -> None:
    raise OSError(number, os.strerror(number))


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "make room"),
        (errno.EROFS, "can be written"),
        (errno.EACCES, "the right to write"),
        (errno.EIO, "check that path"),
    ],
)
@pytest.mark.parametrize("step", ["sync_file", "make_directory", "sync_directory"])
def test_what_the_file_system_refuses_is_told(
    output: ParquetOutput, monkeypatch: pytest.MonkeyPatch, number: int, advice: str, step: str
) -> None:
    staged = output.stage(DAY, 1)
    write(staged)
    monkeypatch.setattr(durable, step, lambda _: refuse(number))
    with pytest.raises(OutputError, match=advice) as told:
        publish_staged(output, staged, DAY, 1)
    assert "\n" not in str(told.value)
    assert str(output.root) in str(told.value)


def test_a_file_where_a_directory_belongs(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(OutputError, match="a file stands where a directory is needed"):
        ParquetOutput(tmp_path / "out").stage(DAY, 1)


def test_a_directory_without_the_right_to_write(plain_folder: Path) -> None:
    (plain_folder / "out").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="the right to write"):
        ParquetOutput(plain_folder / "out").stage(DAY, 1)


def test_a_staged_file_that_vanished(output: ParquetOutput) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        publish_staged(output, output.stage(DAY, 1), DAY, 1)
    assert output.published(DAY) is None


def test_a_directory_removed_meanwhile_is_made_again(output: ParquetOutput) -> None:
    publish(output, DAY, 1)
    output.path(DAY).unlink()
    output.path(DAY).parent.rmdir()
    publish(output, DAY, 2)
    assert read(output.root) == [(1,)]


def test_a_broken_file_has_no_provenance(output: ParquetOutput) -> None:
    target = output.path(DAY)
    target.parent.mkdir(parents=True)
    target.write_text("no parquet")
    with pytest.raises(OutputError, match="remove it and run its unit again"):
        output.published(DAY)
