"""What ``seeknal run --dry-run`` prints: what would run and why, and what would not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from seeknal.cli import text
from seeknal.plan import Exclusion, Part, Plan, count_planned
from seeknal.workflow.units import Planned

_WHY = {
    Exclusion.DONE: "done",
    Exclusion.NOT_DUE: "not due yet",
    Exclusion.NO_DATA: "no data yet",
    Exclusion.OLDER: "older, left for a backfill",
    Exclusion.RESTATED: "restated, left for a backfill",
    Exclusion.KIND: "left out by --only",
    Exclusion.LIMIT: "past the limit",
}
_MOST_PARTS = 20
_MOST_EXCLUDED = 12


def show_preview(plan: Plan, timezone: str, *, every: bool) -> None:
    """Print a plan: a line per range with its reason, the totals, and what is excluded."""
    if plan.parts:
        text.show(f"Would process {text.what(plan, plan.flow)}:")
        text.show_lines(text.plan_lines(plan, timezone), every=every, most=_MOST_PARTS)
        text.show(f"Total: {text.totals(plan)}.")
    else:
        text.show(f"Nothing to do for {plan.flow}.")
    excluded = [(_WHY[why], plan.left_out(why)) for why in Exclusion if plan.left_out(why)]
    excluded += [(f"held by run {h.run}", _planned(h.parts)) for h in plan.held]
    if not excluded:
        return
    totals = ", ".join(f"{count_planned(planned):,} {why}" for why, planned in excluded)
    text.show(f"Excluded: {totals}.")
    lines = [line for why, planned in excluded for line in _lines(planned, why, plan, timezone)]
    text.show_lines(lines, every=every, most=_MOST_EXCLUDED)


def preview_json(plan: Plan, timezone: str) -> dict[str, Any]:
    """Return a plan as JSON, with the ranges of what is excluded and why."""
    excluded = [
        {**text.planned_json(one, timezone), "why": str(why)}
        for why in Exclusion
        for one in plan.left_out(why)
    ]
    excluded += [
        {
            **text.planned_json(part.planned, timezone),
            "why": "held",
            "run": hold.run,
            "reason": str(part.reason),
        }
        for hold in plan.held
        for part in hold.parts
    ]
    return {**text.plan_json(plan, timezone), "excluded": excluded}


def _planned(parts: Iterable[Part]) -> tuple[Planned, ...]:
    return tuple(part.planned for part in parts)


def _lines(planned: Sequence[Planned], why: str, plan: Plan, timezone: str) -> Iterable[str]:
    for one in planned:
        many = text.plural(count_planned([one]), plan.noun)
        yield f"  {text.planned_name(one, timezone)}: {many} {why}"
