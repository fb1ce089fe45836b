"""What Prometheus is told of one run. Its labels are the run's own: project, flow, run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from seeknal.cli.exporting import Watched
from seeknal.exposition import by_state
from seeknal.workflow.state import Counts

_LABELS: Final = ("project", "flow", "run")

_COUNTERS: Final[tuple[tuple[str, str, Callable[[Counts], float]], ...]] = (
    ("completed_units", "Units that are done.", lambda c: c.done),
    ("failed_units", "Units that failed for good.", lambda c: c.failed),
    ("retries", "Attempts that failed and were tried again.", lambda c: c.retries),
    ("rows", "Rows that were published.", lambda c: c.rows),
    ("written_bytes", "Bytes that were published.", lambda c: c.bytes),
    ("busy_seconds", "Seconds of work, of all workers together.", lambda c: c.busy),
)


def collector_of(read: Callable[[], Watched | None]) -> Collector:
    """Return the metrics of what ``read`` returns at each scrape."""

    class RunCollector(Collector):
        """A run's metrics."""

        def collect(self) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
            watched = read()
            return iter(()) if watched is None else _families(watched)

    return RunCollector()


def _families(watched: Watched) -> Iterator[GaugeMetricFamily | CounterMetricFamily]:
    labels = (watched.project, watched.run.flow, watched.run.id)
    units = GaugeMetricFamily("seeknal_run_units", "Units, by state.", labels=(*_LABELS, "state"))
    for state, count in by_state(watched.counts).items():
        units.add_metric((*labels, state), count)
    yield units
    for name, about, value in _COUNTERS:
        counter = CounterMetricFamily(f"seeknal_run_{name}", about, labels=_LABELS)
        counter.add_metric(labels, value(watched.counts))
        yield counter
    if watched.rate is not None:
        about = "Units done a second, in the last minute."
        rate = GaugeMetricFamily("seeknal_run_units_per_second", about, labels=_LABELS)
        rate.add_metric(labels, watched.rate)
        yield rate
