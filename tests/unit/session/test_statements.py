"""Real DuckDB: what a session reads, writes and refuses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from seeknal.engine import provenance
from seeknal.engine.render import render
from seeknal.engine.session import Engine, Settings
from seeknal.engine.source import Query, Source
from seeknal.errors import (
    ConfigError,
    DataUnavailableError,
    PermanentQueryError,
    QueryError,
    SeeknalError,
)
from tests.unit.session.databases import DAY, HOURS, WINDOW, make, over, rows_of


def test_a_unit_is_copied(engine: Engine, database: Path, tmp_path: Path) -> None:
    query = over(database, f"SELECT * FROM events WHERE {WINDOW}")
    target = tmp_path / "it's out.part"
    with engine.session(query) as session:
        metadata = {"seeknal_flow": "é'\"", "seeknal_token": "7"}
        assert session.copy(render(query, DAY), target, metadata) == 24
    assert [row[0] for row in rows_of_any(target)] == list(range(48, 72))
    assert provenance.read(target) == metadata


def rows_of_any(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        sql = "SELECT * FROM read_parquet([?]) ORDER BY ALL"
        return connection.execute(sql, [str(path)]).fetchall()


def test_a_rerun_writes_the_same_bytes(engine: Engine, database: Path, tmp_path: Path) -> None:
    sql = "SELECT id % 7 AS g, count(*) AS n, list(id) AS l FROM events GROUP BY g ORDER BY g"
    written = []
    for number in range(3):
        target = tmp_path / f"{number}.part"
        with engine.session(over(database, sql)) as session:
            session.copy(sql, target, {"a": "b"})
        written.append(target.read_bytes())
    assert written[0] == written[1] == written[2]


def test_an_empty_result_is_a_file(engine: Engine, database: Path, tmp_path: Path) -> None:
    with engine.session(over(database)) as session:
        assert session.copy("SELECT * FROM events WHERE false", tmp_path / "x.part") == 0
    assert rows_of(tmp_path / "x.part") == []


def test_run_computes_everything_and_keeps_nothing(engine: Engine, database: Path) -> None:
    with engine.session(over(database)) as session:
        assert session.run("SELECT * FROM events") == 240
        assert session.run("SELECT * FROM events WHERE false") == 0
        with pytest.raises(QueryError, match="timestamp"):
            session.run("SELECT id, (event_time::VARCHAR || 'x')::TIMESTAMP AS t FROM events")


@pytest.mark.parametrize("name", ["it's", 'a "b"', "ünï cödé", "main", "memory", "1.x", "a;b", "?"])
def test_odd_file_names(engine: Engine, tmp_path: Path, name: str) -> None:
    path = make(tmp_path / f"{name}.duckdb")
    with engine.session(over(path)) as session:
        assert session.run("SELECT * FROM events JOIN late USING (id)") == 140
        assert session.copy("SELECT * FROM late", tmp_path / "x.part") == 140


def test_tables_may_be_qualified_as_in_duckdbs_shell(engine: Engine, database: Path) -> None:
    with engine.session(over(database)) as session:
        assert session.run("SELECT * FROM raw_events.main.events") == 240
    with engine.session(over(database, name="shop")) as session:
        assert session.run("SELECT * FROM shop.events JOIN main.late USING (id)") == 140


@pytest.mark.parametrize(
    ("kind", "options", "form"),
    [
        ("parquet", {}, "FORMAT parquet"),
        ("csv", {"header": True, "delim": ";"}, "FORMAT csv, HEADER, DELIMITER ';'"),
        ("json", {"format": "newline_delimited"}, "FORMAT json"),
    ],
)
def test_files_and_globs(
    engine: Engine, tmp_path: Path, kind: str, options: dict[str, object], form: str
) -> None:
    with duckdb.connect() as connection:
        for part in (0, 1):
            connection.execute(
                f"COPY ({HOURS} FROM range({part * 60}, {part * 60 + 60}) r(i)) "
                f"TO '{tmp_path}/in{part}.{kind}' ({form})"
            )
    for paths in (
        (f"{tmp_path}/in*.{kind}",),
        (f"{tmp_path}/in0.{kind}", f"{tmp_path}/in1.{kind}"),
    ):
        steps = (f"SELECT * FROM {{}} WHERE {WINDOW}", "SELECT id + 0 AS id FROM __THIS__")
        for name in ("events", "__THIS__"):
            query = Query(
                Source(kind, paths, "events", options), (steps[0].format(name), *steps[1:])
            )
            with engine.session(query) as session:
                assert session.copy(render(query, DAY), tmp_path / "x.part") == 24
                assert session.extent() == (1704067200.0, 1704067200.0 + 119 * 3600)


@pytest.mark.parametrize(
    ("sql", "error", "says"),
    [
        ("SELECT * FROM evnts", PermanentQueryError, 'Did you mean "events".*near evnts'),
        ("SELECT *\nFROM events\nWHERE idd = 1", PermanentQueryError, r'"id".*\(line 3, near idd'),
        ("SELECT * FROM events WHERE", PermanentQueryError, "syntax error"),
        ("SELECT sum('a')", PermanentQueryError, "explicit type casts"),
        ("SELECT 'x'::DATE", QueryError, "invalid date"),
        ("SELECT error('mine')", QueryError, "mine"),
        ("SELECT repeat('x', 10000000000)", QueryError, "string of size"),
        ("SELECT * FROM '{tmp}/secret.txt'", PermanentQueryError, "secret"),
        ("SELECT * FROM read_text('{tmp}/secret.txt')", PermanentQueryError, "outside"),
        ("SELECT * FROM glob('{tmp}/*')", PermanentQueryError, "outside"),
        ("SELECT * FROM read_duckdb('{tmp}/other.duckdb')", PermanentQueryError, "outside"),
        ("SELECT * FROM rows", PermanentQueryError, "rows"),
        ("SELECT * FROM read_parquet('s3://bucket/x.parquet')", SeeknalError, "The "),
    ],
)
def test_errors_are_a_readable_line(
    engine: Engine, database: Path, tmp_path: Path, sql: str, error: type[Exception], says: str
) -> None:
    rows = [1]  # what a replacement scan would find
    (tmp_path / "secret.txt").write_text(str(rows))
    make(tmp_path / "other.duckdb")
    with engine.session(over(database)) as session:
        with pytest.raises(error, match=says) as told:
            session.run(sql.replace("{tmp}", str(tmp_path)))
        assert session.run("SELECT * FROM events") == 240
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 450


@pytest.mark.parametrize(
    "sql",
    [
        "COPY events TO '{tmp}/evil.parquet'",
        "ATTACH '{tmp}/evil.duckdb' AS evil",
        "SET enable_external_access = true",
        "SET allowed_directories = ['/']",
        "RESET allowed_directories",
        "INSERT INTO events VALUES (1, NULL)",
        "DROP TABLE events",
        "CREATE TABLE raw_events.main.t AS SELECT 1",
        "SELECT * FROM enable_profiling(save_location = '{tmp}/evil.json')",
        "EXPORT DATABASE '{tmp}/evil'",
        "INSTALL httpfs",
    ],
)
def test_the_sandbox_holds_below_the_rule_of_one_select(
    engine: Engine, database: Path, tmp_path: Path, sql: str
) -> None:
    before = set(tmp_path.iterdir()), database.read_bytes()
    with engine.session(over(database)) as session:
        try:
            session.fetch(sql.replace("{tmp}", str(tmp_path)))
        except SeeknalError:
            pass
        else:
            pytest.fail(f"{sql} ran")
    assert (set(tmp_path.iterdir()), database.read_bytes()) == before


def test_a_target_elsewhere_is_reached_when_the_caller_writes_there(
    database: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "other").mkdir()
    settings = Settings(directories=(tmp_path / "out",))
    with Engine(settings) as engine, engine.session(over(database)) as session:
        assert session.copy("FROM events", tmp_path / "out" / "x.part") == 240
        assert session.copy("FROM events", tmp_path / "other" / "x.part") == 240
        assert session.copy("FROM events", tmp_path / "out" / "y.part") == 240


def test_inputs_that_are_not_there(engine: Engine, tmp_path: Path) -> None:
    missing = over(tmp_path / "nope.duckdb")
    with pytest.raises(DataUnavailableError, match=r"nope\.duckdb"):
        engine.session(missing)
    (tmp_path / "text.duckdb").write_text("no database " * 1000)
    with pytest.raises(DataUnavailableError, match="not a valid DuckDB database"):
        engine.session(over(tmp_path / "text.duckdb"))
    query = Query(Source("parquet", (f"{tmp_path}/*.parquet",)), ("FROM __THIS__",))
    with engine.session(query) as session, pytest.raises(DataUnavailableError, match="No files"):
        session.run(render(query, DAY))
    with pytest.raises(ConfigError, match="unknown"):
        engine.session(Query(Source("xml", ("/x",)), ("SELECT 1",)))
    with pytest.raises(ConfigError, match="one path"):
        engine.session(Query(Source("database", ("/x", "/y")), ("SELECT 1",)))


def test_times_are_utc_wherever_the_process_is(database: Path) -> None:
    code = f"""
