"""Watching and steering a run that real workers execute, on a terminal and by scripts."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from seeknal.workflow.state import RunStatus
from tests.fleet import BIN, BURN, Fleet, fleet
from tests.projects import environment
from tests.scraping import Scrape
from tests.server import free_port
from tests.terminal import Terminal, terminal
from tests.waiting import wait_until

COLOUR = re.compile(rb"\x1b\[(?:\d+;)*(?:3[0-8]|9[0-7])(?:;\d+)*m")


@pytest.fixture
def ships(tmp_path: Path) -> Iterator[Fleet]:
    with fleet(tmp_path) as made:
        yield made


def load(ships: Fleet, days: int, millions: int = 20) -> Fleet:
    """Some days, each a fraction of a second of work, of which the second fails."""
    ships.box.events("2024-01-01", days * 24, "1 hour", table="stored")
    ships.box.breakable("event_time = '2024-01-02 05:00:00'")
    ships.box.declare(sql=BURN.format(millions=millions))
    return ships


@contextmanager
def watching(ships: Fleet, *words: str, **more: Any) -> Iterator[Terminal]:
    sizes = {key: more.pop(key) for key in ("columns", "rows") if key in more}
    env = {k: v for k, v in environment(**more).items() if k not in ("CI", "FORCE_COLOR")}
    env = {**env, "SEEKNAL_REDIS_URL": ships.server.url}
    if "NO_COLOR" not in more:
        env.pop("NO_COLOR")
    command = [str(BIN / "seeknal"), "runs", "watch", *words]
    with terminal(command, cwd=ships.box.root, env=env, **sizes) as made:
        yield made


def test_a_terminal_shows_the_run_until_it_ends(ships: Fleet) -> None:
    load(ships, 40).worker(2)
    run = ships.launch()
    with watching(ships, run, columns=100, rows=30) as seen:
        seen.shows("Latest failures")
        text = seen.shows("Running")
        assert f"events_flow  run {run}  active" in text
        assert re.search(r"\d+ of 40 done, .*running, \d+ waiting", text)
        assert re.search(r"[\d.]+/(s|min) over the last minute, about .* left; launched", text)
        assert re.search(r"\d+ rows?, [\d.]+ k?B, .* of work", text)
        assert re.search(r"1 worker alive, \d of 2 slots busy", text)
        assert re.search(r"2024-0\d-\d\d to 2024-0\d-\d\d +\S+ m?s  on \S+/\d+#\d+", text)
        assert "sensor 7 is broken" in text
        assert len(seen.lines) <= 30
        assert seen.wait(120) == 1
        last = seen.text
    assert "100.0%" in last
    assert f"Run {run} is failed: 39 of 40 done, 1 failed." in last
    assert COLOUR.search(seen.written)


def test_a_small_terminal_without_colours_is_not_overrun(ships: Fleet) -> None:
    load(ships, 30).worker(1)
    run = ships.launch()
    with watching(ships, run, columns=60, rows=16, NO_COLOR="1") as seen:
        seen.shows("waiting")
        seen.shows("Latest failures")
        assert "runs watch" not in seen.text
        assert max(map(len, seen.lines)) <= 60
        seen.resize(90, 40)
        wait_until("the picture is as wide", lambda: max(map(len, seen.lines)) > 60)
        assert not COLOUR.search(seen.written)


def test_ctrl_c_ends_the_watching_and_not_the_run(ships: Fleet) -> None:
    load(ships, 30).worker(1)
    run = ships.launch()
    with watching(ships) as seen:
        seen.shows(f"run {run}")
        seen.process.send_signal(signal.SIGINT)
        assert seen.wait(20) == 130
        assert f"No longer watching; run {run} goes on." in seen.text
    assert ships.run(run).status is RunStatus.ACTIVE


def test_an_outage_is_told_and_outlasted(ships: Fleet) -> None:
    load(ships, 5)
    run = ships.launch()
    with watching(ships, columns=120) as seen:
        seen.shows("5 waiting")
        ships.server.pause()
        try:
            seen.shows("The store cannot be reached", 60)
        finally:
            ships.server.resume()
        wait_until("it is seen again", lambda: "cannot be reached" not in seen.text, 60)
        ships.seeknal("runs", "cancel", run)
        assert seen.wait(30) == 1
        assert "is cancelled: 0 of 5 done" in seen.text


def test_scripts_get_a_line_now_and_then_and_one_at_the_end(ships: Fleet) -> None:
    load(ships, 12).worker(2)
    run = ships.launch()
    watched = ships.seeknal("runs", "watch", run, "--json", "--every", "0.5", code=1)
    views = [json.loads(line) for line in watched.lines]
    assert len(views) >= 2
    assert watched.err == ""
    assert all(view["run"] == run and view["units"] == 12 for view in views)
    done = [view["done"] for view in views]
    assert done == sorted(done)
    assert [view["status"] for view in views[:-1]] == ["active"] * (len(views) - 1)
    last = views[-1]
    assert (last["status"], last["done"], last["failed"], last["queued"]) == ("failed", 11, 1, 0)
    assert last["latest_failures"][0]["error"] == "The query failed: sensor 7 is broken."
    assert len(last["slowest"]) == 5
    assert last["workers"] == {"alive": 1, "slots": 2, "busy": 0} or last["workers"]["slots"] == 2


def test_lines_are_said_now_and_then_where_there_is_no_terminal(ships: Fleet) -> None:
    load(ships, 12).worker(2)
    run = ships.launch()
    watched = ships.seeknal("runs", "watch", run, "--every", "0.5", code=1)
    assert watched.lines == [f"Run {run} is failed: 11 of 12 done, 1 failed."]
    assert re.search(
        r"^events_flow: \d+ of 12 done.* \([\d.]+/(s|min).*\)$", watched.err, re.MULTILINE
    )


def test_what_is_seen_is_served_to_prometheus(ships: Fleet) -> None:
    load(ships, 20).worker(1)
    run, port = ships.launch(), free_port()
    watcher = ships.start("runs", "watch", run, "--json", "--metrics-port", str(port))
    try:
        wait_until("it is served", lambda: "seeknal_run_units" in scraped(port), 60)
        scrape = Scrape.of(port)
        assert sum(scrape.all("seeknal_run_units").values()) == 20
        assert scrape.one("seeknal_run_units_per_second", run=run, flow="events_flow") >= 0
        ships.seeknal("runs", "cancel", run)
        assert ships.box.wait(watcher, 1).lines
    finally:
        watcher.kill()
        watcher.communicate()


def scraped(port: int) -> str:
    try:
        return Scrape.of(port).text
    except OSError:
        return ""


# -- steering -------------------------------------------------------------------------------------


def test_a_run_is_turned_round_while_it_runs(ships: Fleet) -> None:
    load(ships, 60, 10).worker(1)
    run = ships.launch()
    wait_until("some are done", lambda: ships.store.counts(run).done >= 3)
    told = ships.seeknal("runs", "set", run, "--newest-first", "--reason", "The last days matter")
    assert told.out.startswith(f"Changed run {run} from oldest first to newest first: ")

    def done() -> list[str]:
        return [event.unit for event in ships.events(run, "completed")]

    wait_until("the last days are done", lambda: min(done()[-5:]) > "20240215")
    seen = done()  # more come
    first = next(n for n, unit in enumerate(seen) if unit > "20240215")
    assert seen[first] == "20240229T000000Z_20240301T000000Z"  # the very last
    assert seen[first:] == sorted(seen[first:], reverse=True)
    assert ships.run(run).options["newest_first"] is True
    again = ships.seeknal("runs", "set", run, "--newest-first")
    assert again.out.startswith(f"Run {run} is as asked for: ")
    ships.seeknal("runs", "set", run, "--oldest-first")
    assert "newest_first" not in ships.run(run).options


def test_a_cap_is_changed_while_a_run_runs(ships: Fleet) -> None:
    load(ships, 60).worker(3)
    run = ships.launch()
    wait_until("three run", lambda: len(ships.running(run)) == 3)
    told = ships.seeknal("runs", "set", run, "--max-active", "1", "--priority", "7", "--json").json
    assert told["run"] == run
    wait_until("one runs", lambda: len(ships.running(run)) <= 1)
    for _ in range(20):
        assert len(ships.running(run)) <= 1
    shown = ships.seeknal("runs", "show", run)
    assert "with " in shown.out and "priority 7, at most 1 at once" in shown.out
    ships.seeknal("runs", "set", run, "--no-max-active")
    wait_until("three run again", lambda: len(ships.running(run)) == 3)


def test_what_is_done_to_a_run_is_audited(ships: Fleet) -> None:
    load(ships, 5)
    run = ships.launch()
    ships.seeknal("runs", "pause", run, "--reason", "The disk is full")
    ships.seeknal("runs", "resume", run)
    ships.seeknal("runs", "set", run, "--max-active", "4", "--reason", "Nights")
    ships.seeknal("runs", "cancel", run, "--reason", "Wrong input")
    entries = ships.seeknal("audit", "--json").json["audit"]
    assert [(e["action"], e["flow"], e["reason"]) for e in entries] == [
        ("pause", "events_flow", "The disk is full"),
        ("resume", "events_flow", ""),
        ("set", "events_flow", "Nights"),
        ("cancel", "events_flow", "Wrong input"),
    ]
    assert all(run in entry["what"] and "@" in entry["actor"] for entry in entries)
    assert entries[2]["what"] == f"run {run}: no cap to at most 4 at once"


def test_a_run_that_is_over_cannot_be_steered(ships: Fleet) -> None:
    load(ships, 5)
    run = ships.launch()
    ships.seeknal("runs", "cancel", run)
    for words in (["set", run, "--priority", "1"], ["pause", run], ["cancel", run]):
        refused = ships.seeknal("runs", *words, code=2)
        assert f"Run {run} is over: it is cancelled, and stays so" in refused.err
    assert "Say what to set" in ships.seeknal("runs", "set", run, code=2).err
    assert [e["action"] for e in ships.seeknal("audit", "--json").json["audit"]] == ["cancel"]


# -- afterwards -----------------------------------------------------------------------------------


def test_units_are_told_of_from_a_machine_without_the_folder(ships: Fleet) -> None:
    load(ships, 4).worker(1)
    run = ships.launch()
    ships.ends(run)
    laptop = ships.root / "laptop"
    laptop.mkdir()
    shown = ships.seeknal("runs", "show", run, cwd=laptop)
    assert "1 unit, for example 2024-01-02 to 2024-01-03 after 3 attempts: " in shown.out
    told = ships.seeknal("logs", "2024-01-02", "--json", cwd=laptop).json
    assert [each["what"] for each in told["attempts"]] == ["retry", "retry", "failed"]
    assert told["published"] is None
    wrote = ships.seeknal("runs", "export", run, "--to", "run.jsonl", cwd=laptop)
    assert "not in sight here" in wrote.err
    rows = [json.loads(line) for line in (laptop / "run.jsonl").read_text().splitlines()]
    assert [row["status"] for row in rows] == ["done", "failed", "done", "done"]
    assert [row["rows"] for row in rows] == [24, None, 24, 24]


def test_one_kind_of_failure_is_retried_by_workers(ships: Fleet) -> None:
    load(ships, 4).worker(1)
    run = ships.launch()
    ships.ends(run)
    (kind,) = ships.seeknal("runs", "show", run, "--json").json["failures"]
    launched = ships.seeknal("runs", "retry", run, "--failure", kind["id"])
    new = ships.store.runs()[0].id
    assert launched.out.startswith(f"Launched run {new}: 0 of 1 done")
    assert f"seeknal runs watch {new}" in launched.err
    assert ships.ends(new) is RunStatus.FAILED
    assert ships.store.counts(new).units == 1
