"""Publishes each unit as one Parquet file whose path depends on the unit alone."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote

from seeknal.engine import provenance
from seeknal.errors import LeaseLostError, OutputError
from seeknal.outputs import durable, staging
from seeknal.workflow.units import Unit, stamp

TOKEN = "seeknal_token"
MONTH, VALUE = "interval_month", "partition_value"
RESERVED_COLUMNS = frozenset({MONTH, VALUE})
_LONGEST = 160
_READ_AS_NULL = {"null", "__hive_default_partition__"}
_PROBE = 4096


class ParquetOutput:
    """A flow's output directory.

    ::

        <root>/interval_month=2024-01/20240103T000000Z_20240104T000000Z.parquet
        <root>/partition_value=EU/<hash of EU>.parquet
        <root>/.staging/...                              what is being written

    ``<root>/**/*.parquet`` reads all that is published and nothing else. DuckDB then shows the
    directory as a column, before a column of the data of that name (:data:`RESERVED_COLUMNS`);
    ``hive_partitioning=false`` hides it. Every method raises OutputError if the file system
    refuses. Threads and processes may share a root.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._staging = self.root / staging.DIRECTORY
        self._made: set[Path] = set()
        # By name, and kept: a path is taken apart when it is first used, and most units share one.
        self._directories: dict[str, Path] = {}

    def path(self, unit: Unit) -> Path:
        """Return where a unit's result is, or will be: the same on every machine."""
        directory, name = self._place(unit)
        return directory / name

    def check(self) -> None:
        """See, before there is any result, that one can be written: with a file that goes again."""
        probe = self._staging / staging.name(0)
        with durable.explained(self._staging):
            self._make(self._staging)
            try:
                probe.write_bytes(bytes(_PROBE))
            finally:
                probe.unlink(missing_ok=True)

    def stage(self, unit: Unit, token: int) -> Path:
        """Return a path of this attempt's own to write a result to."""
        with durable.explained(self._staging):
            self._make(self._staging)
        return self._staging / staging.name(token)

    def make_durable(self, staged: Path, unit: Unit) -> int:
        """Bring a staged file to the disk, and make the directory that it is for.

        Returns its size in bytes.
        """
        directory, name = self._place(unit)
        with durable.explained(directory / name):
            size = durable.sync_file(staged)
            self._make(directory)
        return size

    def replace(self, staged: Path, unit: Unit, token: int) -> None:
        """Put a durable file in place of the unit's previous one, in one step.

        Its name is still to be made durable (:meth:`sync`). A published file of a greater token
        stays. Between that look and the rename a worker that was paused exactly there can still
        replace its successor's file: that is the only window.

        Raises:
            LeaseLostError: what is published carries a greater token.
        """
        directory, name = self._place(unit)
        target = directory / name
        self._refuse_older(target, token)
        with durable.explained(target):
            staged.replace(target)

    def sync(self, directory: Path) -> None:
        """Make the names in a directory durable."""
        with durable.explained(directory):
            durable.sync_directory(directory)

    def discard(self, staged: Path) -> None:
        """Remove a staged file, if it is there; one that cannot be removed is swept later."""
        with suppress(OSError):
            staged.unlink(missing_ok=True)

    def remove(self, units: Iterable[Unit], *, token: int | None = None) -> None:
        """Remove the published files of units whose shape has been superseded.

        With a ``token``, files that carry a greater one stay.
        """
        changed = set()
        for unit in units:
            path = self.path(unit)
            if token is not None and self._token(path) > token:
                continue
            with durable.explained(path):
                if path.exists():
                    path.unlink(missing_ok=True)
                    changed.add(path.parent)
        for directory in changed:
            self.sync(directory)

    def sweep(self, now: float | None = None, dead_after: float = staging.DEAD_AFTER) -> int:
        """Remove what dead attempts left in staging and return how many files that was.

        ``now`` is the wall clock's time by default. A file of a live attempt is only taken when
        it has not changed for ``dead_after`` seconds; that attempt then fails and is tried again.
        """
        at = staging.wall() if now is None else now
        removed = 0
        for path in self._staging.glob("*.part"):
            with durable.explained(path), suppress(FileNotFoundError):
                if staging.is_dead(path, at, dead_after):
                    path.unlink()
                    removed += 1
        return removed

    def published(self, unit: Unit) -> dict[str, str] | None:
        """Return the provenance of a unit's published result, or None if there is none."""
        try:
            return self.provenance(self.path(unit))
        except FileNotFoundError:
            return None

    def provenance(self, path: Path) -> dict[str, str]:
        """Return what a published file says of itself.

        Raises:
            FileNotFoundError: there is no such file.
        """
        return provenance.read(path)

    def _place(self, unit: Unit) -> tuple[Path, str]:
        """Return a unit's directory, and its file's name there."""
        if unit.value is None:
            month = stamp(unit.start)
            within, name = f"{MONTH}={month[:4]}-{month[4:6]}", unit.key
        else:
            # The digest also keeps values apart that differ in case only, where files do not.
            within, name = f"{VALUE}={_shortened(unit.value)}", _digest(unit.value)
        directory = self._directories.get(within)
        if directory is None:
            directory = self._directories[within] = self.root / within
        return directory, f"{name}.parquet"

    def _refuse_older(self, target: Path, token: int) -> None:
        published = self._token(target)
        if published > token:
            raise LeaseLostError(
                f"{target} was published by a later attempt (token {published}, ours is {token}); "
                "it stays."
            )

    def _token(self, path: Path) -> int:
        """Return a published file's token; -1 if there is none, or it has none."""
        if not path.exists():
            return -1
        try:
            return int(self.provenance(path).get(TOKEN, "-1"))
        except (FileNotFoundError, OutputError, ValueError):
            return -1  # gone, broken or not ours: it can be replaced

    def _make(self, directory: Path) -> None:
        if directory not in self._made or not directory.is_dir():
            durable.make_directory(directory)
            self._made.add(directory)


def _shortened(value: str) -> str:
    """Return a value percent-encoded for a file name; a long one is cut and told by its hash.

    Cut ones are longer than any whole one, so the two never meet. The cut is between characters:
    DuckDB fails to read a directory whose name does not decode.
    """
    if value.lower() in _READ_AS_NULL:
        return f"%{ord(value[0]):02X}{value[1:]}"
    encoded = quote(value, safe="")
    if len(encoded) <= _LONGEST:
        return encoded
    kept = value[:_LONGEST]
    while len(encoded := quote(kept, safe="")) > _LONGEST:
        kept = kept[:-1]
    return f"{encoded}{'~' * (_LONGEST + 1 - len(encoded))}{_digest(value)}"


def _digest(value: str) -> str:
    return sha256(value.encode()).hexdigest()[:32]
