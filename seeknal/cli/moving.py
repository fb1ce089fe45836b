"""What ``seeknal state`` does: writes, merges and rebuilds what is known to be done."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from seeknal.cli import text
from seeknal.cli.workspace import Workspace
from seeknal.errors import ConfigError, SeeknalError, UsageError
from seeknal.flow import Flow
from seeknal.plan import count_shaped
from seeknal.rebuild import Found, restore, survey
from seeknal.resolve import output_of
from seeknal.statefile import read_state, write_state
from seeknal.transfer import Merged, busy_flows, export_state, import_state
from seeknal.workflow.instants import format_interval
from seeknal.workflow.intervals import IntervalSet
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import Completion


def export_to(path: Path | None, redis: str | None, file: Path) -> None:
    """Write a project's state to a file."""
    with Workspace.open(path, redis) as space:
        busy = busy_flows(space.store)
        if busy:
            text.say(
                f"Warning: runs are at work on {text.listed(busy)}; what they complete from now on "
                "is not in the file."
            )
        state = export_state(space.store, space.project.name)
        write_state(file, state)
        text.show(f"Exported {text.plural(len(state.flows), 'flow')} to {file}.")


def import_from(path: Path | None, redis: str | None, file: Path, reason: str) -> None:
    """Merge a file's state into the project's."""
    with Workspace.open(path, redis) as space:
        state = read_state(file)
        if state.project != space.project.name:
            raise ConfigError(
                f"{file} holds the state of the project {state.project!r}, not of "
                f"{space.project.name!r}; if they are the same, correct 'project' in the file."
            )
        what = f"{file.name}, exported {state.exported}"
        merged = import_state(space.store, state, space.change("import", what, reason))
        for each in merged:
            _show_merged(each, _zone(space, each.flow))
        if not merged:
            text.show(f"{file} holds no flows; nothing to import.")


def _zone(space: Workspace, flow: str) -> str:
    """Return the zone to show a flow's times in: UTC if its file is not here, or broken."""
    try:
        return space.project.flow(flow).timezone
    except SeeknalError:
        return "UTC"


def _show_merged(merged: Merged, zone: str) -> None:
    parts = [
        _count(merged.completions, len(merged.values), "completed"),
        _restated(merged),
        _unfinished(merged, zone),
    ]
    told = "; ".join(part for part in parts if part)
    text.show(f"{merged.flow}: imported {told}." if told else f"{merged.flow}: nothing new.")
    for each in merged.apart:
        text.say(
            f"Warning: {merged.flow}: {format_interval(each.start, each.end, zone)} is not "
            f"imported: intervals of {each.schedule!r} there are completed here in part, in "
            "another shape."
        )


def _count(completions: Sequence[Completion], values: int, what: str) -> str:
    counts = ((count_shaped(completions), "interval"), (values, "partition"))
    return " and ".join(text.plural(n, f"{what} {noun}") for n, noun in counts if n)


def _restated(merged: Merged) -> str:
    count = count_shaped(merged.restatements) + len(merged.restated_values)
    return text.plural(count, "restatement") if count else ""


def _unfinished(merged: Merged, zone: str) -> str:
    names = sorted(merged.unfinished_values)
    if merged.unfinished:
        names.insert(0, text.span(merged.unfinished, zone))
    return f"as unfinished {text.listed(names)}" if names else ""


# -- rebuilding ------------------------------------------------------------------------------


def rebuild_from_output(
    path: Path | None, redis: str | None, names: Sequence[str], *, dry_run: bool, every: bool
) -> int:
    """Restore flows' state from their output; 1 if files were left alone."""
    with Workspace.open(path, redis) as space:
        left = False
        for flow in space.flows(names):
            found = _survey(space, flow)
            if found is None:
                if names:
                    raise UsageError(
                        f"Flow {flow.name!r} keeps no output; there is nothing to rebuild from."
                    )
                text.say(f"{flow.name}: keeps no output; nothing to rebuild from.")
                continue
            if not dry_run and (found.token or found.completions or found.values):
                what = text.plural(found.files - len(found.left_alone), "published file")
                restore(space.store, found, space.change("rebuild", what))
            _show_found(found, flow.timezone, dry_run=dry_run, every=every)
            if not found.files:
                where = space.project.output_path(flow)
                text.say(f"Note: no published file of {flow.name} is seen here in {where}.")
            left = left or bool(found.left_alone)
        return 1 if left else 0


def _survey(space: Workspace, flow: Flow) -> Found | None:
    output = output_of(space.project, flow)
    if output is None:
        return None
    return survey(flow.name, output, space.store.state(flow.name), flow.timezone)


def _show_found(found: Found, zone: str, *, dry_run: bool, every: bool) -> None:
    told = _count(found.completions, len(found.values), "completed")
    files = text.plural(found.files, "file")
    verb = "would restore" if dry_run else "restored"
    known = f", {found.known:,} known already" if found.known else ""
    text.show(f"{found.flow}: {verb} {told or 'nothing new'} from {files}{known}.")
    text.show_lines(_restored_lines(found.completions, zone), every=every)
    for each in found.left_alone:
        text.say(f"Left alone: {each.path}: {each.why}.")


def _restored_lines(completions: Iterable[Completion], zone: str) -> list[str]:
    return [
        text.interval_lines(
            Schedule.parse(c.schedule),
            IntervalSet([(c.start, c.end)]),
            zone,
            f" [{c.origin}, {c.schedule}]",
            every=False,
        )[0]
        for c in completions
    ]
