"""How a run reads: in a few words, on a line, as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from seeknal.cli import text
from seeknal.errors import UsageError
from seeknal.view import View
from seeknal.workflow.state import Counts, Event, Run, UnitRecord
from seeknal.workflow.units import Unit

# What Celery's names of workers begin with says nothing that the rest does not.
_CELERY: Final = re.compile(r"\A[^@]*@")
_OWNER: Final = re.compile(r"\A([^ /]+)(?:/\w+)? pid=(\d+).*")
_WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    "newest_first": "newest first".format,
    "priority": "priority {}".format,
    "max_active": "at most {} at once".format,
    "max_attempts": lambda count: text.plural(count, "attempt"),
    "backoff": "{:g} s between attempts".format,
    "timeout": "{:g} s for an attempt".format,
    "stop_after": "pauses after {} failed".format,
}
_PLACE: Final = re.compile(r" \(line \d+[^()]*\)\.\Z")


def zone_of(run: Run) -> str:
    """Return the time zone of a run's flow."""
    return str(run.spec.get("timezone", "UTC"))


def unit_of(event: Event, run: Run) -> str:
    """Return how the unit of an event is shown."""
    try:
        return text.unit_name(Unit.from_key(run.flow, event.unit), zone_of(run))
    except UsageError:
        return event.unit


def progress(counts: Counts) -> str:
    """Return how far a run has come, in a few words."""
    parts = [f"{counts.done:,} of {counts.units:,} done"]
    if counts.failed:
        parts.append(f"{counts.failed:,} failed")
    if counts.running:
        parts.append(f"{counts.running:,} running")
    return ", ".join(parts)


def made(counts: Counts) -> str:
    """Return what a run has made, and what it took."""
    parts = [
        text.plural(counts.rows, "row"),
        text.size(counts.bytes),
        f"{text.duration(counts.busy)} of work",
    ]
    if counts.retries:
        parts.append(text.plural(counts.retries, "retry"))
    return ", ".join(parts)


def pace(rate: float, left: float | None) -> str:
    """Return how fast a run gets on, and when it will be through at that."""
    when = f", about {text.duration(left)} left" if left else ""
    return f"{text.rate(rate)}{when}"


def lately(view: View) -> str:
    """Return how fast a run has got on over the last minute, and what is left at that."""
    left = f", about {text.duration(view.left)} left" if view.left else ""
    return f"{text.rate(view.rate)} over the last minute{left}"


def in_force(run: Run) -> str:
    """Return what is set for a run, in words; empty where all is as by default."""
    options = run.options
    return ", ".join(words(options[name]) for name, words in _WORDS.items() if options.get(name))


def going_on(run: Run) -> str:
    """Return the command that does what is left of a run that is paused, or was when it ended."""
    return f"seeknal run --flow {run.flow}" if run.owner else f"seeknal runs resume {run.id}"


def worker_name(worker: str) -> str:
    """Return a worker's name, short: ``host/4242#4243``, or ``host/4242`` of a local run.

    What else is in a name tells apart processes that had the same number at other times.
    """
    return _OWNER.sub(r"\1/\2", _CELERY.sub("", worker))


def shortened(error: str, width: int) -> str:
    """Return an error in so many columns, with the place in the SQL that it names."""
    if len(error) <= width:
        return error
    place = _PLACE.search(error)
    tail = place[0] if place and len(place[0]) < width // 2 else ""
    return f"{error[: width - len(tail) - 1]}…{tail}"


def clock(at: float) -> str:
    """Return an instant as people read it, in UTC."""
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def moment(at: float) -> str:
    """Return an instant as ISO text in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def run_json(run: Run, counts: Counts) -> dict[str, Any]:
    """Return a run as JSON."""
    return {
        "run": run.id,
        "flow": run.flow,
        "status": str(run.status),
        "created": moment(run.created),
        "created_by": run.created_by,
        "ended": moment(run.ended) if run.ended else None,
        "units": counts.units,
        "done": counts.done,
        "failed": counts.failed,
        "running": counts.running,
        "queued": counts.queued,
        "retries": counts.retries,
        "rows": counts.rows,
        "bytes": counts.bytes,
        "busy_seconds": round(counts.busy, 3),
    }


def view_json(view: View) -> dict[str, Any]:
    """Return a view of a run as JSON."""
    zone = zone_of(view.run)
    return {
        "at": moment(view.at),
        **run_json(view.run, view.counts),
        "rate": round(view.rate, 3),
        "seconds_left": None if view.left is None else round(view.left, 1),
        "elapsed_seconds": round(view.elapsed, 1),
        "now_running": [running_json(r, view.at, zone) for r in view.running],
        "slowest": [event_json(e, zone) for e in view.slowest],
        "latest_failures": [event_json(e, zone) for e in view.failures],
        "workers": None
        if view.crew is None
        else {"alive": view.crew.workers, "slots": view.crew.slots, "busy": view.crew.busy},
    }


def running_json(record: UnitRecord, at: float, zone: str) -> dict[str, Any]:
    """Return a unit that runs as JSON, with how long it has."""
    return {
        **text.unit_json(record.unit, zone),
        "worker": record.worker,
        "seconds": round(max(0.0, at - record.since), 1),
        "attempt": record.attempts + 1,
    }


def event_json(event: Event, zone: str) -> dict[str, Any]:
    """Return an event that ended an attempt as JSON."""
    return {
        **text.unit_json(Unit.from_key("", event.unit), zone),
        "what": event.kind,
        "at": moment(event.at) if event.at else None,
        "worker": event.worker,
        "seconds": round(event.seconds, 3),
        "rows": event.rows,
        "bytes": event.bytes,
        "error": event.detail,
    }
