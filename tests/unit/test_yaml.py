"""Flow and project files that people wrote: what is read, and what is said about mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from seeknal.errors import ConfigError
from seeknal.flowspec import FlowSpec
from seeknal.home import ProjectSpec
from seeknal.yamledit import edited_yaml
from seeknal.yamlfile import Block, dump_yaml, parse_document, read_document

GOOD = """\
# Events, one day at a time.
name: events
schedule: '@daily'
input:
  kind: database
  value: raw_events
tasks:
- kind: duckdb
  sql: |
    SELECT 1
"""


def said(text: str | bytes, model: type[FlowSpec] | type[ProjectSpec] = FlowSpec) -> str:
    raw = text if isinstance(text, bytes) else text.encode()
    with pytest.raises(ConfigError) as caught:
        parse_document(raw, "flows/x.yml").validate(model)
    message = str(caught.value)
    assert "pydantic" not in message
    assert "Traceback" not in message
    return message


BAD: list[tuple[str, str | bytes, str]] = [
    (
        "a misspelt field",
        GOOD.replace("schedule:", "shedule:"),
        "flows/x.yml, line 3: unknown field 'shedule'; did you mean 'schedule'?",
    ),
    (
        "a field in the wrong case",
        GOOD.replace("schedule:", "Schedule:"),
        "line 3: unknown field 'Schedule'; did you mean 'schedule'?",
    ),
    (
        "a field like no other",
        GOOD + "xyzzy: 1\n",
        "line 11: unknown field 'xyzzy'; known fields: name, description, schedule, timezone,",
    ),
    (
        "a misspelt field within another",
        GOOD.replace("  kind: database", "  knd: database"),
        "line 5: unknown field 'knd' in 'input'; did you mean 'kind'?",
    ),
    (
        "a misspelt field of a task",
        GOOD.replace("  sql:", "  sqll:"),
        "line 9: unknown field 'sqll' in 'tasks[0]'; did you mean 'sql'?",
    ),
    ("a missing field", "name: events\n", "line 1: the field 'input' is missing."),
    (
        "a missing field within another",
        GOOD.replace("  value: raw_events\n", ""),
        "line 4: the field 'input.value' is missing.",
    ),
    ("a duplicate", GOOD + "name: b\n", "line 11: duplicate field 'name', first on line 2; keep"),
    (
        "a duplicate within another",
        GOOD.replace("  value: raw", "  kind: csv\n  value: raw"),
        "line 6: duplicate field 'kind', first on line 5",
    ),
    (
        "a number for text",
        GOOD.replace("'@daily'", "5"),
        "line 3: 'schedule' must be text, not the number 5; put it in quotes.",
    ),
    (
        "a number for a name",
        GOOD.replace("events\n", "2024\n", 1),
        "line 2: 'name': a name must be text, not the number 2024; put it in quotes.",
    ),
    (
        "a list for text",
        GOOD.replace("'@daily'", "[a]"),
        "line 3: 'schedule' must be text, not a list.",
    ),
    (
        "text for a mapping",
        "name: a\ninput: raw\n",
        "line 2: 'input' must be a mapping of fields, not the text 'raw'.",
    ),
    (
        "text for a list",
        "name: a\ninput: {kind: csv, value: x}\ntasks: SELECT 1\n",
        "line 3: 'tasks' must be a list, not the text 'SELECT 1'.",
    ),
    (
        "a kind that is close",
        GOOD.replace("kind: database", "kind: databse"),
        "line 5: 'input.kind' cannot be the text 'databse'; did you mean 'database'?",
    ),
    (
        "a kind that is not",
        GOOD.replace("kind: database", "kind: ftp"),
        "'input.kind' cannot be the text 'ftp'; choose from: database, parquet, csv, json.",
    ),
    (
        "a kind of task",
        GOOD.replace("kind: duckdb", "kind: spark"),
        "line 8: 'tasks[0].kind' cannot be the text 'spark'; choose from: duckdb.",
    ),
    (
        "a name with a slash",
        GOOD.replace("name: events", "name: a/b"),
        "line 2: 'name': the text 'a/b' is not a name; use 1 to 100 letters, digits, '_' or '-'.",
    ),
    ("bad cron", GOOD.replace("@daily", "61 * * * *"), "line 3: 'schedule': "),
    (
        "an unknown zone",
        GOOD + "timezone: Europe/Lodnon\n",
        "line 11: 'timezone': There is no time zone 'Europe/Lodnon'; did you mean 'Europe/London'?",
    ),
    (
        "a lag that is none",
        GOOD + "data_lag: soon\n",
        "line 11: 'data_lag': 'soon' is not a duration; write seconds, or a text such as",
    ),
    (
        "a start that is no date",
        GOOD + "start_date: 2024-02-30\n",
        "line 11: 'start_date': '2024-02-30' is not a time",
    ),
    (
        "a partition format that is no time",
        GOOD + "partition:\n  column: day\n  format: '%d'\n",
        "line 13: 'partition.format': The partition format '%d' does not name a range of time;",
    ),
    (
        "a schedule beside a partition by value",
        GOOD + "partition: {column: region}\n",
        "line 11: 'partition': the flow has a schedule (@daily), so its partitions need a format",
    ),
    (
        "empty SQL",
        GOOD.replace("SELECT 1", ""),
        "line 9: 'tasks[0].sql': the SQL is empty; write a SELECT.",
    ),
    (
        "no tasks",
        "name: a\ninput: {kind: csv, value: x}\ntasks: []\n",
        "line 3: 'tasks': a flow needs at least one task.",
    ),
    (
        "an output of no kind that has a place",
        GOOD + "output:\n  kind: none\n  value: x\n",
        "line 13: 'output.value': an output of the kind 'none' goes nowhere; remove it.",
    ),
    (
        "an option that is no value",
        "name: a\ninput:\n  kind: csv\n  value: x\n  options:\n    delim: null\ntasks: []\n",
        "line 6: 'input.options.delim': an option is text, a number, true, false, or a list",
    ),
    ("a colon too many", "name: a: b\n", "line 1: not valid YAML: mapping values are not allowed"),
    ("an open quote", "name: 'a\n", "not valid YAML: found unexpected end of stream."),
    (
        "a tab",
        "name: a\ninput:\n\tkind: csv\n",
        "line 3: not valid YAML: found character '\\t' that cannot start any token; indent with",
    ),
    (
        "two documents",
        "name: a\n---\nname: b\n",
        "line 2: not valid YAML: more than one document; remove the '---' between them.",
    ),
    ("an alias", "name: &a x\ndescription: *a\n", "line 2: aliases (*name) are not supported;"),
    (
        "Python",
        "name: !!python/object/apply:os.system ['true']\n",
        "line 1: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not supported;",
    ),
    ("a tag", "name: !secret x\n", "line 1: the tag '!secret' is not supported; write plain data."),
    ("a key that is a list", "? [a]\n: 1\n", "line 1: a field's name must be text."),
    ("an empty file", "", "line 1: the file must be a mapping of fields (name, description,"),
    ("a list", "- a\n", "flows/x.yml, line 1: the file must be a mapping of fields"),
    ("not UTF-8", b"name: a\ndescription: \xff\n", "line 2: this is not UTF-8; save it as that."),
    ("a NUL", b"name: a\ndescription: \x00\n", "line 2: the character '\\x00' cannot be in a text"),
    ("nesting without end", "a: " + "[" * 5000, "lists and mappings are nested too deeply."),
]


@pytest.mark.parametrize(("text", "part"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_mistake_in_a_flow_file_is_said_with_its_line(text: str | bytes, part: str) -> None:
    assert part in said(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("nam: a\n", "line 1: unknown field 'nam'; did you mean 'name'?"),
        (
            "name: a\nconnections:\n  w: {kind: duckdb, pth: x}\n",
            "line 3: unknown field 'pth' in 'connections.w'; did you mean 'path'?",
        ),
        (
            "name: a\nconnections:\n  w: {kind: oracle, path: x}\n",
            "line 3: 'connections.w.kind' cannot be the text 'oracle'; choose from: duckdb.",
        ),
        ("name: a\nconnections:\n  a/b: {kind: duckdb, path: x}\n", "line 3: 'connections.a/b': "),
        (
            "name: a\nredis_url: redis://:hunter2@host/0\n",
            "line 2: 'redis_url': a password must not stand in a file; write ${VARIABLE}",
        ),
        ("name: a\nredis_url: host:6379\n", "line 2: 'redis_url': write a URL such as redis://"),
        ("name: a\ndata_root: ''\n", "line 2: 'data_root': the path is empty"),
    ],
)
def test_a_mistake_in_a_project_file_is_said_with_its_line(text: str, part: str) -> None:
    message = said(text, ProjectSpec)
    assert part in message
    assert "hunter2" not in message


def test_a_misspelt_field_is_one_mistake_and_not_a_missing_one_too() -> None:
    assert said("nam: a\n", ProjectSpec).count("\n") == 0


def test_several_mistakes_are_said_in_the_order_of_lines() -> None:
    message = said(GOOD.replace("name: events", "name: a b").replace("raw_events", "''") + "x: 1\n")
    lines = message.split("\n")
    assert [line.split(":")[0] for line in lines] == [
        f"flows/x.yml, line {number}" for number in (2, 6, 11)
    ]


def test_plain_data_is_read_by_the_rules_of_yaml_1_2() -> None:
    text = (
        "a: 2024-01-31\nb: no\nc: 12:30:00\nd: 0x1F\ne: 010\nf: 1.5\ng: -3\nh: true\ni: ~\nj:\n"
        "k: 1e3\nl: on\n"
    )
    assert parse_document(text.encode(), "x").data == {
        "a": "2024-01-31", "b": "no", "c": "12:30:00", "d": "0x1F", "e": 10, "f": 1.5, "g": -3,
        "h": True, "i": None, "j": None, "k": 1000.0, "l": "on",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["", "no", "on", "~", "null", "008", "0o7", "1_000", "1e3", "12:30", "2024-01-31", "- a",
     "a: b", "#c", "'", '"',
     "@daily", "%Y", "*", "& x", "! x", "| x", "tab\there", " led", "trailed ", "é☃😀",
     "two\nlines", "\nled", "trailed\n\n", "a\n  b\n c\n", "x\r\ny", "NUL-free \x07", "=", "<<"],
)  # fmt: skip
def test_text_survives_being_written_and_read(text: str) -> None:
    data = {"plain": text, "nested": {"list": [text, Block(text)]}, text: 1}
    written = parse_document(dump_yaml(data).encode(), "x").data
    assert written["plain"] == text
    assert written["nested"]["list"][0] == text
    assert written["nested"]["list"][1].rstrip("\n") == text.rstrip("\n")
    assert written[text] == 1


def test_dates_are_written_without_quotes() -> None:
    assert dump_yaml({"start_date": "2024-01-31"}) == "start_date: 2024-01-31\n"


def test_a_file_may_begin_with_a_byte_order_mark() -> None:
    assert parse_document(b"\xef\xbb\xbfname: a\n", "x").data == {"name": "a"}


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Cannot read flows/x\.yml: Is a directory"):
        read_document(tmp_path, "flows/x.yml")


class TestEditing:
    ORDER = ("name", "description", "schedule", "input", "output")

    def edit(self, text: str, **changes: object) -> str:
        document = parse_document(text.encode(), "x")
        after = {**document.data, **changes}
        after = {key: value for key, value in after.items() if value is not None}
        return edited_yaml(document, document.data, after, self.ORDER)

    def test_what_did_not_change_keeps_its_comments_and_its_form(self) -> None:
        text = (
            "# Ours.\n\nname:   'a'  # short\n# Why daily.\nschedule: '@daily'\n"
            "# Where.\ninput: {kind: csv}\n# The end.\n"
        )
        assert self.edit(text, schedule="@hourly") == text.replace("@daily", "@hourly")

    def test_a_new_field_goes_to_its_place(self) -> None:
        text = "name: a\n# In.\ninput: b\n"
        assert self.edit(text, schedule="x") == "name: a\nschedule: x\n# In.\ninput: b\n"
        assert self.edit("input: b\n", name="a") == "name: a\ninput: b\n"

    def test_a_field_that_goes_takes_its_comment_along(self) -> None:
        text = "name: a\n# Why.\nschedule: x\n\ninput: b"
        assert self.edit(text, schedule=None) == "name: a\n\ninput: b\n"

    def test_a_line_of_text_that_looks_like_a_comment_stays(self) -> None:
        text = "name: a\ndescription: |\n  one\n  # two\ninput: b\n"
        assert self.edit(text, input="c") == text.replace("b", "c")
