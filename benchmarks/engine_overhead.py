"""What the engine and the output add to a unit, against a bare loop, side by side in one run.

Both copy the same days and hours of the same table, on one reused connection, and publish as
durably: fsync, replace, fsync of the directory. Rounds alternate, so that a noisy machine is
noisy for both; the ratio of their medians is what counts.

    python benchmarks/engine_overhead.py [--rows 10000000] [--rounds 7] [--units 40]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import duckdb

from seeknal.engine.render import render
from seeknal.engine.session import Engine, Session, Settings
from seeknal.engine.source import Query, Source
from seeknal.outputs.parquet import ParquetOutput
from seeknal.workflow.units import Unit, stamp

FIRST = 1_704_067_200
DAYS = 365
SQL = "SELECT * FROM events WHERE event_time >= '__START__' AND event_time < '__END__'"
BARE = SQL.replace("'__START__'", "TIMESTAMP '{}'").replace("'__END__'", "TIMESTAMP '{}'")


def make(directory: Path, rows: int) -> None:
    step = DAYS * 86_400 / rows
    made = f"""SELECT TIMESTAMP '2024-01-01' + to_microseconds((i * {step * 1e6})::BIGINT)
               AS event_time, i AS id, i % 1000 AS customer, hash(i) % 10000 / 100 AS amount
               FROM range({rows}) r(i)"""
    with duckdb.connect(str(directory / "raw.duckdb")) as connection:
        connection.execute(f"CREATE TABLE events AS {made}")
        connection.execute(f"COPY events TO '{directory}/raw.parquet' (FORMAT parquet)")


def units(seconds: int, number: int, round_: int) -> Iterator[Unit]:
    for index in range(number):
        start = FIRST + ((round_ * number + index) * seconds) % (DAYS * 86_400)
        yield Unit("events_flow", start, start + seconds)


def with_engine(session: Session, output: ParquetOutput, work: list[Unit]) -> None:
    for unit in work:
        staged = output.stage(unit, 5)
        session.copy(render(session.query, unit), staged, metadata(unit))
        output.make_durable(staged, unit)
        output.replace(staged, unit, 5)
        output.sync(output.path(unit).parent)


def bare(cursor: duckdb.DuckDBPyConnection, root: Path, sql: str, work: list[Unit]) -> None:
    for unit in work:
        staged = str(root / f"{unit.start}.part")
        times = (moment(unit.start), moment(unit.end))
        kept = ", ".join(f"{key}: '{value}'" for key, value in metadata(unit).items())
        cursor.execute(
            f"COPY ({sql.format(*times)}) TO '{staged}' (FORMAT parquet, KV_METADATA {{{kept}}})"
        ).fetchall()
        sync(staged, os.O_RDONLY)
        os.replace(staged, str(root / f"{unit.start}.parquet"))  # noqa: PTH105
        sync(str(root), os.O_DIRECTORY)


def metadata(unit: Unit) -> dict[str, str]:
    return {"seeknal_flow": unit.flow, "seeknal_unit": unit.key, "seeknal_token": "5"}


def moment(seconds: int) -> str:
    text = stamp(seconds)
    return f"{text[:4]}-{text[4:6]}-{text[6:8]} {text[9:11]}:{text[11:13]}:{text[13:15]}"


def sync(path: str, flags: int) -> None:
    handle = os.open(path, flags)
    os.fsync(handle)
    os.close(handle)


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Return the seconds that passed, and those of them that this process computed."""
    passed, computed = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - passed, time.process_time() - computed


def connected(source: Source) -> tuple[duckdb.DuckDBPyConnection, str]:
    """Return the bare loop's connection and its SQL."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("SET TimeZone = 'UTC'")
    if not source.is_database:
        return connection, BARE.replace("events", f"read_parquet('{source.paths[0]}')")
    connection.execute(f"ATTACH '{source.paths[0]}' AS raw (READ_ONLY)")
    connection.execute("USE raw")
    return connection, BARE


def measure(
    directory: Path, name: str, source: Source, seconds: int, options: argparse.Namespace
) -> None:
    ours = ParquetOutput(directory / "ours")
    plain = directory / "bare"
    cursor, sql = connected(source)
    took: dict[str, list[tuple[float, float]]] = {"engine": [], "bare": []}
    settings = Settings(directories=(ours.root,))
    with Engine(settings) as engine, engine.session(Query(source, (SQL,))) as session:
        for round_ in range(options.rounds + 1):
            for root in (plain, ours.root):
                shutil.rmtree(root, ignore_errors=True)
                root.mkdir()
            work = list(units(seconds, options.units, round_))
            runs: list[tuple[str, Callable[[], None]]] = [
                ("engine", partial(with_engine, session, ours, work)),
                ("bare", partial(bare, cursor, plain, sql, work)),
            ]
            for which, run in runs if round_ % 2 else reversed(runs):
                took[which].append(timed(run))
    cursor.close()
    ours_took, bare_took = took["engine"][1:], took["bare"][1:]  # the first round warms up
    for at, what in ((0, "passed"), (1, "computed")):
        ratios = [b[at] / e[at] for e, b in zip(ours_took, bare_took, strict=True)]
        each = [
            statistics.median(times[at] for times in side) / options.units * 1000
            for side in (ours_took, bare_took)
        ]
        print(
            f"{name:16} {what:8}  engine {each[0]:6.2f} ms   bare {each[1]:6.2f} ms   "
            f"{statistics.median(ratios):.2f} of bare's throughput"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--units", type=int, default=40)
    parser.add_argument("--directory", help="on the disk to measure; the system's own by default")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.directory) as name:
        directory = Path(name)
        make(directory, options.rows)
        database = Source("database", (f"{directory}/raw.duckdb",))
        files = Source("parquet", (f"{directory}/raw.parquet",), "events")
        for kind, source in (("database", database), ("parquet", files)):
            for span, seconds in (("days", 86_400), ("hours", 3_600)):
                measure(directory, f"{kind}, {span}", source, seconds, options)


if __name__ == "__main__":
    main()
