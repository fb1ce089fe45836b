"""Mistakes in the files that people write: flows, their SQL, the project."""

from __future__ import annotations

from tests.acceptance.mistakes.world import FLOW, RUN, Row
from tests.projects import EVENTS_SQL


def yml(id_: str, old: str, new: str, *said: str, command: str = RUN, file: str = FLOW) -> Row:
    """A mistake in a file of the project."""
    return Row(id_, command, said, lambda world: world.edit(old, new, file))


def sql(id_: str, text: str, *said: str) -> Row:
    """A mistake in a flow's SQL."""
    block = text.replace("\n", "\n    ")
    return Row(id_, RUN, said, lambda world: world.edit(EVENTS_SQL, block))


YAML = [
    yml("unknown zone", "schedule: '@daily'", "schedule: '@daily'\ntimezone: Europe/Lodnon",
        f"{FLOW}, line 3: 'timezone': There is no time zone 'Europe/Lodnon'",
        "did you mean 'Europe/London'?"),
    yml("bad cron", "@daily", "61 * * * *",
        f"{FLOW}, line 2: 'schedule'", "'61' is no minute; use 0-59, with lists, ranges or steps."),
    yml("cron that never fires", "@daily", "0 0 30 2 *", "line 2", "never fires: no month"),
    yml("random cron", "@daily", "R * * * *", "random (R) or hashed (H) value", "no fixed"),
    yml("hashed cron", "@daily", "0 h(0-5) * * *", "'h(0-5)', a random (R) or hashed (H) value"),
    yml("four fields", "@daily", "0 0 * *", "'0 0 * *' has 4 fields; write five"),
    yml("@reboot", "@daily", "@reboot", "'@reboot' has no times; use one of @hourly, @daily"),
    yml("tabs", "  kind: database", "\tkind: database",
        f"{FLOW}, line 4: not valid YAML", "indent with spaces, not with tabs."),
    yml("duplicate key", "schedule: '@daily'", "schedule: '@daily'\nschedule: '@hourly'",
        f"{FLOW}, line 3: duplicate field 'schedule', first on line 2; keep one."),
    yml("unknown key", "schedule:", "shedule:",
        f"{FLOW}, line 2: unknown field 'shedule'; did you mean 'schedule'?"),
    yml("wrong type", "schedule: '@daily'", "schedule: 5",
        f"{FLOW}, line 2: 'schedule' must be text, not the number 5; put it in quotes."),
    yml("no tasks", "tasks:\n- kind: duckdb\n  sql: |\n    " + EVENTS_SQL, "tasks: []",
        "'tasks': a flow needs at least one task."),
    yml("another name than the file's", "name: events_flow", "name: other",
        f"{FLOW}, line 1: the name 'other' is not the file's, 'events_flow'; change one of them."),
    yml("name with a slash", "name: events_flow", "name: a/b",
        "line 1: 'name': the text 'a/b' is not a name; use 1 to 100 letters, digits, '_' or '-'."),
    yml("name with a quote", "name: events_flow", 'name: "it\'s"', 'the text "it\'s" is not a'),
    yml("no name", "name: events_flow", "name: ''", "the text '' is not a name; use 1 to 100"),
    yml("unknown kind of input", "kind: database", "kind: databse",
        f"{FLOW}, line 4: 'input.kind' cannot be the text 'databse'; did you mean 'database'?"),
    yml("unknown kind of output", "tasks:", "output: {kind: csv}\ntasks:",
        "line 6: 'output.kind' cannot be the text 'csv'; choose from: parquet, none."),
    yml("start that is no date", "schedule:", "start_date: 2024-02-30\nschedule:",
        f"{FLOW}, line 2: 'start_date': '2024-02-30' is not a time"),
    yml("lag that is none", "schedule:", "data_lag: soon\nschedule:",
        "line 2: 'data_lag': 'soon' is not a duration; write seconds, or a text such as '90s'"),
    yml("no schedule", "schedule: '@daily'\n", "",
        "Flow 'events_flow' has no schedule; set one", "flows/events_flow.yml"),
    yml("unknown time column", "schedule:", "time_column: evnt_time\nschedule:",
        "Flow 'events_flow'", "time_column is 'evnt_time', but no table of the input has it"),
    yml("unknown partition column", "column: region", "column: regio",
        "partition_column is 'regio', but no table of the input has it",
        command="run --flow by_region", file="flows/by_region.yml"),
    yml("output beyond this version", "tasks:",
        "output: {kind: parquet, value: 's3://bucket/x'}\ntasks:",
        "'events_flow' writes to 's3://bucket/x'; this version writes to folders only."),
    yml("broken project", "name: shop", "name: [shop",
        "seeknal_project.yml, line 2: not valid YAML", file="seeknal_project.yml"),
    yml("unknown key of the project", "name: shop", "name: shop\nconections: {}",
        "seeknal_project.yml, line 2: unknown field 'conections'; did you mean 'connections'?",
        file="seeknal_project.yml"),
    yml("password in the project", "name: shop", "name: shop\nredis_url: redis://:secret@host/0",
        "line 2: 'redis_url': a password must not stand in a file; write ${VARIABLE}",
        file="seeknal_project.yml"),
    yml("variable that is not set", "name: shop", "name: shop\ndata_root: ${NOT_SET_AT_ALL}",
        "data_root refers to the environment variable NOT_SET_AT_ALL, which is not set; set it.",
        file="seeknal_project.yml"),
    *(
        Row(f"partition {what}", f"run --flow events_flow --partitions {name}", (said,),
            lambda world: world.edit(
                "schedule:", "partition: {column: day, format: '%Y-%m-%d'}\nschedule:"))
        for what, name, said in (
            ("that is no date", "EU", "'EU' is not a partition of the format '%Y-%m-%d'; write it"),
            ("of a day that is none", "2024-02-30", "like '2024-01-31'."),
        )
    ),
    Row("partition shorter than the intervals", f"{RUN} --partitions 2024-01-03T05",
        ("No interval of '@daily' ends within 2024-01-03T05", "give dates."),
        lambda world: world.edit(
            "schedule:", "partition: {column: h, format: '%Y-%m-%dT%H'}\nschedule:")),
    yml("partition format that is no time", "schedule:",
        "partition: {column: day, format: '%d'}\nschedule:",
        "line 2: 'partition.format': The partition format '%d' does not name a range of time"),
]  # fmt: skip

