"""A run's metrics for Prometheus, served by whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from seeknal.workflow.state import Counts, Run


@dataclass(frozen=True, slots=True)
class Watched:
    """What a watcher knows of a run now.

    ``rate`` is the units a second that were done in the last minute; None if it is not known.
    """

    project: str
    run: Run
    counts: Counts
    rate: float | None = None


@contextmanager
def serve_run_metrics(address: str | None, read: Callable[[], Watched | None]) -> Iterator[None]:
    """Serve a run's metrics within the block, at ``PORT`` or ``HOST:PORT``; None serves nothing.

    ``read`` is called at each scrape, in other threads, and returns at once what was last known;
    None before anything is.

    Raises:
        UsageError: nobody can listen there.
    """
    if address is None:
        yield
        return
    from seeknal.cli.runmetrics import collector_of
    from seeknal.exposition import Exposition

    exposition = Exposition(address, collector_of(read))
    exposition.start()
    try:
        yield
    finally:
        exposition.close()
