"""How plans and states read: sentences, lists that stay short, JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from shlex import quote
from typing import Any

from seeknal.cli.streams import is_read, say, show
from seeknal.plan import Part, Plan, Reason, count_planned
from seeknal.workflow.instants import format_interval, to_datetime
from seeknal.workflow.intervals import IntervalSet, count_units
from seeknal.workflow.schedule import Schedule
from seeknal.workflow.state import UnitRecord
from seeknal.workflow.units import Planned, PlannedRange, Unit

# What prints, for the modules of commands, which print nothing but texts.
__all__ = ["say", "show"]

LINES = 40


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    show(json.dumps(value, indent=2, ensure_ascii=False))


def plural(count: int, noun: str) -> str:
    """Return ``1 interval``, ``2 intervals``, ``1,000 intervals``."""
    if count == 1:
        return f"1 {noun}"
    return f"{count:,} {noun[:-1]}ies" if noun.endswith("y") else f"{count:,} {noun}s"


def one_line(words: str) -> str:
    """Return words that somebody typed so that they stay on their line, and draw nothing."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


def unit_name(unit: Unit, timezone: str) -> str:
    """Return how a unit is shown: its value, or its interval on the flow's wall clock."""
    if unit.value is not None:
        return one_line(unit.value)
    return format_interval(unit.start, unit.end, timezone)


def span(ranges: IntervalSet, timezone: str) -> str:
    """Return the stretch from the first to the last instant of non-empty ranges."""
    first, last = ranges.span or (0, 0)
    return format_interval(first, last, timezone)


def planned_span(planned: Sequence[Planned], timezone: str) -> str:
    """Return what planned ranges or values stretch over, for brackets behind their count."""
    ranges = [one for one in planned if isinstance(one, PlannedRange)]
    if ranges:
        return span(IntervalSet((r.start, r.end) for r in ranges), timezone)
    return listed([planned_name(one, timezone) for one in planned])


def parts_span(parts: Sequence[Part], timezone: str) -> str:
    """Return what a plan's parts stretch over."""
    return planned_span([part.planned for part in parts], timezone)


def planned_name(planned: Planned, timezone: str) -> str:
    """Return how a planned range or value is shown."""
    if isinstance(planned, PlannedRange):
        return format_interval(planned.start, planned.end, timezone)
    return one_line(planned.value)


def listed(names: Sequence[str], most: int = 5) -> str:
    """Return names separated by commas, on one line, with the count of those left out."""
    shown = ", ".join(map(one_line, names[:most]))
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


def what(plan: Plan, of: str = "") -> str:
    """Return ``3 new intervals`` or ``5 intervals: 3 new, 2 unfinished``; ``of`` a flow, if any."""
    whose = f" of {of}" if of else ""
    counts = reasons(plan)
    total = sum(counts.values())
    if len(counts) == 1:
        return plural(total, f"{next(iter(counts))} {plan.noun}") + whose
    return f"{plural(total, plan.noun)}{whose}: {totals(plan)}"


def totals(plan: Plan) -> str:
    """Return a plan's units by reason: ``3 new, 2 unfinished``."""
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons(plan).items())


def reasons(plan: Plan) -> dict[str, int]:
    """Return how many units of a plan are to be run for each reason there is."""
    counts = {str(reason): plan.count(reason) for reason in Reason}
    return {reason: count for reason, count in counts.items() if count}


def intervals(schedule: Schedule, ranges: IntervalSet) -> Iterable[tuple[int, int]]:
    """Yield the intervals of a schedule that tile ranges."""
    for start, end in ranges.ranges:
        yield from schedule.intervals(start, end)


def interval_lines(
    schedule: Schedule, ranges: IntervalSet, timezone: str, mark: str = "", *, every: bool
) -> list[str]:
    """Return a line per interval, or per stretch of them."""
    if every:
        pairs = intervals(schedule, ranges)
        return [f"  {format_interval(s, e, timezone)}{mark}" for s, e in pairs]
    lines = []
    for start, end in ranges:
        inside = count_units(schedule, IntervalSet([(start, end)]))
        many = f" ({plural(inside, 'interval')})" if inside > 1 else ""
        lines.append(f"  {format_interval(start, end, timezone)}{mark}{many}")
    return lines


