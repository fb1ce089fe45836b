"""Two versions of a flow, compared: what counts as other logic, and what is said of it."""

from __future__ import annotations

from typing import Any

import pytest

from seeknal.engine.changes import Difference, Kind, compare
from seeknal.errors import PermanentQueryError
from tests.raising import raising

Sql = str | list[str]

SAME, FORMATTING = Kind.SAME, Kind.FORMATTING
ADDED, COLUMNS, LOGIC = Kind.ADDED, Kind.COLUMNS, Kind.LOGIC

WHERE = "WHERE ts >= '__START__' AND ts < '__END__'"
PLAIN = f"SELECT id, amount FROM events {WHERE} AND amount > 0"
GROUPED = f"SELECT shop, sum(amount) AS total FROM events {WHERE} GROUP BY shop"
JOINED = "SELECT e.id, s.city FROM events e JOIN shops s ON e.shop = s.id"
NESTED = f"WITH day AS (SELECT id, amount FROM events {WHERE}) SELECT * FROM day"
UNION = "SELECT id FROM events UNION ALL SELECT id FROM old_events"
LONG = (
    "SELECT CASE WHEN status = 'paid' THEN amount WHEN status = 'refunded' THEN -amount "
    "WHEN status = 'disputed' THEN amount * 0.5 ELSE 0 END AS net FROM events"
)


def spec(sql: Sql, **more: Any) -> dict[str, Any]:
    """The spec of a flow with this SQL, as a run keeps it."""
    return {
        "name": "sales",
        "schedule": "@daily",
        "input": {"kind": "database", "value": "raw"},
        "tasks": [{"kind": "duckdb", "sql": sql}],
        **more,
    }


def put(sql: str, old: str, new: str) -> str:
    """The SQL with a part replaced that it has."""
    assert old in sql
    return sql.replace(old, new, 1)


COLUMNS_AND_LESS: list[tuple[Sql, Sql, Kind, str]] = [
    # (before, now, kind, summary)
    (PLAIN, PLAIN, SAME, "nothing changed"),
    (PLAIN, put(PLAIN, " FROM", "\n  FROM"), FORMATTING, "formatting only"),
    (PLAIN, put(PLAIN, "SELECT", "select"), FORMATTING, "formatting only"),
    (PLAIN, put(PLAIN, "WHERE", "/* this day */ WHERE"), FORMATTING, "formatting only"),
    (PLAIN, PLAIN + " -- it's all", FORMATTING, "formatting only"),
    (PLAIN, put(PLAIN, "'__END__'", "__END__"), FORMATTING, "formatting only"),
    (PLAIN, PLAIN + ";", FORMATTING, "formatting only"),
    (GROUPED, put(GROUPED, "AS total", "total"), FORMATTING, "formatting only"),
    (GROUPED, put(GROUPED, "sum", "SUM"), FORMATTING, "formatting only"),
    (JOINED, put(JOINED, "JOIN", "INNER JOIN"), FORMATTING, "formatting only"),
    (PLAIN, put(PLAIN, "amount FROM", "amount, shop FROM"), ADDED, "column added: shop"),
    (
        PLAIN,
        put(PLAIN, "id,", "id, amount * 0.2 AS tax, shop AS s,"),
        ADDED,
        "columns added: tax, s",
    ),
    (PLAIN, put(PLAIN, "id,", "id, amount + 1,"), ADDED, "column added: (amount + 1)"),
    (GROUPED, put(GROUPED, "AS total", "AS total, count(*) AS n"), ADDED, "column added: n"),
    (NESTED, put(NESTED, "id,", "id, shop,"), ADDED, "column added: shop"),
    (NESTED, put(NESTED, "* FROM day", "*, 1 AS one FROM day"), ADDED, "column added: one"),
    (
        [PLAIN, "SELECT * FROM __THIS__"],
        [put(PLAIN, "id,", "id, shop,"), "SELECT * FROM __THIS__"],
        ADDED,
        "column added: shop",
    ),
    (PLAIN, put(PLAIN, ", amount", ""), COLUMNS, "column removed: amount"),
    (PLAIN, put(PLAIN, "amount", "amount AS a"), COLUMNS, "column renamed: amount -> a"),
    (GROUPED, put(GROUPED, "total", "t"), COLUMNS, "column renamed: total -> t"),
    (PLAIN, put(PLAIN, "id, amount", "amount, id"), COLUMNS, "columns in another order"),
    (
        PLAIN,
        put(PLAIN, "id, amount", "shop, id AS key"),
        COLUMNS,
        "column added: shop; column removed: amount; column renamed: id -> key",
    ),
    (
        "SELECT id, ts FROM t ORDER BY 2 LIMIT 3",
        "SELECT id, ts, tag FROM t ORDER BY 2 LIMIT 3",
        ADDED,
        "column added: tag",
    ),
]

