"""Laws of the comparison of two versions: formatting never counts, a change of meaning always."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from seeknal.engine.analysis import fingerprint
from seeknal.engine.changes import Kind, compare
from seeknal.engine.lexer import tokens
from seeknal.engine.source import Query, Source
from tests.unit.test_changes import put, spec

# An AS in capitals may be left out; the others may not.
QUERIES = [
    "SELECT id, amount AS a, 'It''s' AS s FROM events AS e WHERE ts >= '__START__' "
    "AND ts < '__END__' AND (amount > 0 OR e.shop IN ('EU', 'US')) ORDER BY id LIMIT 10",
    "WITH day as (SELECT * FROM events WHERE ts BETWEEN '__START__' AND '__END__') "
    "SELECT shop, sum(amount) AS total, cast(max(ts) as DATE) AS latest FROM day AS d "
    "LEFT JOIN shops AS s USING (shop) GROUP BY shop HAVING count(*) > 1",
    "SELECT CASE WHEN amount > 10 THEN 'big' ELSE 'small' END AS bulk, row_number() OVER "
    "(PARTITION BY shop ORDER BY ts DESC) AS rank_no FROM events UNION ALL SELECT 'none', 0",
    "SELECT * EXCLUDE (id), $$x y$$ AS txt, [1, 2][1] AS one, -1.50 AS num FROM __THIS__ "
    "WHERE region = '__PARTITION__' AND NOT EXISTS (SELECT 1 FROM bad AS b WHERE b.id = 7)",
]
KEYWORDS = {
    "select", "as", "from", "where", "and", "or", "in", "order", "by", "limit", "with", "between",
    "cast", "left", "join", "using", "group", "having", "count", "sum", "max", "date", "case",
    "when", "then", "else", "end", "row_number", "over", "partition", "desc", "union", "all",
    "exclude", "not", "exists",
}  # fmt: skip
BLANKS = st.sampled_from(
    [" ", "\n", "\t", "  \n ", " /* a 'b' */ ", ' -- c "d\n', " /* /* */ */\n"]
)


@st.composite
def reformatted(draw: st.DrawFn, sql: str) -> str:
    """The same SQL, with other blanks, comments, case, and without some an AS."""
    pieces: list[str] = []
    for token in tokens(sql):
        text = token.text
        if token.kind == "space" or (text == "AS" and draw(st.booleans())):
            text = draw(BLANKS)
        elif text.lower() in KEYWORDS and token.kind == "word":
            text = draw(st.sampled_from([text.lower(), text.upper(), text.title()]))
        elif text in "()," and draw(st.booleans()):
            text = f"{draw(BLANKS)}{text}{draw(BLANKS)}"
        elif text == "'__START__'" and draw(st.booleans()):
            text = "__START__"
        pieces.append(text)
    return (
        draw(st.sampled_from(["", " ", "-- first\n"]))
        + "".join(pieces)
        + draw(st.sampled_from(["", ";", "\n;\n", " -- last"]))
    )


def print_of(sql: str) -> str:
    """The fingerprint that a completion of a flow with this SQL has."""
    return fingerprint(Query(Source("database", ()), (sql,)))


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(QUERIES))
def test_formatting_never_counts(data: st.DataObject, sql: str) -> None:
    other = data.draw(reformatted(sql))
    assert not compare(spec(sql), spec(other)).counts
    assert print_of(sql) == print_of(other)


EDITS = [
    (0, "id,", "id, shop,"), (0, "amount AS a", "amount AS b"), (0, "'It''s'", "'it''s'"),
    (0, "events", "event"), (0, "> 0", ">= 0"), (0, "OR", "AND"), (0, "'EU'", "'DE'"),
    (0, "'US')", "'US', 'FR')"), (0, "ORDER BY id", "ORDER BY id DESC"), (0, "10", "11"),
    (0, " LIMIT 10", ""), (0, "< '__END__'", "< '__START__'"), (0, "SELECT", "SELECT DISTINCT"),
    (0, " AS e WHERE", " AS e TABLESAMPLE 10% WHERE"), (0, "AND (amount", "AND NOT (amount"),
    (1, "*", "* EXCLUDE (id)"), (1, "BETWEEN", "NOT BETWEEN"), (1, "sum", "avg"),
    (1, "as DATE", "as TIMESTAMP"), (1, "LEFT JOIN", "JOIN"), (1, "LEFT", "RIGHT"),
    (1, "USING (shop)", "ON d.shop = s.id"), (1, "GROUP BY shop", "GROUP BY ROLLUP (shop)"),
    (1, "count(*)", "count(DISTINCT id)"), (1, " HAVING count(*) > 1", ""),
    (1, "FROM day", "FROM events"), (1, "sum(amount)", "sum(amount) FILTER (WHERE amount > 0)"),
    (2, "'big'", "'Big'"), (2, "10", "10.0"), (2, "ELSE 'small' ", ""), (2, "DESC", "ASC"),
    (2, "PARTITION BY shop ", ""), (2, "UNION ALL", "UNION"), (2, "UNION ALL", "EXCEPT"),
    (2, "row_number", "rank"), (2, "'none', 0", "'none', 1"),
    (3, "(id)", "(id, ts)"), (3, "$$x y$$", "$$x  y$$"), (3, "[1, 2][1]", "[2, 1][1]"),
    (3, "-1.50", "1.50"), (3, "NOT EXISTS", "EXISTS"), (3, "b.id = 7", "b.id = 8"),
    (3, "= '__PARTITION__'", "<> '__PARTITION__'"), (3, "__THIS__", "main.events"),
]  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from(EDITS))
def test_any_edit_of_the_meaning_counts(data: st.DataObject, edit: tuple[int, str, str]) -> None:
    number, old, new = edit
    sql = QUERIES[number]
    other = data.draw(reformatted(put(sql, old, new)))
    found = compare(spec(sql), spec(other))
    assert found.counts
    assert found.summary
    assert print_of(sql) != print_of(other)
    assert found.details or found.kind is not Kind.LOGIC
