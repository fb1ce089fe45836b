"""What ``seeknal plan`` does: what changed in a flow since its completed units were made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from seeknal.cli import text
from seeknal.cli.workspace import Workspace
from seeknal.engine.changes import UNCHANGED
from seeknal.errors import PermanentQueryError, SeeknalError, UsageError
from seeknal.flow import Flow
from seeknal.versions import Version, other, ranges, versions
from seeknal.workflow.instants import format_instant
from seeknal.workflow.intervals import IntervalSet, count_units
from seeknal.workflow.state import FlowState


def show_changes(path: Path | None, names: Sequence[str], *, every: bool, as_json: bool) -> int:
    """Print what changed in each flow; return 1 if somebody has to decide, else 0."""
    with Workspace.open(path) as space:
        flows = [_Changes.of(space, flow, path) for flow in space.flows(names)]
    if as_json:
        text.show_json({"flows": [flow.json() for flow in flows]})
    else:
        for flow in flows:
            flow.show(every=every)
    return 1 if any(flow.due for flow in flows) else 0


def warn_mixed(space: Workspace, flow: Flow, path: Path | None) -> None:
    """Warn if completed units of a flow were made by other logic than the present."""
    found = _Changes.of(space, flow, path)
    units = sum(version.units for version in found.due)
    if units:
        text.say(
            f"Warning: {text.plural(units, f'completed {found.noun}')} of {flow.name} "
            f"{'was' if units == 1 else 'were'} made by other logic than the present; see: "
            + text.command(f"seeknal plan --flow {flow.name}", path)
        )


def other_versions(space: Workspace, flow: Flow, state: FlowState) -> frozenset[str]:
    """Return the fingerprints in a flow's state that are of other logic than the present.

    None of them where the present SQL is no SQL: what is done can be shown all the same.
    """
    if not (state.completions or state.values):
        return frozenset()
    try:
        return other(flow, state, space.store.specs(flow.name))
    except (PermanentQueryError, UsageError):
        return frozenset()


class _Changes:
    """One flow's versions, and how they read."""

    def __init__(
        self, flow: Flow, state: FlowState, found: tuple[Version, ...], path: Path | None
    ) -> None:
        self.flow, self.state, self.versions = flow, state, found
        self._path = path

    @classmethod
    def of(cls, space: Workspace, flow: Flow, path: Path | None) -> _Changes:
        """Read a flow's state, and compare it with the flow."""
        state = space.store.state(flow.name)
        done = state.completions or state.values
        specs = space.store.specs(flow.name) if done else {}
        try:
            return cls(flow, state, versions(flow, state, specs), path)
        except SeeknalError as error:
            raise type(error)(f"Flow {flow.name!r}: {error}") from None

    @property
    def noun(self) -> str:
        """What the flow's units are called."""
        return "partition" if self.flow.by_value else "interval"

    @property
    def due(self) -> list[Version]:
        """The versions about whose units somebody has to decide."""
        return [version for version in self.versions if version.is_due]

    def show(self, *, every: bool) -> None:
        """Print a block for each version in which something differs, and what to do."""
        told = [v for v in self.versions if v.difference is not UNCHANGED]
        if not told:
            done = "nothing changed" if self.versions else "nothing is done yet"
            text.say(f"{self.flow.name}: {done}.")
        for version in told:
            self._show_version(version, every=every)
        if any(version.difference.counts for version in told):
            text.show("To do them again:")
            for command in [*self._restate(), self._run]:
                text.show(f"  {command}")
        values = [v for version in self.due for v in version.values if not _can_be_typed(v)]
        if values:
            text.say(f"Not in the command, for a comma or blank in it: {text.listed(values)}.")

    def _show_version(self, version: Version, *, every: bool) -> None:
        text.show(f"{self.flow.name}: {version.difference.summary} ({self._made(version)})")
        for line in version.difference.details:
            text.show(f"  {line}")
        for note in version.difference.notes:
            text.show(f"  note: {note}")
        if version.is_due:
            text.show("Made before:")
            text.show_lines(self._lines(version), every=every)

    def _made(self, version: Version) -> str:
        if not version.units:
            return f"{text.plural(version.restated, self.noun)}, all restated"
        restated = f", and {version.restated:,} restated" if version.restated else ""
        return f"{text.plural(version.units, self.noun)}{restated}"

    def _lines(self, version: Version) -> list[str]:
        lines = [f"  {text.one_line(value)}" for value in version.values]
        for schedule, stretch in version.shapes:
            lines += text.interval_lines(schedule, stretch, self.flow.timezone, every=False)
        return lines

    def _restate(self) -> list[str]:
        """Return the commands that ask for all of it to be done again."""
        zone = self.flow.timezone
        chosen = [
            f"--start {format_instant(start, zone)} --end {format_instant(end, zone)}"
            for start, end in ranges(self.due, self.state)
        ]
        values = [v for version in self.due for v in version.values if _can_be_typed(v)]
        if values:
            chosen.append(f"--partitions {quote(','.join(values))}")
        words = f"seeknal intervals restate --flow {self.flow.name}"
        reason = f"--reason {quote(self._reason())}"
        return [text.command(f"{words} {each} {reason}", self._path) for each in chosen]

    def _reason(self) -> str:
        summaries = {version.difference.summary for version in self.due}
        summary = summaries.pop() if len(summaries) == 1 else "logic changed"
        return summary[:1].upper() + summary[1:]

    @property
    def _run(self) -> str:
        return text.command(f"seeknal run --backfill --flow {self.flow.name}", self._path)

    def json(self) -> dict[str, Any]:
        """Return the flow's versions as JSON."""
        differs = any(version.difference.counts for version in self.versions)
        return {
            "flow": self.flow.name,
            "timezone": self.flow.timezone,
            "units": sum(version.units for version in self.due),
            "versions": [self._version_json(version) for version in self.versions],
            "commands": [*self._restate(), self._run] if differs else [],
        }

    def _version_json(self, version: Version) -> dict[str, Any]:
        zone = self.flow.timezone
        return {
            "fingerprint": version.fingerprint,
            "change": str(version.difference.kind),
            "summary": version.difference.summary,
            "details": list(version.difference.details),
            "notes": list(version.difference.notes),
            "units": version.units,
            "restated": version.restated,
            "ranges": [
                {
                    **text.interval_json(start, end, zone),
                    "units": count_units(schedule, IntervalSet([(start, end)])),
                }
                for schedule, stretch in version.shapes
                for start, end in stretch
            ],
            "partitions": list(version.values),
        }


def _can_be_typed(value: str) -> bool:
    """Return whether ``--partitions`` can name a value."""
    return bool(value) and value == value.strip() and "," not in value
