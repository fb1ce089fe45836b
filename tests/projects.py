"""Projects for tests to work on, as an operator does: by files, and by real processes."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import yaml

from seeknal.cli.main import main
from seeknal.engine import provenance
from seeknal.project import Project
from seeknal.stores.base import Store
from tests import forked

BIN = Path(sys.executable).parent
LONGEST = 120.0
EVENTS_SQL = "SELECT * FROM events WHERE event_time >= '__START__' AND event_time < '__END__'"


@dataclass(frozen=True, slots=True)
class Result:
    """How a process came out."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        """Standard output, parsed."""
        return json.loads(self.out)


def environment(commands: Path = BIN, /, **more: str) -> dict[str, str]:
    """This process's environment without settings of Seeknal, and ``commands`` on the path."""
    kept = {k: v for k, v in os.environ.items() if not k.upper().startswith("SEEKNAL_")}
    path = f"{commands}{os.pathsep}{os.environ.get('PATH', '')}"
    return {**kept, "PATH": path, "PYTHONWARNINGS": "error", "NO_COLOR": "1", **more}


class Sandbox:
    """One project's folder, with its flows, its data and the processes that work on it."""

    def __init__(self, root: Path, python: Path = Path(sys.executable)) -> None:
        self.root = root
        self.python_path = python
        root.mkdir(parents=True, exist_ok=True)

    # -- declaring ----------------------------------------------------------------------------

    def declare(
        self,
        name: str = "events_flow",
        *,
        schedule: str | None = "@daily",
        sql: str | Sequence[str] = EVENTS_SQL,
        database: str = "raw_events",
        **more: Any,
    ) -> Sandbox:
        """Write a flow's file, and the project's, by hand."""
        (self.root / "flows").mkdir(exist_ok=True)
        file = self.root / "seeknal_project.yml"
        if not file.exists():
            file.write_text("name: acceptance\n")
        spec: dict[str, Any] = {
            "name": name,
            "input": {"kind": "database", "value": database},
            "tasks": [{"kind": "duckdb", "sql": sql}],
            **more,
        }
        if schedule is not None:
            spec["schedule"] = schedule
        (self.root / "flows" / f"{name}.yml").write_text(yaml.safe_dump(spec, sort_keys=False))
        return self

    @contextmanager
    def data(self, name: str = "raw_events") -> Iterator[duckdb.DuckDBPyConnection]:
        """Open a DuckDB file of the project to write to it."""
        with duckdb.connect(str(self.root / f"{name}.duckdb")) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            yield connection

    def events(self, start: str, count: int, step: str, *, table: str = "events") -> Sandbox:
        """Add events to a table: one every ``step`` (``1 hour``), each with an id of its own."""
        with self.data() as connection:
            connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (id BIGINT, event_time TIMESTAMP, amount INT)"
            )
            connection.execute(
                f"INSERT INTO {table} SELECT i + (SELECT count(*) FROM {table}), "
                f"TIMESTAMP '{start}' + i * INTERVAL '{step}', i % 97 FROM range({count}) t(i)"
            )
        return self

    def breakable(self, *wheres: str) -> None:
        """Make ``events`` a view of the table ``stored`` whose rows of these conditions fail."""
        broken = " OR ".join(f"({where})" for where in wheres) or "false"
        with self.data() as connection:
            connection.execute(
                "CREATE OR REPLACE VIEW events AS SELECT id, event_time, CASE WHEN "
                f"{broken} THEN error('sensor 7 is broken') ELSE amount END AS amount FROM stored"
            )

    # -- processes ----------------------------------------------------------------------------

    def seeknal(self, *arguments: str, code: int | None = 0, cwd: Path | None = None) -> Result:
        """Run a command of Seeknal to its end; ``code`` is the exit code to expect."""
        if self.python_path.parent != BIN or os.geteuid() != os.getuid():
            return self.wait(self.start(*arguments, cwd=cwd), code)
        return self.forked(arguments, cwd or self.root, environment(), code)

    def forked(
        self, arguments: Sequence[str], cwd: Path, variables: dict[str, str], code: int | None
    ) -> Result:
        """Run a command of Seeknal to its end, in a forked process."""
        command = [str(BIN / "seeknal"), *arguments]
        return self._expect(Result(*forked.run(command, cwd, variables, LONGEST)), command, code)

    def call(self, *arguments: str, code: int | None = 0) -> Result:
        """Call a command of Seeknal within this process: not as real, and much faster."""
        out, err = io.StringIO(), io.StringIO()
        before, sys.argv = sys.argv, ["seeknal", *arguments]
        try:
            with chdir(self.root), redirect_stdout(out), redirect_stderr(err):
                main()
        except SystemExit as left:
            found = left.code
        finally:
            sys.argv = before
        result = Result(found if isinstance(found, int) else 0, out.getvalue(), err.getvalue())
        return self._expect(result, ["seeknal", *arguments], code)

    def start(
        self, *arguments: str, cwd: Path | None = None, streams: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        """Start a command of Seeknal; both its outputs go to ``streams``."""
        return self._start([str(self.python_path.parent / "seeknal"), *arguments], cwd, streams)

    @contextmanager
    def running(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start a command of Seeknal; should it still run at the end of the block, kill it."""
        process = self.start(*arguments)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def python(self, code: str, name: str = "script.py") -> Result:
        """Run Python code as a file of the project's folder."""
        file = self.root / name
        file.write_text(code)
        return self.wait(self._start([str(self.python_path), str(file)], None), 0)

    def bash(self, script: str, code: int | None = 0, cwd: Path | None = None) -> Result:
        """Run a script by bash."""
        return self.wait(self._start(["bash", "-eu", "-o", "pipefail", "-c", script], cwd), code)

    def wait(self, process: subprocess.Popen[str], code: int | None = 0) -> Result:
        """Wait for a process; ``code`` is the exit code to expect, None any."""
        try:
            out, err = process.communicate(timeout=LONGEST)
        except BaseException:
            process.kill()
            process.communicate()
            raise
        return self._expect(Result(process.returncode, out, err), process.args, code)

    def _expect(self, result: Result, command: object, code: int | None) -> Result:
        if code is not None and result.code != code:
            raise AssertionError(
                f"{command!r} exited with {result.code}, not {code}.\n{result.out}\n{result.err}"
            )
        return result

    def _start(
        self, command: list[str], cwd: Path | None, streams: int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=cwd or self.root,
            env=environment(self.python_path.parent),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=streams,
            stderr=streams,
        )

    # -- looking ------------------------------------------------------------------------------

    @contextmanager
    def store(self) -> Iterator[Store]:
        """Open the project's store."""
        store = Project.find(self.root).open_store()
        try:
            yield store
        finally:
            store.close()

    def glob(self, flow: str = "events_flow") -> str:
        """The one glob that reads a flow's whole output."""
        return str(self.root / "target" / "output" / flow / "**" / "*.parquet")

    def files(self, flow: str = "events_flow") -> dict[str, Path]:
        """A flow's published files, by the key of their unit."""
        root = self.root / "target" / "output" / flow
        return {path.stem: path for path in root.rglob("*.parquet")}

    def runs_of_files(self, flow: str = "events_flow") -> dict[str, str]:
        """The run that made each of a flow's files, by the key of their unit."""
        return self.told("seeknal_run", flow)

    def told(self, what: str, flow: str = "events_flow") -> dict[str, str]:
        """What each of a flow's files says of itself, by the key of their unit."""
        return {key: provenance.read(path)[what] for key, path in self.files(flow).items()}

    def claimed(self, flow: str = "events_flow") -> list[str]:
        """The keys of the units that have files, in the order in which they were claimed."""
        tokens = {key: int(token) for key, token in self.told("seeknal_token", flow).items()}
        return sorted(tokens, key=tokens.__getitem__)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the input; ``$output`` is the output of ``events_flow``."""
        with duckdb.connect(str(self.root / "raw_events.duckdb"), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            output = f"read_parquet('{self.glob()}', hive_partitioning = false)"
            return connection.execute(sql.replace("$output", output)).fetchall()

    def leftovers(self, flow: str = "events_flow") -> list[str]:
        """Files below ``target`` that are neither state nor published output."""
        target = self.root / "target"
        known = re.compile(r"state\.db(-wal|-shm)?|run_state\.json|output/.*\.parquet")
        names = [p.relative_to(target).as_posix() for p in target.rglob("*") if p.is_file()]
        return sorted(name for name in names if not known.fullmatch(name))

    def assert_output_is(self, query: str, flow: str = "events_flow") -> None:
        """Compare a flow's output, row by row and with how often, with a query of the input."""
        output = f"(SELECT * FROM read_parquet('{self.glob(flow)}', hive_partitioning = false))"
        lacking = self.query(f"({query}) EXCEPT ALL {output} LIMIT 5")
        extra = self.query(f"{output} EXCEPT ALL ({query}) LIMIT 5")
        assert (lacking, extra) == ([], []), f"lacking {lacking}, too many {extra}"