OTHER_LOGIC: list[tuple[Sql, Sql, list[str]]] = [
    # (before, now, details)
    (PLAIN, put(PLAIN, "> 0", ">= 0"), ["filter: amount > 0 -> amount >= 0"]),
    (PLAIN, put(PLAIN, " AND amount > 0", ""), ["filter removed: amount > 0"]),
    (PLAIN, PLAIN + " AND shop = 'EU'", ["filter added: shop = 'EU'"]),
    (
        PLAIN + " AND shop = 'EU'",
        PLAIN + " AND shop = 'eu'",
        ["filter: shop = 'EU' -> shop = 'eu'"],
    ),
    (
        PLAIN,
        put(PLAIN, "< '__END__'", "<= '__END__'"),
        ["filter: ts < '__END__' -> ts <= '__END__'"],
    ),
    (
        GROUPED,
        put(GROUPED, "sum(amount)", "max(amount)"),
        ["column total: SUM(amount) -> MAX(amount)"],
    ),
    (GROUPED, put(GROUPED, "BY shop", "BY shop, city"), ["group by: shop -> shop, city"]),
    (GROUPED, GROUPED + " HAVING sum(amount) > 1", ["having added: SUM(amount) > 1"]),
    (
        JOINED,
        put(JOINED, "JOIN", "LEFT JOIN"),
        ["join: JOIN shops AS s ON e.shop = s.id -> LEFT JOIN shops AS s ON e.shop = s.id"],
    ),
    (JOINED, JOINED + " JOIN days d USING (day)", ["join added: JOIN days AS d USING (day)"]),
    (JOINED + ", extra", JOINED, ["join removed: extra"]),
    (JOINED, put(JOINED, "events e", "sales e"), ["from: events AS e -> sales AS e"]),
    (
        NESTED,
        put(NESTED, "< '__END__'", "< '__END__' AND amount > 0"),
        ["in day: filter added: amount > 0"],
    ),
    (UNION, put(UNION, "UNION ALL", "UNION"), ["UNION ALL -> UNION"]),
    (UNION, UNION + " WHERE id > 7", ["SELECT 2: filter added: id > 7"]),
    (
        UNION,
        UNION.replace("id", "id, day"),
        ["SELECT 1: column added: day", "SELECT 2: column added: day"],
    ),
    (PLAIN, put(PLAIN, "SELECT", "SELECT DISTINCT"), ["distinct: none -> DISTINCT"]),
    (PLAIN, PLAIN + " LIMIT 3", ["limit: none -> 3"]),
    (
        PLAIN + " ORDER BY id LIMIT 3",
        PLAIN + " ORDER BY id DESC LIMIT 3",
        ["order by: id -> id DESC"],
    ),
    (
        LONG,
        put(LONG, "0.5", "0.4"),
        [
            "column net: CASE WHEN status = 'disputed' THEN amount * 0.5 END -> "
            "CASE WHEN status = 'disputed' THEN amount * 0.4 END"
        ],
    ),
    (
        [PLAIN, "SELECT * FROM __THIS__"],
        [PLAIN, "SELECT id FROM __THIS__"],
        ["step 2: column removed: *", "step 2: column added: id"],
    ),
    (PLAIN, [PLAIN, "SELECT * FROM __THIS__"], ["steps: 1 -> 2"]),
    # Columns that say which rows there are.
    ("SELECT DISTINCT id FROM t", "SELECT DISTINCT id, ts FROM t", ["column added: ts"]),
    (
        "SELECT id, sum(a) AS s FROM t GROUP BY ALL",
        "SELECT id, ts, sum(a) AS s FROM t GROUP BY ALL",
        ["column added: ts"],
    ),
    (
        "SELECT id FROM t",
        "SELECT id, unnest(tags) AS tag FROM t",
        ["column added: tag = UNNEST(tags)"],
    ),
    (
        "SELECT id, ts FROM t ORDER BY 2 LIMIT 3",
        "SELECT id, tag, ts FROM t ORDER BY 2 LIMIT 3",
        ["column added: tag"],
    ),
    (
        "SELECT id, ts AS id FROM t",
        "SELECT id, ts AS id, tag FROM t",
        ["columns: id, ts AS id -> id, ts AS id, tag"],
    ),
    (
        "SELECT a AS x, b AS y FROM t",
        "SELECT b AS x, a AS y FROM t",
        ["column x: a -> b", "column y: b -> a"],
    ),
]