from seeknal.engine.session import Engine
from seeknal.engine.source import Query, Source
with Engine().session(Query(Source("database", ({str(database)!r},)), ("SELECT 1",))) as s:
    print(s.fetch("SELECT current_setting('TimeZone'), epoch(TIMESTAMPTZ '2024-01-01 00:00:00')"))
"""
    environment = {**os.environ, "TZ": "Asia/Kathmandu"}
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert out.stdout.strip() == "[('UTC', 1704067200.0)]"


@pytest.mark.parametrize(
    "kind", ["TIMESTAMP", "TIMESTAMPTZ", "DATE", "TIMESTAMP_S", "TIMESTAMP_NS"]
)
@pytest.mark.parametrize("as_file", [True, False])
def test_extent_of_every_type(engine: Engine, tmp_path: Path, kind: str, as_file: bool) -> None:
    path = tmp_path / "in.parquet"
    table = tmp_path / "t.duckdb"
    rows = f"SELECT x::{kind} AS t FROM (VALUES ('2024-01-03'), ('1969-12-31'), (NULL)) v(x)"
    with duckdb.connect(str(table)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute(f"CREATE TABLE input AS {rows}")
        connection.execute(f"COPY input TO '{path}' (FORMAT parquet)")
    source = (
        Source("parquet", (str(path),), "input") if as_file else Source("database", (str(table),))
    )
    steps = ("SELECT * FROM input WHERE t >= '__START__' AND t < '__END__'",)
    with engine.session(Query(source, steps)) as session:
        assert session.extent() == (-86400.0, 1704240000.0)
        assert session.run(render(Query(source, steps), DAY)) == 1
