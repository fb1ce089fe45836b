"""What ``seeknal run --estimate`` prints: how long a run will take, judged by a sample of it."""

from __future__ import annotations

from typing import Any

from seeknal.cli import text
from seeknal.estimate import Estimate, Spread
from seeknal.workflow.state import Counts, Run

_WORKERS = (1, 4, 16, 64)


def show_estimate(run: Run, counts: Counts, found: Estimate | None, go_on: str) -> None:
    """Print what a sample says of a run; ``go_on`` is the command that does the rest."""
    if found is None:
        text.say(f"No estimate: no unit of the sample was completed ({counts.failed:,} failed).")
        return
    failed = f", {counts.failed:,} more failed" if counts.failed else ""
    text.show(
        f"Run {run.id} did a sample of {found.sampled:,} of {run.units:,} units{failed}; what is "
        "done stays done."
    )
    low, high = (text.duration(seconds) for seconds in found.usual)
    text.show(
        f"A unit takes one worker {text.duration(found.seconds.mean)} (eight in ten: {low} to "
        f"{high}), and makes {text.plural(round(found.rows.mean), 'row')}, "
        f"{text.size(round(found.bytes.mean))}."
    )
    if not found.left:
        return
    rows, size = found.rows.times(found.left), found.bytes.times(found.left)
    text.show(
        f"The other {text.plural(found.left, 'unit')}: about {round(rows.mean):,} rows "
        f"({round(rows.low):,} to {round(rows.high):,}), {text.size(round(size.mean))} "
        f"({text.size(round(size.low))} to {text.size(round(size.high))})."
    )
    text.show("  workers  time      probably")
    for workers in _WORKERS:
        wall = found.wall(workers)
        text.show(f"  {workers:>7}  {text.duration(wall.mean):<8}  {_bounds(wall)}")
    text.say(f"So many workers need so many processors. Go on with: {go_on}")


def estimate_json(run: Run, counts: Counts, found: Estimate | None) -> dict[str, Any]:
    """Return what a sample says of a run, as JSON; times in seconds."""
    shown: dict[str, Any] = {
        "run": run.id,
        "flow": run.flow,
        "units": run.units,
        "sampled": counts.done,
        "failed": counts.failed,
    }
    if found is None:
        return shown
    return {
        **shown,
        "left": found.left,
        "unit_seconds": _json(found.seconds),
        "unit_seconds_usual": list(found.usual),
        "unit_seconds_longest": found.longest,
        "rows": _json(found.rows.times(found.left)),
        "bytes": _json(found.bytes.times(found.left)),
        "seconds": {str(workers): _json(found.wall(workers)) for workers in _WORKERS},
    }


def _bounds(spread: Spread) -> str:
    return f"{text.duration(spread.low)} to {text.duration(spread.high)}"


def _json(spread: Spread) -> dict[str, float]:
    return {"mean": spread.mean, "low": spread.low, "high": spread.high}