def show_lines(lines: Sequence[str], *, every: bool, most: int = LINES) -> None:
    """Print lines; of more than ``most`` only the first and the last, unless asked."""
    if every or len(lines) <= most:
        for line in lines:
            if not is_read():
                return
            show(line)
        return
    half = most // 2
    for line in lines[:half]:
        show(line)
    show(f"  ... {len(lines) - 2 * half:,} more lines (--all shows every one)")
    for line in lines[-half:]:
        show(line)


def command(words: str, project_path: Path | None) -> str:
    """Return a command to go on with, for the project that was named, if one was."""
    return f"{words} --project-path {quote(str(project_path))}" if project_path else words


def count(schedule: Schedule, ranges: IntervalSet, noun: str = "interval") -> str:
    """Return how many intervals of a schedule tile ranges, with their noun."""
    return plural(count_units(schedule, ranges), noun)


def size(count: int) -> str:
    """Return a size in bytes as ``512 B``, ``1.4 MB``."""
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def duration(seconds: float) -> str:
    """Return ``35 ms``, ``4.2 s``, ``40 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def rate(units: float) -> str:
    """Return units a second as ``12.4/s``, or those of a minute where that says more."""
    return f"{units:,.1f}/s" if units >= 0.95 or not units else f"{units * 60:,.1f}/min"


def plan_lines(plan: Plan, timezone: str) -> list[str]:
    """Return a line per stretch of a plan, with its reason."""
    lines = []
    for part in plan.parts:
        where = planned_name(part.planned, timezone)
        if isinstance(part.planned, PlannedRange):
            many = count_planned([part.planned])
            lines.append(f"  {where}: {plural(many, f'{part.reason} interval')}")
        else:
            lines.append(f"  {where}: {part.reason}")
    return lines


def interval_json(start: int, end: int, timezone: str) -> dict[str, Any]:
    """Return an interval's bounds as ISO texts with their offset."""
    return {
        "start": to_datetime(start, timezone).isoformat(),
        "end": to_datetime(end, timezone).isoformat(),
    }


def unit_json(unit: Unit, timezone: str) -> dict[str, Any]:
    """Return a unit as JSON: its interval, or its partition."""
    if unit.value is not None:
        return {"partition": unit.value}
    return interval_json(unit.start, unit.end, timezone)


def record_json(record: UnitRecord, timezone: str) -> dict[str, Any]:
    """Return a unit's record as JSON."""
    return {
        **unit_json(record.unit, timezone),
        "run": record.run,
        "attempts": record.attempts,
        "error": record.error,
    }


def planned_json(planned: Planned, timezone: str) -> dict[str, Any]:
    """Return a planned range or value as JSON, with its number of units."""
    units = count_planned([planned])
    if isinstance(planned, PlannedRange):
        return {**interval_json(planned.start, planned.end, timezone), "units": units}
    return {"partition": planned.value, "units": units}


def plan_json(plan: Plan, timezone: str) -> dict[str, Any]:
    """Return a plan as JSON: ranges with their reason and count, and how many are left out."""
    left_out = {str(why): count_planned(left) for why, left in plan.excluded.items()}
    if plan.held:
        left_out["held"] = count_planned(part.planned for part in plan.theirs)
    return {
        "flow": plan.flow,
        "units": plan.count(),
        "reasons": reasons(plan),
        "parts": [
            {**planned_json(part.planned, timezone), "reason": str(part.reason)}
            for part in plan.parts
        ],
        "left_out": left_out,
    }


def unit_lines(plan: Plan, timezone: str, *, every: bool) -> list[str]:
    """Return a line per unit of a plan, or per stretch where there would be too many."""
    every = every or plan.count() <= LINES
    lines = []
    for part in plan.parts:
        planned = part.planned
        mark = " (restated)" if part.reason is Reason.RESTATED else ""
        if isinstance(planned, PlannedRange):
            ranges = IntervalSet([(planned.start, planned.end)])
            schedule = Schedule.parse(planned.schedule)
            lines += interval_lines(schedule, ranges, timezone, mark, every=every)
        else:
            lines.append(f"  {planned_name(planned, timezone)}{mark}")
    return lines