WHERE = "WHERE event_time >= '__START__' AND event_time < '__END__'"
ONE_SELECT = "a task is one SELECT, and Seeknal writes its result."

SQL = [
    sql("no placeholders", "SELECT * FROM events",
        "Flow 'events_flow': The SQL has no __START__ and no __END__, so every unit would read",
        f"write it as in {WHERE}."),
    sql("one placeholder", "SELECT * FROM events WHERE event_time >= '__START__'",
        "Flow 'events_flow': The SQL has no __END__, so every unit would read everything"),
    sql("double quotes", EVENTS_SQL.replace("'", '"'),
        "a name in double quotes; write '__START__' with single quotes."),
    sql("placeholder without a value", f"{EVENTS_SQL} AND region = '__PARTITION__'",
        "uses __PARTITION__, which this flow's units have no value for; remove it"),
    sql("several statements", f"{EVENTS_SQL}; SELECT 1",
        "The SQL holds 2 statements; a task is exactly one SELECT."),
    sql("no statement", "-- later", "The SQL holds no statement; a task is exactly one SELECT."),
    sql("INSERT", "INSERT INTO events SELECT * FROM events", "no SELECT but INSERT;", ONE_SELECT),
    sql("DELETE", "DELETE FROM events", "no SELECT but DELETE;", ONE_SELECT),
    sql("DROP", "DROP TABLE events", "no SELECT but DROP;", ONE_SELECT),
    sql("CREATE", f"CREATE TABLE copy AS {EVENTS_SQL}", "no SELECT but CREATE;", ONE_SELECT),
    sql("PRAGMA", "PRAGMA database_list", "(it begins with PRAGMA); write it as one SELECT."),
    sql("ATTACH", "ATTACH 'other.duckdb'", "no SELECT but ATTACH;", ONE_SELECT),
    sql("COPY", "COPY events TO 'events.csv'", "no SELECT but COPY;", ONE_SELECT),
    sql("INSTALL", "INSTALL httpfs", "no SELECT but INSTALL or LOAD;", ONE_SELECT),
    sql("LOAD", "LOAD httpfs", "no SELECT but INSTALL or LOAD;", ONE_SELECT),
    sql("SET", "SET threads = 9", "no SELECT but SET;", ONE_SELECT),
    sql("does not parse", f"SELECT *\nFROM events\nWHER {WHERE[6:]}",
        "Flow 'events_flow': The SQL cannot run: syntax error", "(line 3, near event_time)."),
    sql("open string", f"{EVENTS_SQL} AND region = 'EU", "unterminated quoted string"),
    sql("unknown column", f"SELECT amont\nFROM events\n{WHERE}",
        '"amont" not found', 'Candidate bindings: "amount"', "(line 1, near amont)."),
    sql("unknown table", EVENTS_SQL.replace("events", "event"),
        "Table with name event does not exist", '"events"', "(line 1, near event)."),
    sql("unknown function", EVENTS_SQL.replace("*", "summ(amount)"),
        "Function with name summ does not exist", 'Did you mean "sum"?', "(line 1, near summ)."),
    sql("column that is no time", EVENTS_SQL.replace("event_time", "amount"),
        "Cannot compare values of type BIGINT and type TIMESTAMP", "(line 1, near >=)."),
    sql("no time column", "SELECT * FROM events WHERE '__START__' < '__END__'",
        "does not show which column is compared with __START__ and __END__; set time_column"),
    sql("ambiguous time column",
        f"SELECT * FROM events {WHERE} AND loaded_at >= '__START__' AND loaded_at < '__END__'",
        "compares several columns with __START__ and __END__",
        "event_time", "loaded_at", "set time_column to the one that is meant."),
    sql("other files", f"SELECT e.* FROM events e, read_text('/etc/hostname') {WHERE}",
        "reaches outside of the flow's input and output", '"/etc/hostname"', "near read_text"),
    sql("reserved column", EVENTS_SQL.replace("*", "*, 1 AS interval_month"),
        "has a column 'interval_month', a name that the output's directories use; give it another"),
    yml("value flow without its placeholder", "region = '__PARTITION__'", "true",
        "The SQL has no __PARTITION__, so every unit would read everything",
        "WHERE region = '__PARTITION__'", command="run --flow by_region",
        file="flows/by_region.yml"),
]  # fmt: skip
