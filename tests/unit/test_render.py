"""Placeholders become literals: they compare right, and no value gets out of its literal."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seeknal.engine.lexer import tokens
from seeknal.engine.render import compose, placeholders, render, template, value_of, values_of
from seeknal.engine.source import Query, Source
from seeknal.engine.statement import require_select, shape
from seeknal.errors import PermanentQueryError, UsageError
from seeknal.workflow.units import Unit, parse_stamp

FIVE = parse_stamp("20240103T050000Z")
HOUR = Unit("f", FIVE, FIVE + 3600)
NOWHERE = Source("database", ("/nowhere.duckdb",))


def query(*steps: str) -> Query:
    return Query(NOWHERE, steps)


def filled(sql: str, unit: Unit = HOUR, partition: str | None = None) -> str:
    return render(query(sql), unit, partition)


def evaluate(sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(config={"python_enable_replacements": False}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(sql).fetchall()


@pytest.mark.parametrize(
    ("written", "becomes"),
    [
        ("SELECT __START__", "SELECT TIMESTAMP '2024-01-03 05:00:00'"),
        ("SELECT '__END__'", "SELECT TIMESTAMP '2024-01-03 06:00:00'"),
        ("SELECT'__END__'", "SELECT TIMESTAMP '2024-01-03 06:00:00'"),
        ("SELECT $$__START__$$", "SELECT TIMESTAMP '2024-01-03 05:00:00'"),
        ("SELECT '__START__'::DATE", "SELECT TIMESTAMP '2024-01-03 05:00:00'::DATE"),
        ("SELECT DATE '__START__'", "SELECT DATE '2024-01-03 05:00:00'"),
        ("SELECT DATE /* d */ '__START__'", "SELECT DATE   '2024-01-03 05:00:00'"),
        ("SELECT TIMESTAMPTZ $a$__START__$a$", "SELECT TIMESTAMPTZ '2024-01-03 05:00:00'"),
        ("SELECT 'at __START__ ''on'' dot'", "SELECT 'at 2024-01-03 05:00:00 ''on'' dot'"),
        ("SELECT e'\\'__START__'", "SELECT e'''2024-01-03 05:00:00'"),
        ("SELECT 1 -- __START__\n", "SELECT 1  \n"),
        ("SELECT 1 /*\n*/ + 1", "SELECT 1  \n + 1"),
        ("SELECT 1 /* /* */ __START__ */", "SELECT 1  "),
        ('SELECT 1 AS "__START__"', 'SELECT 1 AS "__START__"'),
        ("SELECT t.__START__ FROM t", "SELECT t.__START__ FROM t"),
        ("SELECT x__START__ FROM t", "SELECT x__START__ FROM t"),
        ("SELECT __start__ FROM t", "SELECT __start__ FROM t"),
        ("SELECT '--', __START__ -- '", "SELECT '--', TIMESTAMP '2024-01-03 05:00:00'  "),
        ("SELECT 1 ; -- done", "SELECT 1   "),
        ("SELECT ';'", "SELECT ';'"),
    ],
)
def test_what_a_placeholder_becomes(written: str, becomes: str) -> None:
    assert filled(written) == becomes


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("SELECT __START__, '__END__'", {"__START__", "__END__"}),
        ("SELECT 'x/__PARTITION__/y'", {"__PARTITION__"}),
        ("SELECT 1 -- __START__", set()),
        ('SELECT "__START__"', set()),
    ],
)
def test_which_placeholders_are_used(written: str, used: set[str]) -> None:
    assert placeholders(query(written)) == used


def test_a_placeholder_without_a_value_is_told() -> None:
    with pytest.raises(UsageError, match="__PARTITION__"):
        filled("SELECT '__PARTITION__'")
    with pytest.raises(UsageError, match="__START__"):
        filled("SELECT '__START__'", Unit("f", value="EU"))


def test_an_interval_can_have_a_partition_too() -> None:
    sql = filled("SELECT '__PARTITION__', __START__", partition="2024-01-03")
    assert sql == "SELECT '2024-01-03', TIMESTAMP '2024-01-03 05:00:00'"


def columns(kind: str) -> str:
    """A table with an instant a second around every hour, written at other offsets."""
    rows = ", ".join(
        f"(TIMESTAMPTZ '2024-01-03 {hour:02d}:{rest}{offset}')"
        for hour in (10, 11, 12)
        for rest in ("00:00", "59:59.999999")
        for offset in ("+05:30", "+00", "-03:00", "+06")
    )
    return f"SELECT t::{kind} AS t FROM (VALUES {rows}) v(t)"


@pytest.mark.parametrize("kind", ["TIMESTAMP", "TIMESTAMPTZ", "TIMESTAMP_NS", "DATE"])
@pytest.mark.parametrize("form", ["__{}__", "'__{}__'"])
def test_hours_tile_every_column_type(kind: str, form: str) -> None:
    start, end = form.format("START"), form.format("END")
    sql = f"SELECT epoch_us(t::TIMESTAMP) FROM ({columns(kind)}) WHERE t >= {start} AND t < {end}"
    every = sorted(evaluate(f"SELECT epoch_us(t::TIMESTAMP) FROM ({columns(kind)})"))
    first = parse_stamp("20240103T000000Z")
    met = []
    for hour in range(24):
        unit = Unit("f", first + hour * 3600, first + (hour + 1) * 3600)
        for (at,) in evaluate(filled(sql, unit)):
            assert isinstance(at, int)
            assert unit.start * 10**6 <= at < unit.end * 10**6
            met.append((at,))
    assert sorted(met) == every


def test_both_boundaries_are_exact_in_every_zone() -> None:
    midnight = parse_stamp("20240310T050000Z")  # New York's, in winter
    day = Unit("f", midnight, parse_stamp("20240311T040000Z"))  # 23 hours long
    times = "(VALUES ('2024-03-10 00:00:00-05'), ('2024-03-10 23:59:59-04'), "
    times += "('2024-03-09 23:59:59-05'), ('2024-03-11 00:00:00-04')) v(s)"
    for kind in ("TIMESTAMPTZ", "TIMESTAMPTZ::TIMESTAMP"):
        sql = f"SELECT s FROM {times} WHERE s::{kind} >= '__START__' AND s::{kind} < '__END__'"
        assert sorted(evaluate(filled(sql, day))) == [
            ("2024-03-10 00:00:00-05",), ("2024-03-10 23:59:59-04",)
        ]  # fmt: skip


TRICKS = st.sampled_from(
    ["'", "''", '"', "$$", "$_$", "--", "/*", "*/", "\\", "\\'", ";", "\n", "\r", "\0", "\u00a0",
     "\u2019", "\u02bc", "\uff07", "é", "😀", "' OR 1=1 --", "'); DROP TABLE t; --", "__START__",
     "__PARTITION__", "e'", "N'", "\u202e", "\ufeff", "%", "{}"]
)  # fmt: skip
VALUES = st.lists(TRICKS | st.text(max_size=4), max_size=6).map("".join)
WITHOUT_NUL = VALUES.filter(lambda text: "\0" not in text)


@settings(max_examples=200, deadline=None)
@given(value=VALUES)
def test_any_partition_comes_back_as_itself(value: str) -> None:
    unit = Unit("f", value=value)
    sql = """SELECT /* it's */ __PARTITION__, -- don't
        '__PARTITION__' AS "it's", $q$__PARTITION__$q$"""
    sql = filled(f"SELECT a, b, c FROM ({sql}) t(a, b, c)", unit)
    assert evaluate(sql) == [(value, value, value)]


@settings(max_examples=200, deadline=None)
@given(value=WITHOUT_NUL)
def test_any_partition_within_a_longer_string(value: str) -> None:
    sql = "SELECT 'a''/__PARTITION__/b', e'\\'\\\\__PARTITION__\\n', $x$'__PARTITION__$$x$"
    assert evaluate(filled(f"{sql} x", Unit("f", value=value)) + "--") == [
        (f"a'/{value}/b", f"'\\{value}\n", f"'{value}$")
    ]


@settings(max_examples=300, deadline=None)
@given(
    sql=st.lists(
        st.sampled_from(["'", "''", '"', "$$", "$a$", "--", "/*", "*/", "\\", "e'", "E", "\n", " "])
        | st.sampled_from(["__PARTITION__", "'__PARTITION__'", "SELECT ", ",", "x", "1", "\u00a0"]),
        max_size=12,
    ).map("".join),
    value=WITHOUT_NUL,
)
def test_in_any_sql_a_value_stays_a_value(sql: str, value: str) -> None:
    """What DuckDB parses has the same shape whatever the value, or is refused."""
    step = f"SELECT 'a', {sql}"
    assert "".join(token.text for token in tokens(step)) == step
    try:
        compose(query(step), values_of(0, 1) | {"__PARTITION__": value_of("a")})
    except PermanentQueryError:
        return
    plain, hostile = (
        template(step).fill({**values_of(0, 1), "__PARTITION__": value_of(text)})
        for text in ("a", value)
    )
    assert shape(require_select(hostile)) == shape(require_select(plain))


def test_a_nul_in_a_longer_string_is_refused() -> None:
    with pytest.raises(UsageError, match="NUL"):
        filled("SELECT 'x/__PARTITION__'", Unit("f", value="a\0b"))


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(UsageError, match="Unicode"):
        filled("SELECT '__PARTITION__'", Unit("f", value="a\udc80"))


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("", "no statement"),
        (" -- nothing", "no statement"),
        ("SELECT 1; SELECT 2", "2 statements"),
        ("SELECT 1; -- \n DROP TABLE t", "2 statements"),
        ("PIVOT t ON k USING sum(a)", "2 statements"),
        ("DELETE FROM t", "DELETE"),
        ("WITH a AS (SELECT 1) INSERT INTO t FROM a", "INSERT"),
        ("CREATE TABLE t AS SELECT 1", "CREATE"),
        ("COPY t TO 'x'", "COPY"),
        ("ATTACH 'x' AS y", "ATTACH"),
        ("SET threads = 4", "SET"),
        ("PRAGMA version", "not a plain SELECT"),
        ("CALL pragma_version()", "CALL"),
        ("EXPLAIN SELECT 1", "EXPLAIN"),
        ("INSTALL httpfs", "LOAD"),
        ("SELECT FROM WHERE", "near FROM|near WHERE"),
        ("SELECT 1) TO 'x'; --", r"near \"\)\""),
        ("SELECT 'open", "unterminated"),
        ("SELECT * FROM enable_logging(storage_path = '/x')", "enable_logging"),
        ("SELECT * FROM (SELECT * FROM Query('SELECT 1'))", "query"),
        ("SELECT write_log('x')", "write_log"),
    ],
)
def test_a_step_is_one_select(step: str, says: str) -> None:
    with pytest.raises(PermanentQueryError, match=says):
        render(query(step), HOUR)


FILES = Source("parquet", ("/in/a'*.parquet", "/in/b.parquet"), 'o"dd', {"union_by_name": True})


def test_files_are_read_under_both_names() -> None:
    sql = render(Query(FILES, ("FROM __THIS__",)), HOUR)
    assert "read_parquet(['/in/a''*.parquet', '/in/b.parquet'], union_by_name = true)" in sql
    assert sql.startswith('WITH "o""dd" AS NOT MATERIALIZED')


@pytest.mark.parametrize("name", ["t x", "nope'", "a = 1, b"])
def test_an_option_is_a_name(name: str) -> None:
    source = Source("csv", ("/in.csv",), None, {name: 1})
    with pytest.raises(UsageError, match="not the name of an option"):
        render(Query(source, ("FROM __THIS__",)), HOUR)


def test_a_step_sees_the_one_before() -> None:
    steps = (
        "SELECT 1 AS a, '__START__' AS t -- first",
        "WITH w AS (SELECT a + 1 AS a FROM __THIS__) SELECT * FROM w ORDER BY a; -- then",
        "SELECT a * 10 AS a FROM __THIS__ WHERE a = 2",
    )
    assert evaluate(render(query(*steps), HOUR)) == [(20,)]


def test_order_survives_the_nesting() -> None:
    steps = ("SELECT i FROM range(5000) r(i)", "SELECT i FROM __THIS__ ORDER BY hash(i)")
    assert evaluate(render(query(*steps), HOUR)) == evaluate(
        "SELECT i FROM range(5000) r(i) ORDER BY hash(i)"
    )
