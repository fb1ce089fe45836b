"""What Prometheus is told of one run, and that the documentation names all metrics there are."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from seeknal.cli.exporting import Watched, serve_run_metrics
from seeknal.cli.runmetrics import collector_of
from seeknal.engine.machine import Usage
from seeknal.errors import UsageError
from seeknal.stores.redis_worker import OpenRun
from seeknal.workflow.state import Counts, Run, RunStatus
from tests.scraping import Scrape, assert_named_well
from tests.server import free_port
from worker.crew import Crew
from worker.metrics import registry_of
from worker.observer import Reading

DEPLOY = Path(__file__).parents[2] / "docs" / "deploy.md"
COUNTS = Counts(100, done=40, failed=3, running=7, retries=9, rows=5_000, bytes=2**33, busy=12.5)
RUN = Run("r1", "sales", {}, "fp", (), 100)
ALWAYS = {"project", "flow", "run"}
WATCHED = Watched("shop", RUN, COUNTS, rate=2.5)


def scrape(watched: Watched | None) -> Scrape:
    registry = CollectorRegistry()
    registry.register(collector_of(lambda: watched))
    return Scrape(generate_latest(registry).decode())


def test_a_runs_counts_are_told_with_its_name() -> None:
    shown = scrape(WATCHED)
    assert_named_well(shown.families)
    name = {"project": "shop", "flow": "sales", "run": "r1"}
    states = {"queued": 50, "running": 7, "done": 40, "failed": 3}
    for state, units in states.items():
        assert shown.one("seeknal_run_units", state=state, **name) == units
    told = {
        "completed_units_total": 40,
        "failed_units_total": 3,
        "retries_total": 9,
        "rows_total": 5_000,
        "written_bytes_total": 2**33,
        "busy_seconds_total": 12.5,
        "units_per_second": 2.5,
    }
    for metric, number in told.items():
        assert shown.one(f"seeknal_run_{metric}", **name) == number


def test_what_is_not_known_is_not_told() -> None:
    assert "seeknal_run_units_per_second" not in scrape(replace(WATCHED, rate=None)).names
    assert scrape(None).names == set()


def test_a_scrape_shows_what_is_known_then() -> None:
    known: list[Watched | None] = [None]
    port = free_port()
    with serve_run_metrics(f"127.0.0.1:{port}", lambda: known[-1]):
        assert Scrape.of(port).names == set()
        for done in (1, 2):
            known.append(replace(WATCHED, counts=replace(COUNTS, done=done)))
            assert Scrape.of(port).one("seeknal_run_completed_units_total") == done
        taken = serve_run_metrics(str(port), lambda: None)
        with pytest.raises(UsageError, match=f"Port {port} for metrics is in use"), taken:
            pass
    with pytest.raises(OSError, match="refused"):
        Scrape.of(port)


def test_nothing_is_served_unasked() -> None:
    with serve_run_metrics(None, lambda: pytest.fail("nobody asks")):
        pass


def test_every_metric_is_documented_and_no_other() -> None:
    crew = Crew()
    crew.meters.tell(0, Usage(1, 2, 3))
    run = OpenRun("r1", "sales", RunStatus.ACTIVE, COUNTS)
    registry = registry_of(crew, lambda: Reading(1, {"shop": 1}, [("shop", run)]))
    crew.on_end("shop", "sales", "done", 1.0)
    found = {}
    for text in (generate_latest(registry).decode(), scrape(WATCHED).text):
        for family in Scrape(text).families:
            name = f"{family.name}_total" if family.type == "counter" else family.name
            labels = {label for sample in family.samples for label in sample.labels}
            found[name] = labels - {"le"}
    rows = re.findall(r"^\| `(seeknal_\w+)` \|([\w, ]*)\|", DEPLOY.read_text(), re.MULTILINE)
    documented = {
        name: {label.strip() for label in labels.split(",") if label.strip()}
        | (ALWAYS if name.startswith("seeknal_run_") else set())
        for name, labels in rows
    }
    assert documented == {name: v for name, v in found.items() if name.startswith("seeknal_")}


def test_alerts_and_questions_are_of_metrics_that_are_there() -> None:
    text = DEPLOY.read_text()
    documented = set(re.findall(r"^\| `(seeknal_\w+)`", text, re.MULTILINE))
    blocks = [b for b in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL) if "alert:" in b]
    used = {name for block in blocks for name in re.findall(r"\bseeknal_\w+", block)}
    assert {name.removesuffix("_bucket") for name in used} <= documented
    assert used
