"""What ``seeknal intervals complete`` and ``restate`` do: change by hand what is done."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from seeknal.cli import text
from seeknal.cli.workspace import Workspace, bounds, window_of
from seeknal.errors import TimeError, UsageError
from seeknal.flow import Flow
from seeknal.plan import count_shaped, restatements
from seeknal.resolve import fingerprint_of
from seeknal.workflow.instants import format_interval, is_bare_date, parse_instant
from seeknal.workflow.intervals import IntervalSet, missing
from seeknal.workflow.partitions import partition_range
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import CompletedValue, Completion, Origin


def mark_complete(
    path: Path | None,
    names: Sequence[str],
    intervals: Sequence[str],
    partitions: str | None,
    reason: str,
) -> None:
    """Mark intervals or partitions complete by hand."""
    with Workspace.open(path) as space:
        flow = space.one(names, "mark complete")
        print_ = fingerprint_of(flow)
        what = "; ".join([*intervals, *([partitions] if partitions else [])])
        if flow.interval_schedule is None:
            if intervals:
                raise UsageError(f"Flow {flow.name!r} runs by value; choose with --partitions.")
            values = _names(partitions, "a partition with --partitions")
            done = [CompletedValue(v, Origin.MANUAL, print_) for v in values]
            space.store.mark(flow.name, [], done, space.change("complete", what, reason))
            text.show(f"Marked complete: {text.listed(values)} of {flow.name}.")
            return
        schedule = flow.interval_schedule
        asked = _asked_intervals(flow, schedule, intervals, partitions)
        fresh = missing(schedule, asked, space.store.state(flow.name).completed)
        marks = [Completion(s, e, Origin.MANUAL, str(schedule), print_) for s, e in fresh]
        if not marks:
            text.show(f"Already complete: {text.span(asked, flow.timezone)} of {flow.name}.")
            return
        space.store.mark(flow.name, marks, [], space.change("complete", what, reason))
        text.show(
            f"Marked {text.count(schedule, fresh)} of {flow.name} complete "
            f"({text.span(fresh, flow.timezone)})."
        )


def _asked_intervals(
    flow: Flow, schedule: Schedule, intervals: Sequence[str], partitions: str | None
) -> IntervalSet:
    asked = IntervalSet()
    for one in intervals:
        asked |= _read_interval(flow, schedule, one)
    if partitions is not None:
        asked |= _partition_ranges(flow, schedule, partitions)
    if not asked:
        raise UsageError("Name what is complete with --interval, for example 2024-01-01.")
    last = max(end for _, end in asked)
    if last > time.time():
        where = format_interval(schedule.floor(last - 1), last, flow.timezone)
        raise TimeError(f"The interval {where} has not ended yet; it cannot be complete.")
    return asked


def _partition_ranges(flow: Flow, schedule: Schedule, partitions: str) -> IntervalSet:
    if flow.partition_format is None:
        raise UsageError(f"Flow {flow.name!r} has no partition format; use --interval.")
    found = IntervalSet()
    for name in _names(partitions, "a partition"):
        found |= _whole(
            flow, schedule, name, *partition_range(name, flow.partition_format, flow.timezone)
        )
    return found


def _read_interval(flow: Flow, schedule: Schedule, typed: str) -> IntervalSet:
    """Read a date (that whole day), an interval's start, or ``A to B``.

    Raises:
        TimeError: it is none of these, or does not consist of whole intervals.
    """
    zone = flow.timezone
    first, to, last = typed.partition(" to ")
    if to:
        return _whole(flow, schedule, typed, *_both(flow, first.strip(), last.strip()))
    start = parse_instant(typed, zone)
    if is_bare_date(typed):
        return _whole(flow, schedule, typed, *partition_range(typed.strip(), "%Y-%m-%d", zone))
    return _whole(flow, schedule, typed, start, schedule.next(start))


def _whole(flow: Flow, schedule: Schedule, typed: str, start: int, end: int) -> IntervalSet:
    """Return a stretch that consists of whole intervals; part of one cannot be complete."""
    first, last = schedule.floor(start), schedule.ceil(end)
    if (first, last) != (start, end):
        raise TimeError(
            f"{typed!r} is not made of whole intervals of {schedule.cron!r}; it lies in "
            f"'{format_interval(first, last, flow.timezone)}': give that."
        )
    return IntervalSet([(start, end)])


def _both(flow: Flow, start: str, end: str) -> tuple[int, int]:
    low, high = bounds(flow, start, end)
    assert low is not None
    assert high is not None
    return low, high


@dataclass(frozen=True, slots=True)
class Restate:
    """The options of ``seeknal intervals restate``."""

    project_path: Path | None
    flows: list[str]
    start: str | None
    end: str | None
    partitions: str | None
    reason: str
    dry_run: bool
    clear: bool

    @property
    def what(self) -> str:
        """What is restated, as it was typed."""
        return self.partitions if self.partitions is not None else f"{self.start} to {self.end}"


def ask_restate(asked: Restate) -> None:
    """Ask for completed units to be done again, or withdraw that."""
    if not asked.reason.strip():
        raise UsageError("--reason is empty; say why, it is kept in the audit.")
    with Workspace.open(asked.project_path) as space:
        flow = space.one(asked.flows, "restate")
        if flow.interval_schedule is not None:
            _restate_ranges(space, flow, asked)
        elif asked.start is not None or asked.end is not None:
            raise UsageError(f"Flow {flow.name!r} runs by value; choose with --partitions.")
        else:
            _restate_values(space, flow, asked)


def _restated_ranges(
    flow: Flow, start: str | None, end: str | None, partitions: str | None
) -> IntervalSet:
    if partitions is not None and start is None and end is None:
        window = window_of(flow, None, None, partitions)
        if window.ranges is None:
            raise UsageError(f"Flow {flow.name!r} has no partition format; use --start and --end.")
        return window.ranges
    if partitions is not None:
        raise UsageError("Give dates or --partitions, not both.")
    if start is None or end is None:
        raise UsageError("Say what to restate: --start and --end, or --partitions.")
    return IntervalSet([_both(flow, start, end)])


def _restate_ranges(space: Workspace, flow: Flow, asked: Restate) -> None:
    ranges = _restated_ranges(flow, asked.start, asked.end, asked.partitions)
    state = space.store.state(flow.name)
    found = restatements(state, ranges, asked.reason)
    if asked.clear:
        touched = IntervalSet((r.start, r.end) for r in found)
        found = tuple(r for r in state.restatements if touched.overlaps(r.start, r.end))
        found = tuple(
            replace(r, start=s, end=e)
            for r in found
            for s, e in IntervalSet([(r.start, r.end)]) & touched
        )
    if not found:
        word = "restated" if asked.clear else "completed"
        text.show(f"Nothing of {flow.name} is {word} in {asked.what}; nothing is changed.")
        return
    within = IntervalSet((r.start, r.end) for r in found)
    where = text.span(within, flow.timezone)
    units = text.plural(count_shaped(found), "interval")
    _tell(flow, f"{units} of {flow.name} ({where})", asked)
    if asked.dry_run:
        return
    if asked.clear:
        change = space.change("clear restatement", asked.what, asked.reason)
        space.store.clear_restatements(flow.name, within, [], change)
    else:
        change = space.change("restate", asked.what, asked.reason)
        space.store.restate(flow.name, found, [], change)


def _restate_values(space: Workspace, flow: Flow, asked: Restate) -> None:
    state = space.store.state(flow.name)
    known = set(state.restated_values) if asked.clear else {v.value for v in state.values}
    names = _names(asked.partitions, "--partitions")
    found = [name for name in names if name in known]
    others = [name for name in names if name not in known]
    word = "restated" if asked.clear else "completed"
    if others:
        text.say(f"Not {word}, so nothing is changed there: {text.listed(others)}.")
    if not found:
        text.show(f"Nothing of {flow.name} is changed.")
        return
    _tell(flow, f"{text.listed(found)} of {flow.name}", asked)
    if asked.dry_run:
        return
    what = ", ".join(found)
    if asked.clear:
        change = space.change("clear restatement", what, asked.reason)
        space.store.clear_restatements(flow.name, IntervalSet(), found, change)
    else:
        space.store.restate(flow.name, [], found, space.change("restate", what, asked.reason))


def _tell(flow: Flow, what: str, asked: Restate) -> None:
    if asked.clear:
        text.show(f"{'Would withdraw' if asked.dry_run else 'Withdrew'} the restatement of {what}.")
    elif asked.dry_run:
        text.show(f"Would restate {what}.")
    else:
        command = text.command(f"seeknal run --backfill --flow {flow.name}", asked.project_path)
        text.show(f"Restated {what}; run them with: {command}")


def _names(partitions: str | None, wanted: str) -> list[str]:
    names = [name.strip() for name in (partitions or "").split(",") if name.strip()]
    if not names:
        raise UsageError(f"Give {wanted}.")
    return names