@pytest.mark.parametrize(("before", "now", "kind", "summary"), COLUMNS_AND_LESS)
def test_what_changes_no_row(before: Sql, now: Sql, kind: Kind, summary: str) -> None:
    found = compare(spec(before), spec(now))
    assert found == Difference(kind, summary)
    assert found.counts == (kind not in (SAME, FORMATTING))


@pytest.mark.parametrize(("before", "now", "details"), OTHER_LOGIC)
def test_what_other_logic_is_told_by(before: Sql, now: Sql, details: list[str]) -> None:
    found = compare(spec(before), spec(now))
    assert found == Difference(LOGIC, "logic changed", tuple(details))
    assert found.counts


def test_a_declared_column_is_part_of_the_logic() -> None:
    found = compare(spec(PLAIN), spec(PLAIN, time_column="at"))
    assert (found.kind, found.summary) == (Kind.DECLARED, "time column changed: none -> at")
    region, shop = ({"schedule": None, "partition": {"column": c}} for c in ("region", "shop"))
    found = compare(spec(PLAIN, **region), spec(PLAIN, **shop))
    assert (found.kind, found.summary) == (
        Kind.DECLARED,
        "partition column changed: region -> shop",
    )


def test_partitions_that_only_name_time_are_no_part_of_the_logic() -> None:
    found = compare(spec(PLAIN), spec(PLAIN, partition={"column": "day", "format": "%Y-%m-%d"}))
    assert found == Difference(
        SAME,
        "the logic is the same",
        (),
        (
            "schedule changed: @daily in UTC -> @daily in UTC, partitions %Y-%m-%d; "
            "what is done stays done",
        ),
    )


def test_a_declared_column_and_the_sql_are_told_together() -> None:
    found = compare(spec(PLAIN), spec(put(PLAIN, "id,", ""), time_column="at"))
    assert found.kind is LOGIC
    assert found.details == ("time column changed: none -> at", "column removed: id")


def test_where_a_time_column_is_declared_does_not_matter() -> None:
    here = spec(PLAIN, time_column="at")
    there = spec(PLAIN, input={"kind": "database", "value": "raw", "time_column": "at"})
    assert compare(here, there).kind is SAME


@pytest.mark.parametrize(
    ("more", "note"),
    [
        (
            {"input": {"kind": "parquet", "value": ["a.parquet", "b.parquet"]}},
            "input changed: database raw -> parquet a.parquet, b.parquet; it is no part of the "
            "logic: restate what should be read anew",
        ),
        (
            {"output": {"kind": "parquet", "value": "elsewhere"}},
            "output changed: parquet -> parquet elsewhere; files of what is done stay where "
            "they are",
        ),
        (
            {"schedule": "@hourly", "timezone": "Europe/Berlin"},
            "schedule changed: @daily in UTC -> @hourly in Europe/Berlin; what is done stays done",
        ),
    ],
)
def test_what_is_no_part_of_the_logic_is_a_note(more: dict[str, Any], note: str) -> None:
    found = compare(spec(PLAIN), spec(PLAIN, **more))
    assert found == Difference(SAME, "the logic is the same", (), (note,))
    assert compare(spec(PLAIN), spec(put(PLAIN, "> 0", "> 1"), **more)).notes == (note,)


def test_when_units_are_due_is_nothing_to_tell() -> None:
    assert compare(spec(PLAIN), spec(PLAIN, start_date="2024-01-01", data_lag="2h")).kind is SAME


def test_an_earlier_version_that_cannot_be_read_is_unknown() -> None:
    for before in ({}, spec("SELEC 1"), spec("SELECT 1; SELECT 2"), {**spec(PLAIN), "kind": "x"}):
        found = compare(before, spec(PLAIN))
        assert found.kind is Kind.UNKNOWN
        assert found.counts


def test_a_present_version_that_is_no_sql_is_refused() -> None:
    with pytest.raises(PermanentQueryError):
        compare(spec(PLAIN), spec("SELEC 1"))


def test_sql_that_sqlglot_does_not_know_is_told_without_detail(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("seeknal.engine.explain.parse_one", raising(RecursionError()))
    found = compare(spec(PLAIN), spec(put(PLAIN, "> 0", "> 1")))
    assert found == Difference(LOGIC, "logic changed", (), ())


def test_a_difference_that_only_duckdb_sees_counts() -> None:
    before = "SELECT ts + INTERVAL 1 DAY AS ts FROM t"
    found = compare(spec(before), spec("SELECT ts + INTERVAL '1 day' AS ts FROM t"))
    assert found == Difference(LOGIC, "logic changed")
