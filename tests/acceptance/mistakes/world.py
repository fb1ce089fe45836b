"""A project to be spoilt, and what a row of mistakes consists of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

FLOW = "flows/events_flow.yml"
STATE = "target/state.db"
RUN = "run --flow events_flow"
TABLE = "CREATE TABLE events AS SELECT TIMESTAMP '2024-01-01' + i * INTERVAL 1 HOUR AS event_time, \
TIMESTAMP '2024-02-01' AS loaded_at, i AS amount, ['EU', 'US'][1 + i % 2] AS region \
FROM range(96) t(i)"
DATABASE = "  kind: database\n  value: raw_events"

#: What no message may hold, whatever went wrong.
NEVER = ("Traceback", 'File "seeknal', "pydantic", "sqlite3.", "Exception", "Error: Error", "  ")

Setup = Callable[["World"], object]


class World:
    """A project in which two of four days are done, to be spoilt."""

    def __init__(self, root: Path, stack: ExitStack) -> None:
        self.root = root
        self.stack = stack

    def read(self, file: str = FLOW) -> str:
        return (self.root / file).read_text()

    def write(self, file: str, content: str | bytes) -> None:
        path = self.root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def edit(self, old: str, new: str, file: str = FLOW) -> None:
        text = self.read(file)
        assert old in text, f"{old!r} is not in {file}:\n{text}"
        self.write(file, text.replace(old, new))

    def folder(self, file: str) -> None:
        """Put a folder where a file was."""
        (self.root / file).unlink()
        (self.root / file).mkdir()

    def state(self) -> dict[str, str]:
        """What is below target: each file, by its hash."""
        target = self.root / "target"
        if target.is_file():
            return {"target": target.read_text()}
        # The index of SQLite's log, and a log that is empty, are no state: they come and go.
        files = sorted(
            p
            for p in target.rglob("*")
            if p.is_file()
            and not p.name.endswith("-shm")
            and not (p.name.endswith("-wal") and not p.stat().st_size)
        )
        return {p.relative_to(target).as_posix(): sha256(p.read_bytes()).hexdigest() for p in files}


@dataclass(frozen=True, slots=True)
class Row:
    """A mistake: what is spoilt, the command that meets it, and what must be said."""

    id: str
    command: str
    said: tuple[str, ...]
    spoil: Setup | None = None
    env: tuple[tuple[str, str], ...] = ()


def one_line(err: str) -> str:
    """Hold a complaint to its form, and return it."""
    assert err.startswith("Error: "), err
    assert err.count("\n") == 1, err
    assert err.rstrip("\n").endswith((".", "?")), err
    for never in NEVER:
        assert never not in err, err
    return err
