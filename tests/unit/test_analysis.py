"""What is said of SQL before it runs: is it valid, which column is its time, is it the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from seeknal.engine import analysis
from seeknal.engine.session import Engine, Session, Settings
from seeknal.engine.source import Query, Source
from seeknal.errors import PermanentQueryError, SeeknalError, UsageError

WINDOW = "event_time >= '__START__' AND event_time < '__END__'"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = str(tmp_path_factory.mktemp("data") / "shop.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("""
            CREATE TABLE events (id INT, event_time TIMESTAMP, day DATE, moment TIMESTAMPTZ,
                                 written VARCHAR, seconds BIGINT, region VARCHAR);
            CREATE TABLE orders (id INT, order_time TIMESTAMP, amount INT);
            CREATE VIEW recent AS SELECT id, event_time AS happened FROM events;
            CREATE SCHEMA raw;
            CREATE TABLE raw.clicks (event_time TIMESTAMP);
            INSERT INTO events VALUES
                (1, '2024-01-02 03:04:05.5', '2024-01-02', '2024-01-02 03:04:05+02',
                 '2024-01-02 10:00:00', 1704164645, 'EU'),
                (2, '2024-01-05', '2024-01-07', NULL, NULL, NULL, NULL),
                (3, 'infinity', '-infinity', 'infinity', NULL, NULL, 'it''s');
            INSERT INTO orders VALUES (1, '2024-01-02', 3);
        """)
    return path


def opened(engine: Engine, database: str, *steps: str, **declared: str) -> Session:
    return engine.session(Query(Source("database", (database,)), steps, **declared))


JOIN = "events e JOIN orders o ON e.id = o.id"


@pytest.mark.parametrize(
    ("sql", "column"),
    [
        (f"SELECT * FROM events WHERE {WINDOW}", "events.event_time"),
        ("SELECT * FROM events WHERE event_time BETWEEN '__START__' AND __END__",
         "events.event_time"),
        ("SELECT * FROM events WHERE '__START__' <= day AND '__END__' > day", "events.day"),
        ("SELECT * FROM events e WHERE e.moment >= __START__ AND e.moment < __END__",
         "events.moment"),
        ('SELECT * FROM "events" WHERE ("day") >= __START__ AND DAY < __END__', "events.day"),
        ("SELECT * FROM events WHERE event_time::DATE >= DATE '__START__' "
         "AND CAST(event_time AS DATE) < DATE '__END__'", "events.event_time"),
        ("SELECT * FROM events WHERE written::TIMESTAMP >= '__START__' "
         "AND TRY_CAST(written AS TIMESTAMP) < '__END__'", "events.written"),
        ("SELECT * FROM events WHERE date_trunc('hour', event_time) >= '__START__' "
         "AND event_time < '__END__'", "events.event_time"),
        ("SELECT * FROM events WHERE to_timestamp(seconds) >= '__START__' "
         "AND to_timestamp(seconds) < '__END__'", "events.seconds"),
        ("WITH w AS (SELECT id, event_time AS t FROM events) SELECT * FROM w "
         "WHERE t >= '__START__' AND t < '__END__'", "events.event_time"),
        ("WITH w AS (SELECT * FROM events), v AS (SELECT day AS d FROM w) SELECT * FROM v "
         "WHERE d >= '__START__' AND d < '__END__'", "events.day"),
        (f"SELECT * FROM (SELECT *, event_time::TIMESTAMPTZ AS z FROM events) WHERE {WINDOW}",
         "events.event_time"),
        ("SELECT * FROM (SELECT *, day::TIMESTAMP AS z FROM events) "
         "WHERE z >= '__START__' AND z < '__END__'", "events.day"),
        ("SELECT * FROM events JOIN orders USING (id) "
         "WHERE order_time >= '__START__' AND order_time < '__END__'", "orders.order_time"),
        (f"SELECT * FROM {JOIN} WHERE e.event_time >= '__START__' AND e.event_time < '__END__' "
         "AND o.order_time < '__END__'", "events.event_time"),
        (f"SELECT * FROM events e LEFT JOIN orders o ON e.id = o.id AND {WINDOW}",
         "events.event_time"),
        ("SELECT * FROM recent WHERE happened >= '__START__' AND happened < '__END__'",
         "recent.happened"),
        (f"SELECT * FROM raw.clicks WHERE {WINDOW}", "raw.clicks.event_time"),
        (f"SELECT * FROM shop.main.events WHERE {WINDOW}", "shop.main.events.event_time"),
        (f"FROM events SELECT count(*) WHERE {WINDOW} GROUP BY ALL", "events.event_time"),
        (f"SELECT count(*) FILTER ({WINDOW}) FROM events", "events.event_time"),
        (f"SELECT id FROM orders WHERE id IN (SELECT id FROM events WHERE {WINDOW})",
         "events.event_time"),
        ("SELECT id FROM events e WHERE EXISTS (SELECT 1 FROM orders o WHERE o.id = e.id "
         "AND e.day >= '__START__' AND e.day < '__END__')", "events.day"),
        (f"SELECT id, '__START__' AS s FROM events WHERE {WINDOW} "
         f"UNION ALL SELECT id, '__END__' FROM events WHERE {WINDOW}", "events.event_time"),
        ("SELECT * FROM events WHERE year(day) = 2024 AND moment >= __START__ AND moment < __END__",
         "events.moment"),
        ("SELECT * EXCLUDE (day) FROM events e WHERE e.event_time >= __START__ - INTERVAL 1 HOUR "
         "AND e.event_time < __END__", "events.event_time"),
    ],
)  # fmt: skip
def test_the_time_column_is_the_one_compared(
    engine: Engine, database: str, sql: str, column: str
) -> None:
    with opened(engine, database, sql) as session:
        analysis.check(session)
        found = analysis.time_column(session)
        assert str(found) == column
        session.extent()


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        (f"SELECT * FROM {JOIN} WHERE e.event_time >= '__START__' AND e.event_time < '__END__' "
         "AND o.order_time >= '__START__' AND o.order_time < '__END__'",
         "several columns .*events.event_time, orders.order_time.* set time_column"),
        ("SELECT '__START__', '__END__' FROM events", "set time_column"),
        ("SELECT * FROM (SELECT max(event_time) m FROM events) "
         "WHERE m >= '__START__' AND m < '__END__'", "set time_column"),
        ("SELECT * FROM events WHERE event_time + (moment - moment) >= '__START__' "
         "AND '__END__' > now()", "set time_column"),
        ("WITH u AS (SELECT event_time t FROM events UNION SELECT order_time FROM orders) "
         "SELECT * FROM u WHERE t >= '__START__' AND t < '__END__'", "several columns"),
    ],
)  # fmt: skip
def test_an_unclear_time_column_is_to_be_declared(
    engine: Engine, database: str, sql: str, says: str
) -> None:
    with opened(engine, database, sql) as session, pytest.raises(UsageError, match=says):
        analysis.time_column(session)


@pytest.mark.parametrize(
    ("declared", "column"),
    [("event_time", "events.event_time"), ("events.day", "events.day"), ("MOMENT", "events.MOMENT"),
     ("orders.order_time", "orders.order_time"), ("raw.clicks.event_time",
                                                  "raw.clicks.event_time")],
)  # fmt: skip
def test_a_declared_time_column_is_taken(
    engine: Engine, database: str, declared: str, column: str
) -> None:
    sql = f"SELECT e.* FROM {JOIN} WHERE '__START__' < '__END__'"
    with opened(engine, database, sql, time_column=declared) as session:
        found = analysis.time_column(session)
        assert str(found) == column
        session.extent()


@pytest.mark.parametrize(("declared", "says"), [("nope", "no table"), ("id", "events, orders")])
def test_a_declared_time_column_must_be_one(
    engine: Engine, database: str, declared: str, says: str
) -> None:
    sql = f"SELECT * FROM {JOIN} WHERE e.day >= '__START__' AND e.day < '__END__'"
    with (
        opened(engine, database, sql, time_column=declared) as session,
        pytest.raises(UsageError, match=says),
    ):
        analysis.time_column(session)


@pytest.mark.parametrize(
    ("column", "extent"),
    [
        ("event_time", (1704164645.5, 1704412800.0)),
        ("day", (1704153600.0, 1704585600.0)),
        ("moment", (1704157445.0, 1704157445.0)),
        ("written::TIMESTAMP", (1704189600.0, 1704189600.0)),
        ("written::TIMESTAMPTZ", (1704189600.0, 1704189600.0)),
        ("to_timestamp(seconds)", (1704164645.0, 1704164645.0)),
        ("event_time + INTERVAL 1 HOUR", (1704168245.5, 1704416400.0)),
        ("date_trunc('day', moment)", (1704157445.0, 1704157445.0)),
    ],
)
def test_extent_in_utc_seconds(
    engine: Engine, database: str, column: str, extent: tuple[float, float]
) -> None:
    sql = f"SELECT * FROM events WHERE {column} >= '__START__' AND {column} < '__END__'"
    with opened(engine, database, sql) as session:
        assert session.extent() == extent


def test_no_rows_no_extent(engine: Engine, database: str) -> None:
    with opened(engine, database, f"SELECT * FROM raw.clicks WHERE {WINDOW}") as session:
        assert session.extent() is None


def test_numbers_are_no_times(engine: Engine, database: str) -> None:
    sql = "SELECT * FROM events WHERE seconds >= epoch(__START__) AND seconds < epoch(__END__)"
    with (
        opened(engine, database, sql) as session,
        pytest.raises(UsageError, match="seconds is of type BIGINT"),
    ):
        session.extent()


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("region = '__PARTITION__'", ["EU", "it's"]),
        ("__PARTITION__ = e.region", ["EU", "it's"]),
        ("region IN ('__PARTITION__')", ["EU", "it's"]),
        ("lower(region) = '__PARTITION__'", ["eu", "it's"]),
        ("id = '__PARTITION__'", ["1", "2", "3"]),
    ],
)
def test_partitions_are_the_columns_values(
    engine: Engine, database: str, condition: str, found: list[str]
) -> None:
    with opened(engine, database, f"SELECT * FROM events e WHERE {condition}") as session:
        analysis.check(session, by_value=True)
        assert session.values() == found


def test_a_declared_partition_column_is_taken(engine: Engine, database: str) -> None:
    sql = "SELECT * FROM events WHERE concat(region, id) = '__PARTITION__'"
    with opened(engine, database, sql, partition_column="region") as session:
        assert session.values() == ["EU", "it's"]


def test_a_format_needs_no_interval(engine: Engine, database: str) -> None:
    sql = "SELECT * FROM events WHERE strftime(event_time, '%Y-%m-%d') = '__PARTITION__'"
    with opened(engine, database, sql) as session:
        analysis.check(session, partition="2024-01-01")
        assert analysis.time_column(session).name == "event_time"
        assert session.extent() == (1704164645.5, 1704412800.0)


FROM_EVENTS = f"FROM events WHERE {WINDOW}"


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        (["SELECT * FROM events"], "no __START__ and no __END__"),
        (["SELECT * FROM events WHERE event_time >= '__START__'"], "has no __END__"),
        (["SELECT * FROM events -- __START__ __END__"], "no __START__ and no __END__"),
        (['SELECT * FROM events WHERE event_time >= "__START__"'], "single quotes"),
        ([f"SELECT *\n{FROM_EVENTS}\nAND evnt_time > 1"], r'"event_time".*\(line 3, near evnt'),
        ([f"SELECT * FROM evnts WHERE {WINDOW}"], r'Did you mean "events".*near evnts'),
        ([f"SELECT nosuch(id) {FROM_EVENTS}"], "nosuch"),
        ([f"SELECT * {FROM_EVENTS}", "SELECT\n idd FROM __THIS__"],
         r'Task 2 of 2.*"id".*\(line 2, near idd'),
        ([f"SELECT *\n\n {FROM_EVENTS}\n", "SELECT id FROM __THIS__", "SELECT id FROM\n__THAT__"],
         r"Task 3 of 3.*\(line 2, near __THAT__"),
        ([f"SELECT id, count(*) {FROM_EVENTS}"], "GROUP BY"),
        ([f"SELECT * FROM __THIS__ WHERE {WINDOW}"], "__THIS__"),
        ([f"SELECT * {FROM_EVENTS} AND id = '__PARTITION__'"], "no value for"),
        ([f"SELECT * {FROM_EVENTS} AND region > '__START__'"], "cast"),
        ([], "no SQL"),
        ([f"SELECT id AS interval_month {FROM_EVENTS}"], "interval_month"),
        ([f"SELECT * FROM read_text('/etc/passwd') WHERE '__START__' < '__END__' AND {WINDOW}"],
         "outside"),
        ([f"SELECT * {FROM_EVENTS}; SELECT 1"], "2 statements"),
        ([f"DELETE {FROM_EVENTS}"], "DELETE"),
    ],
)  # fmt: skip
def test_bad_sql_is_told_in_a_line(
    engine: Engine, database: str, steps: list[str], says: str
) -> None:
    with (
        opened(engine, database, *steps) as session,
        pytest.raises((PermanentQueryError, UsageError), match=says) as told,
    ):
        analysis.check(session, reserved={"interval_month"})
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 450


def test_every_refusal_is_seeknals(engine: Engine, database: str) -> None:
    with opened(engine, database, "SELECT '__START__', '__END__', 'x'::INT") as session:
        analysis.check(session)
        with pytest.raises(SeeknalError, match="Could not convert string 'x' to INT32"):
            session.run("SELECT 'x'::INT")


def test_the_results_columns_are_returned(engine: Engine, database: str) -> None:
    with opened(engine, database, f"SELECT id, moment {FROM_EVENTS}") as session:
        assert analysis.check(session) == [
            ("id", "INTEGER"),
            ("moment", "TIMESTAMP WITH TIME ZONE"),
        ]


def test_files_are_analysed_like_tables(engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "in.parquet"
    rows = "SELECT TIMESTAMP '2024-01-01' + INTERVAL (i) HOUR AS event_time, i FROM range(9) r(i)"
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({rows}) TO '{path}' (FORMAT parquet)")
    for name in ("events", "__THIS__"):
        steps = (f"SELECT event_time AS t, i FROM {name}",
                 "SELECT * FROM __THIS__ WHERE t >= '__START__' AND t < '__END__'")  # fmt: skip
        query = Query(Source("parquet", (str(path),), "events"), steps)
        with engine.session(query) as session:
            assert analysis.check(session) == [("t", "TIMESTAMP"), ("i", "BIGINT")]
            assert session.extent() == (1704067200.0, 1704067200.0 + 8 * 3600)


SAME = f"SELECT id AS n, count(*) FROM events WHERE {WINDOW}"


def prints(*steps: str, **declared: str) -> str:
    return analysis.fingerprint(Query(Source("database", ("/x",)), steps, **declared))


@pytest.mark.parametrize(
    "same",
    [
        SAME + " ;",
        SAME.replace(" ", "\n\t "),
        SAME.replace("SELECT", "select /* all */ ").replace("AND", "and -- half-open\n"),
        SAME.replace("AS n", "n"),
        SAME.replace("'__START__'", "__START__"),
    ],
)
def test_layout_is_not_logic(same: str) -> None:
    assert prints(same) == prints(SAME)


@pytest.mark.parametrize(
    "other",
    [
        SAME.replace("count(*)", "count(id)"),
        SAME.replace(">=", ">"),
        SAME.replace("__END__", "__START__"),
        SAME.replace("AS n", "AS m"),
        SAME + " LIMIT 1",
    ],
)
def test_logic_is_logic(other: str) -> None:
    assert prints(other) != prints(SAME)


def test_what_else_a_fingerprint_holds() -> None:
    assert prints(SAME) != prints(SAME, "FROM __THIS__")
    assert prints(SAME) != prints(SAME, time_column="event_time")
    files = Query(Source("parquet", ("/y/*.parquet",), "events"), (SAME,))
    assert analysis.fingerprint(files) == prints(SAME)


@pytest.mark.parametrize(
    ("condition", "number"),
    [
        ("t BETWEEN '__START__' AND '__END__'", 1),
        ("t >= '__START__' AND t <= '__END__'", 1),
        ("__END__ >= t AND t >= __START__", 1),
        ("t >= '__START__' AND t < '__END__'", 0),
        ("'__START__' BETWEEN since AND till", 0),
    ],
)
def test_shared_boundaries_are_mentioned(condition: str, number: int) -> None:
    query = Query(Source("database", ("/x",)), (f"SELECT * FROM e WHERE {condition}",))
    assert len(analysis.advice(query)) == number


def test_settings_can_be_given() -> None:
    assert Engine(Settings(threads=2)).settings.threads == 2
