"""What ``seeknal intervals`` does: reads and changes what is done, pending, failed, restated."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seeknal.cli import text
from seeknal.cli.workspace import Workspace, bounds, window_of
from seeknal.errors import TimeError, UsageError
from seeknal.flow import Flow
from seeknal.plan import restatements
from seeknal.resolve import fingerprint_of
from seeknal.workflow.instants import format_interval, is_bare_date, parse_instant
from seeknal.workflow.intervals import IntervalSet, missing
from seeknal.workflow.partitions import partition_range
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import CompletedValue, Completion, FlowState, Origin

_MARKS = {
    Origin.RUN: "",
    Origin.BACKFILL: " (backfilled)",
    Origin.RESTATE: " (restated)",
    Origin.MANUAL: " (marked by hand)",
}


def show_completed(path: Path | None, names: Sequence[str], *, every: bool, as_json: bool) -> None:
    """Print completed intervals or partitions of each flow."""
    with Workspace.open(path) as space:
        states = [(flow, space.store.state(flow.name)) for flow in space.flows(names)]
        if as_json:
            text.show_json({"flows": [_state_json(flow, state) for flow, state in states]})
            return
        for flow, state in states:
            _show_state(flow, state, every=every)


def _show_state(flow: Flow, state: FlowState, *, every: bool) -> None:
    by_value = flow.interval_schedule is None
    text.show(f"Completed {'Partitions' if by_value else 'Intervals'} for {flow.name}:")
    lines = _value_lines(state) if by_value else _completion_lines(flow, state, every=every)
    text.show_lines(lines or ["  none yet"], every=every)


def _completion_lines(flow: Flow, state: FlowState, *, every: bool) -> list[str]:
    restated = state.restated
    total = text.count_all((Schedule.parse(c.schedule), c.start, c.end) for c in state.completions)
    lines: list[str] = []
    for completion in state.completions:
        schedule = Schedule.parse(completion.schedule)
        whole = IntervalSet([(completion.start, completion.end)])
        pieces = [(s, e, f" ✓{_MARKS[completion.origin]}") for s, e in whole - restated]
        pieces += [(s, e, " ↻ (restated, pending)") for s, e in whole & restated]
        for start, end, mark in sorted(pieces):
            lines += text.interval_lines(
                schedule,
                IntervalSet([(start, end)]),
                flow.timezone,
                mark,
                every=every or total <= text.LINES,
            )
    return lines


def _value_lines(state: FlowState) -> list[str]:
    return [
        f"  {v.value} ↻ (restated, pending)"
        if v.value in state.restated_values
        else f"  {v.value} ✓{_MARKS[v.origin]}"
        for v in sorted(state.values)
    ]


def _state_json(flow: Flow, state: FlowState) -> dict[str, Any]:
    zone = flow.timezone
    return {
        "flow": flow.name,
        "timezone": zone,
        "completed": [
            {
                **text.interval_json(c.start, c.end, zone),
                "units": text.count_all([(Schedule.parse(c.schedule), c.start, c.end)]),
                "origin": str(c.origin),
                "schedule": c.schedule,
                "fingerprint": c.fingerprint,
            }
            for c in state.completions
        ],
        "completed_partitions": [
            {"partition": v.value, "origin": str(v.origin), "fingerprint": v.fingerprint}
            for v in sorted(state.values)
        ],
        "restated": [
            {**text.interval_json(r.start, r.end, zone), "reason": r.reason}
            for r in state.restatements
        ],
        "restated_partitions": dict(state.restated_values),
    }


def show_pending(
    path: Path | None,
    names: Sequence[str],
    start: str | None,
    end: str | None,
    schedule: str | None,
    *,
    every: bool,
    as_json: bool,
) -> None:
    """Print what a backfill of the window would run, flow by flow."""
    with Workspace.open(path) as space:
        now = time.time()
        plans = []
        for flow in space.flows(names):
            window = window_of(flow, start, end, None, backfill=True)
            prepared, data = space.ready(flow)
            if schedule is not None and prepared.schedule is not None:
                prepared = replace(prepared, schedule=Schedule(schedule, flow.timezone))
            plans.append((flow, prepared.plan(space.store, data, window, now)))
        if as_json:
            text.show_json({"flows": [text.plan_json(p, f.timezone) for f, p in plans]})
            return
        for flow, plan in plans:
            noun = "intervals" if plan.schedule else "partitions"
            of = f" for {flow.name}" if len(plans) > 1 else ""
            text.show(f"Pending {noun}{of} ({plan.count():,}):")
            text.show_lines(text.unit_lines(plan, flow.timezone, every=every), every=every)


def show_failed(path: Path | None, names: Sequence[str], *, every: bool, as_json: bool) -> None:
    """Print failed units with their errors."""
    with Workspace.open(path) as space:
        found = [(flow, space.store.failed(flow.name)) for flow in space.flows(names)]
        if as_json:
            text.show_json(
                {
                    "flows": [
                        {
                            "flow": flow.name,
                            "failed": [text.record_json(r, flow.timezone) for r in records],
                        }
                        for flow, records in found
                    ]
                }
            )
            return
        for flow, records in found:
            text.show(f"Failed for {flow.name} ({len(records):,}):")
            text.show_lines(
                [
                    f"  {text.unit_name(r.unit, flow.timezone)} "
                    f"({text.plural(r.attempts, 'attempt')}, run {r.run}): {r.error}"
                    for r in records
                ],
                every=every,
            )


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
        print_ = fingerprint_of(space.project, flow)
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


def ask_restate(
    path: Path | None,
    names: Sequence[str],
    start: str | None,
    end: str | None,
    partitions: str | None,
    reason: str,
    *,
    dry_run: bool,
) -> None:
    """Ask for completed units to be done again."""
    if not reason.strip():
        raise UsageError("--reason is empty; say why, it is kept in the audit.")
    with Workspace.open(path) as space:
        flow = space.one(names, "restate")
        what = partitions if partitions is not None else f"{start} to {end}"
        if flow.interval_schedule is None:
            if start is not None or end is not None:
                raise UsageError(f"Flow {flow.name!r} runs by value; choose with --partitions.")
            _restate_values(space, flow, _names(partitions, "--partitions"), reason, dry_run)
        else:
            ranges = _restated_ranges(flow, start, end, partitions)
            _restate_ranges(space, flow, ranges, what, reason, dry_run)


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


def _restate_ranges(
    space: Workspace, flow: Flow, ranges: IntervalSet, what: str, reason: str, dry_run: bool
) -> None:
    found = restatements(space.store.state(flow.name), ranges, reason)
    count = text.count_all((Schedule.parse(r.schedule), r.start, r.end) for r in found)
    if not found:
        text.show(f"Nothing of {flow.name} is completed in {what}; nothing to restate.")
        return
    where = text.span(IntervalSet((r.start, r.end) for r in found), flow.timezone)
    _restated_line(flow, f"{text.plural(count, 'interval')} of {flow.name} ({where})", dry_run)
    if not dry_run:
        space.store.restate(flow.name, found, [], space.change("restate", what, reason))


def _restate_values(
    space: Workspace, flow: Flow, values: Sequence[str], reason: str, dry_run: bool
) -> None:
    done = {v.value for v in space.store.state(flow.name).values}
    found = [value for value in values if value in done]
    if not found:
        text.show(f"None of {text.listed(values)} is completed; nothing to restate.")
        return
    _restated_line(flow, f"{text.listed(found)} of {flow.name}", dry_run)
    if not dry_run:
        space.store.restate(flow.name, [], found, space.change("restate", ", ".join(found), reason))


def _restated_line(flow: Flow, what: str, dry_run: bool) -> None:
    if dry_run:
        text.show(f"Would restate {what}.")
    else:
        text.show(f"Restated {what}; run them with: seeknal run --backfill --flow {flow.name}")


def _names(partitions: str | None, wanted: str) -> list[str]:
    names = [name.strip() for name in (partitions or "").split(",") if name.strip()]
    if not names:
        raise UsageError(f"Give {wanted}.")
    return names
