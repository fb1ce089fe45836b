"""Data goes to standard output, chatter to standard error: every command, each stream alone."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from seeknal.stores.redis import RedisStore
from seeknal.workflow.state import RunStatus
from tests.commandline import ALL, LEAVES, options
from tests.contract.building import hour, launch
from tests.contract.redis_harness import shared_server
from tests.fleet import fleet
from tests.projects import BIN, Result, Sandbox, environment

FLOW = "events_flow"


@dataclass(frozen=True, slots=True)
class Walk:
    """How a command is run: ``chats`` if it may say something beside what it is asked for."""

    typed: str
    code: int = 0
    chats: bool = False
    shared: bool = False


# Placeholders are made anew for each time: a run that is active or paused, a folder, a file. The
# run that failed is the last one that did.
WALKS = {
    "init": Walk("init shop --project-path {folder}"),
    "run": Walk("run --backfill --end-date 2024-01-03", code=1, chats=True),
    "worker": Walk("worker", code=2),
    "workers": Walk("workers", chats=True, shared=True),
    "audit": Walk("audit"),
    "doctor": Walk("doctor"),
    "version": Walk("version"),
    "plan": Walk("plan", chats=True),
    "logs": Walk("logs 2024-01-01"),
    "runs list": Walk("runs list"),
    "runs show": Walk("runs show {failed}"),
    "runs watch": Walk("runs watch {failed}", code=1),
    "runs set": Walk("runs set {active} --priority 3"),
    "runs cancel": Walk("runs cancel {active}", chats=True),
    "runs pause": Walk("runs pause {active}"),
    "runs resume": Walk("runs resume {paused}"),
    "runs retry": Walk("runs retry {failed}", code=1, chats=True),
    "runs export": Walk("runs export {failed} --to {folder}/run.parquet"),
    "flows list": Walk("flows list"),
    "flows show": Walk(f"flows show {FLOW}"),
    "flows validate": Walk("flows validate"),
    "intervals show": Walk("intervals show"),
    "intervals pending": Walk("intervals pending --end-date 2024-01-03"),
    "intervals failed": Walk("intervals failed"),
    "intervals complete": Walk("intervals complete --interval 2024-01-01"),
    "intervals restate": Walk("intervals restate --start 2024-01-01 --end 2024-01-02 --reason Why"),
    # It says so where runs are at work, as those are that were set or resumed before.
    "state export": Walk("state export {folder}/state.json", chats=True),
    "state import": Walk("state import {exported}"),
    "state rebuild": Walk("state rebuild"),
}


class Shop:
    """A project in which one day fails for good, and what commands are run on."""

    def __init__(self, root: Path) -> None:
        self.box = Sandbox(root / "shop").declare()
        self.box.events("2024-01-01", 48, "1 hour", table="stored")
        self.box.breakable("event_time >= '2024-01-02'")
        self._root, self._made = root, 0
        self.box.seeknal("run", "--backfill", "--end-date", "2024-01-03", code=1)
        self.box.seeknal(*WALKS["intervals restate"].typed.split())
        store = RedisStore(shared_server().url, "acceptance")
        store.announce()
        store.close()

    def run(self, walk: Walk) -> Result:
        """Run a command to its end, in a process of its own; each stream is caught apart."""
        process = subprocess.Popen(
            [str(BIN / "seeknal"), *self.words(walk)],
            cwd=self.box.root,
            env=environment(**variables(walk)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return self.box.wait(process, walk.code)

    def words(self, walk: Walk) -> list[str]:
        return [word.format_map(self) for word in walk.typed.split()]

    def __getitem__(self, what: str) -> str:
        """Return what a placeholder stands for."""
        self._made += 1
        if what in ("active", "paused"):
            return self._launch(paused=what == "paused")
        if what == "failed":
            with self.box.store() as store:
                return next(run.id for run in store.runs() if run.status is RunStatus.FAILED)
        folder = self._root / f"{what}-{self._made}"
        folder.mkdir()
        if what == "folder":
            return str(folder)
        self.box.seeknal("state", "export", str(folder / "state.json"))
        return str(folder / "state.json")

    def _launch(self, *, paused: bool) -> str:
        with self.box.store() as store:
            run = launch(store, hour(1000 + self._made, FLOW))
            if paused:
                store.set_status(run, RunStatus.PAUSED)
            return run


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("streams"))


def test_every_command_is_walked() -> None:
    assert {f"seeknal {name}" for name in WALKS} == set(LEAVES)


@pytest.mark.parametrize("name", WALKS)
def test_each_stream_holds_what_belongs_there(shop: Shop, name: str) -> None:
    walk = WALKS[name]
    done = shop.run(walk)
    for text in (done.out, done.err):
        assert "Traceback" not in text
        assert "\x1b" not in text
    if walk.code == 2:
        assert done.out == ""
        assert done.err.startswith("Error: ")
        return
    assert "Error:" not in done.out
    assert done.out or walk.chats
    assert walk.chats or done.err == ""


@pytest.mark.parametrize("name", [n for n in WALKS if "--json" in options(ALL[f"seeknal {n}"])])
def test_json_is_all_that_is_on_standard_output(
    shop: Shop, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    walk = WALKS[name]
    for variable, value in variables(walk).items():
        monkeypatch.setenv(variable, value)
    done = shop.box.call(*shop.words(walk), "--json", code=walk.code)
    found = list(documents(done.out))
    assert found
    assert all(isinstance(value, dict) for value in found)
    assert not done.err.lstrip().startswith(("{", "["))
    assert walk.chats or done.err == ""


def variables(walk: Walk) -> dict[str, str]:
    return {"SEEKNAL_REDIS_URL": shared_server().url} if walk.shared else {}


def documents(text: str) -> Iterator[Any]:
    """Yield the JSON of a text: one document, or one a line."""
    try:
        yield json.loads(text)
    except ValueError:
        yield from map(json.loads, text.splitlines())


@pytest.mark.parametrize("name", LEAVES)
def test_what_is_wrong_is_said_on_standard_error_alone(shop: Shop, name: str) -> None:
    refused = shop.box.call(*name.split()[1:], "--no-such-option", code=2)
    assert refused.out == ""
    assert refused.err.startswith("Error: ")
    assert refused.err.rstrip().endswith(f"See '{name} --help'.")


def test_commands_without_any_stream_do_what_they_do(shop: Shop) -> None:
    run = shop["active"]
    command = f"exec {BIN}/seeknal runs pause {run} >&- 2>&-"
    code = subprocess.run(
        ["bash", "-c", command], cwd=shop.box.root, env=environment(), timeout=60, check=False
    ).returncode
    assert code == 0
    with shop.box.store() as store:
        paused = store.run(run)
    assert paused is not None
    assert paused.status is RunStatus.PAUSED


@pytest.mark.parametrize(
    ("words", "code"),
    [("runs list", 0), ("intervals failed --json", 0), ("runs list --limit x", 2),
     ("run --backfill --end-date 2024-01-03 --dry-run", 0), ("runs show none", 2)],
)  # fmt: skip
def test_a_forked_command_is_as_one_by_its_script(shop: Shop, words: str, code: int) -> None:
    forked = shop.box.seeknal(*words.split(), code=code)
    assert forked == shop.box.wait(shop.box.start(*words.split()), code)


def test_a_worker_takes_any_wish_for_no_colours(tmp_path: Path) -> None:
    with fleet(tmp_path) as ships:
        worker = ships.worker(NO_COLOR="please")  # to Celery that is no truth value
        assert "\x1b" not in worker.text()
