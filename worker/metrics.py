"""A worker's metrics: what became of units here, and what the store and the broker hold.

Served by the main process. Labels are bounded: projects and flows that this worker runs, the
ways in which an attempt can end, the states of a unit, the pool's processes by their index.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from seeknal.exposition import Exposition, by_state
from seeknal.workbench import Outcome
from seeknal.workflow.state import RunStatus
from worker.crew import ENDS, STATES, Crew
from worker.observer import Observer, Reader, Reading

_SECONDS: Final = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
# Of more flows than that the rest are counted as one.
_FLOWS: Final = 500
_OTHER: Final = ("other", "other")
_DONE: Final = Outcome.DONE.name.lower()

Family = GaugeMetricFamily


class Tally:
    """Counts how attempts end, by flow."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._attempts = Counter(
            "seeknal_attempts",
            "Attempts at units that ended on this worker, by how.",
            ("project", "flow", "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "seeknal_unit_duration_seconds",
            "Seconds that a pool process spent on the message of a unit that it completed, with "
            "all that the store was asked for it.",
            ("project", "flow"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._known: set[tuple[str, str]] = set()
        self._lock = threading.Lock()

    def count(self, project: str, flow: str, ended: str, seconds: float) -> None:
        """Count an attempt, which ended as one of ``ENDS``; and the seconds of one that is done."""
        labels = self._labels(project, flow)
        self._attempts.labels(*labels, ended).inc()
        if ended == _DONE:
            self._seconds.labels(*labels).observe(seconds)

    def _labels(self, project: str, flow: str) -> tuple[str, str]:
        labels = project, flow
        with self._lock:
            if labels not in self._known:
                if len(self._known) >= _FLOWS:
                    labels = _OTHER
                self._known.add(labels)
                for ended in ENDS:  # an increase from nothing at all is none to Prometheus
                    self._attempts.labels(*labels, ended)
        return labels


class Gauges(Collector):
    """What is so at present: of this worker, and of the store if it can be reached."""

    def __init__(self, crew: Crew, read: Callable[[], Reading]) -> None:
        self._crew = crew
        self._observer = Observer(read)

    def collect(self) -> Iterator[Family]:
        """Yield the families with their samples."""
        yield from self._of_worker()
        yield from _of_memory(self._crew)
        answers, reading = self._observer.latest()
        yield _gauge(
            "seeknal_store_up", "Whether the Redis answers this worker.", [((), float(answers))]
        )
        if reading is not None:
            yield from _of_store(reading)

    def _of_worker(self) -> Iterator[Family]:
        crew = self._crew
        yield _gauge(
            "seeknal_worker_slots", "Units that this worker runs at once.", [((), crew.slots)]
        )
        yield _gauge(
            "seeknal_worker_busy_slots", "Units that this worker runs now.", [((), crew.busy)]
        )
        yield _gauge(
            "seeknal_worker_state",
            "1 for the state that this worker is in, 0 for the others.",
            [((state,), float(state == crew.state)) for state in STATES],
            "state",
        )


def _of_memory(crew: Crew) -> Iterator[Family]:
    rows = [((str(index),), usage) for index, usage in crew.meters.read().items()]
    yield _gauge(
        "seeknal_duckdb_memory_bytes",
        "Memory that DuckDB uses in a pool process.",
        [(labels, usage.memory) for labels, usage in rows],
        "process",
    )
    yield _gauge(
        "seeknal_duckdb_memory_limit_bytes",
        "Memory that DuckDB may use in a pool process.",
        [(labels, usage.limit) for labels, usage in rows],
        "process",
    )
    yield _gauge(
        "seeknal_duckdb_spilled_bytes",
        "Temporary data that DuckDB keeps on the disk for a pool process.",
        [(labels, usage.spilled) for labels, usage in rows],
        "process",
    )


def _of_store(reading: Reading) -> Iterator[Family]:
    units: dict[tuple[str, str, str], float] = {}
    runs: dict[tuple[str, str, str], float] = {}
    for project, run in reading.runs:
        for status in (RunStatus.ACTIVE, RunStatus.PAUSED):
            _add(runs, (project, run.flow, status), status is run.status)
        for state, count in by_state(run.counts).items():
            _add(units, (project, run.flow, state), count)
    yield _gauge(
        "seeknal_queue_messages",
        "Messages that wait in the broker for a worker.",
        [((), reading.waiting)],
    )
    yield _gauge(
        "seeknal_pending_units",
        "Units under way that are not finished: queued, in backoff or running.",
        [((project,), count) for project, count in reading.pending.items()],
        "project",
    )
    yield _gauge(
        "seeknal_units",
        "Units of the active and paused runs, by state.",
        units.items(),
        *("project", "flow", "state"),
    )
    yield _gauge(
        "seeknal_runs", "Runs that have not ended.", runs.items(), *("project", "flow", "status")
    )


def _add(sums: dict[tuple[str, str, str], float], labels: tuple[str, str, str], n: float) -> None:
    sums[labels] = sums.get(labels, 0.0) + n


def _gauge(
    name: str, about: str, samples: Iterable[tuple[tuple[str, ...], float]], *labels: str
) -> Family:
    family = GaugeMetricFamily(name, about, labels=labels)
    for values, number in samples:
        family.add_metric(values, number)
    return family


def registry_of(crew: Crew, read: Callable[[], Reading]) -> CollectorRegistry:
    """Return all metrics of a worker; attempts are counted from now on."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    facts = Info("seeknal_build", "The versions of what runs here.", registry=registry)
    facts.info({name: version(name) for name in ("seeknal", "duckdb", "celery")})
    crew.on_end = Tally(registry).count
    registry.register(Gauges(crew, read))
    return registry


class Metrics:
    """Serves a worker's metrics; listens at once, and answers from :meth:`start`.

    Raises:
        UsageError: nobody can listen at ``address``.
    """

    def __init__(self, address: str, url: str, crew: Crew) -> None:
        self._served = Exposition(address, registry_of(crew, Reader(url)))

    def start(self) -> None:
        """Answer from now on."""
        self._served.start()

    def stop(self) -> None:
        """Listen no longer."""
        self._served.close()
