"""What the tab key offers, asked as shells ask: by real processes, and by real shells."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from seeknal.stores.redis import RedisStore
from seeknal.workflow.state import RunStatus
from tests.commandline import ALL, LEAVES
from tests.contract.building import hour, launch, value
from tests.contract.redis_harness import shared_server
from tests.projects import BIN, Sandbox, environment
from tests.server import free_port
from tests.shells import Asked, ask

SHELLS = ("bash", "zsh", "fish")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """A project with two flows and two runs, the second of which failed."""
    box = Sandbox(tmp_path_factory.mktemp("shop"))
    box.events("2024-01-01", 48, "1 hour", table="stored").declare()
    box.declare(
        "by_amount",
        schedule=None,
        sql="SELECT * FROM stored WHERE amount = '__PARTITION__'::INT AND amount < 4",
        partition={"column": "amount"},
    )
    box.breakable()
    box.seeknal("run", "--flow", "events_flow", "--end-date", "2024-01-02")
    box.seeknal("run", "--flow", "by_amount", "--partitions", "1,2,3")
    box.breakable("true")
    box.seeknal("run", "--flow", "events_flow", "--backfill", "--include-empty",
                "--end-date", "2024-01-03", code=1)  # fmt: skip
    return box


def runs_of(box: Sandbox) -> list[tuple[str, str, str]]:
    listed = box.seeknal("runs", "list", "--json").json["runs"]
    return [(run["run"], run["status"], run["flow"]) for run in listed]


def offered(box: Sandbox, *words: str, shell: str = "bash", **variables: str) -> list[str]:
    """What a shell is offered for the last word."""
    asked = ask(shell, words, box.root, **variables)
    assert (asked.err, asked.code) == ("", 0)
    return asked.names


# -- what is offered --------------------------------------------------------------------------


@pytest.mark.parametrize("shell", SHELLS)
def test_commands_and_options_are_offered(shop: Sandbox, shell: str) -> None:
    assert offered(shop, "in", shell=shell) == ["init", "intervals"]
    found = offered(shop, "intervals", "", shell=shell)
    assert found[:5] == ["show", "pending", "failed", "complete", "restate"]
    assert offered(shop, "run", "--end-d", shell=shell) == ["--end-date"]


@pytest.mark.parametrize("shell", SHELLS)
def test_flows_are_offered_wherever_one_is_named(shop: Sandbox, shell: str) -> None:
    both = ["by_amount", "events_flow"]
    assert offered(shop, "run", "--flow", "", shell=shell) == both
    assert offered(shop, "intervals", "pending", "--flow", "ev", shell=shell) == both[1:]
    assert offered(shop, "flows", "show", "", shell=shell) == both
    assert offered(shop, "flows", "validate", "by_amount", "e", shell=shell) == both[1:]


def test_flows_are_those_of_the_project_that_is_meant(shop: Sandbox, tmp_path: Path) -> None:
    inside = shop.root / "flows"
    assert ask("bash", ("run", "--flow", ""), inside).names == ["by_amount", "events_flow"]
    other = Sandbox(tmp_path / "other").declare("sales")
    (other.root / "flows" / ".hidden.yml").write_text("name: hidden")
    words = ("run", "--project-path", str(other.root), "--flow", "")
    assert offered(shop, *words) == ["sales"]
    named = str(other.root / "seeknal_project.yml")
    assert offered(shop, "run", "--flow", "", SEEKNAL_PROJECT=named) == ["sales"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_runs_are_offered_newest_first_with_what_they_are(shop: Sandbox, shell: str) -> None:
    asked = ask(shell, ("runs", "show", ""), shop.root)
    expected = [(run, f"{status}, {flow}") for run, status, flow in runs_of(shop)]
    assert len(expected) == 3
    assert asked.items == expected


def test_runs_are_offered_where_one_is_named(shop: Sandbox) -> None:
    ids = [run for run, _, _ in runs_of(shop)]
    assert offered(shop, "runs", "show", "") == ids
    assert offered(shop, "runs", "watch", ids[1][:-2]) == [ids[1]]
    assert offered(shop, "logs", "2024-01-01", "--run", "") == ids


def test_partitions_are_offered_one_after_the_other(shop: Sandbox) -> None:
    words = ("run", "--flow", "by_amount", "--partitions")
    assert offered(shop, *words, "") == ["1", "2", "3"]
    assert offered(shop, *words, "2,") == ["2,1", "2,3"]
    assert offered(shop, "run", "--partitions", "") == []  # of which flow?
    assert offered(shop, "logs", "--flow", "by_amount", "") == ["1", "2", "3"]


def test_a_few_words_are_offered(shop: Sandbox) -> None:
    assert offered(shop, "worker", "--log-level", "") == ["debug", "info", "warning", "error"]
    assert "@daily" in offered(shop, "intervals", "pending", "--schedule", "@")
    assert offered(shop, "run", "--only", "") == ["failed", "missing", "restated"]
    assert offered(shop, "--show-completion", "") == list(SHELLS)


def test_bash_takes_words_apart(shop: Sandbox) -> None:
    both = ["by_amount", "events_flow"]
    assert offered(shop, "run", "--flow", "=", "") == both
    assert offered(shop, "run", "--flow", "=", "ev") == both[1:]
    url = ("redis", ":", "//host", ":", "6379/0")
    assert offered(shop, "audit", "--redis", *url, "--flow", "b") == both[:1]


# -- on a Redis -------------------------------------------------------------------------------


@pytest.fixture
def project() -> str:
    """A name that no other test's keys have."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
def shared(project: str) -> Iterator[RedisStore]:
    store = RedisStore(shared_server().url, project)
    store.announce()
    yield store
    store.close()


def test_names_of_a_redis_are_offered_without_a_folder(
    shared: RedisStore, project: str, tmp_path: Path
) -> None:
    box = Sandbox(tmp_path)
    first = launch(shared, hour(0))
    second = launch(shared, value("EU", "sales"), value("no $(good)", "sales"))
    shared.set_status(first, RunStatus.PAUSED)
    url = shared_server().url
    where = ("--redis", url, "--project", project)
    assert project in offered(box, "runs", "list", "--project", "", SEEKNAL_REDIS_URL=url)
    assert offered(box, "runs", "list", "--redis", url, "--project", project[:-3]) == [project]
    assert offered(box, "runs", "show", *where, "") == [second, first]
    assert offered(box, "runs", "list", *where, "--flow", "") == ["events", "sales"]
    fish = ask("fish", ("runs", "show", *where, ""), box.root)
    assert fish.items == [(second, "active, sales"), (first, "paused, events")]
    assert offered(box, "runs", "pause", *where, "") == [second]
    assert offered(box, "runs", "resume", *where, "") == [first]
    assert offered(box, "runs", "cancel", *where, "") == [second, first]


def test_a_projects_file_says_which_redis(shared: RedisStore, project: str, tmp_path: Path) -> None:
    box = Sandbox(tmp_path).declare("sales", schedule=None)
    url = shared_server().url.replace("127.0.0.1", "${WHERE}")
    (box.root / "seeknal_project.yml").write_text(f"name: {project}\nredis_url: {url}\n")
    run = launch(shared, value("EU", "sales"), value("no $(good)", "sales"))
    assert offered(box, "runs", "show", "", WHERE="127.0.0.1") == [run]
    assert offered(box, "runs", "show", "") == []
    assert offered(box, "run", "--partitions", "", WHERE="127.0.0.1") == ["EU"]


# -- what goes wrong --------------------------------------------------------------------------


def assert_silent(asked: Asked) -> None:
    assert (asked.names, asked.err) == ([], "")


@pytest.mark.parametrize("shell", SHELLS)
def test_nothing_is_said_where_there_is_no_project(tmp_path: Path, shell: str) -> None:
    for words in (("run", "--flow", ""), ("runs", "show", ""), ("runs", "list", "--project", "")):
        assert_silent(ask(shell, words, tmp_path))
    assert_silent(
        ask(shell, ("run", "--project-path", str(tmp_path / "no"), "--flow", ""), tmp_path)
    )


@pytest.mark.parametrize(
    "spec", ["", "- a list", "name: [", "name: x\nredis_url: ${UNSET}", "redis_url: 5", "\0"]
)
def test_nothing_is_said_of_a_broken_project(tmp_path: Path, spec: str) -> None:
    (tmp_path / "seeknal_project.yml").write_text(spec)
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "state.db").write_text("no database at all")
    assert_silent(ask("zsh", ("runs", "show", ""), tmp_path))
    assert_silent(ask("zsh", ("run", "--flow", ""), tmp_path))


def test_a_state_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    box = Sandbox(tmp_path).declare()
    assert_silent(ask("bash", ("runs", "show", ""), tmp_path))
    assert not (box.root / "target").exists()


@pytest.mark.parametrize("shell", SHELLS)
def test_what_cannot_be_parsed_is_answered_without_a_word(shop: Sandbox, shell: str) -> None:
    for words in (
        ("nonsense", ""),
        ("runs", "nonsense", "x", ""),
        ("run", "--workers", "many", "--no-such", "--flow"),
        ("run", "--flow", "'"),
        ("worker", "--metrics-port", "x", "--log-level", "zzz"),
    ):
        asked = ask(shell, words, shop.root, SEEKNAL_NO_SUCH="x", SEEKNAL_LEASE="many")
        assert asked.err == ""
        assert "Traceback" not in asked.out


@pytest.fixture
def mute() -> Iterator[int]:
    """The port of a server that accepts connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_an_unreachable_redis_is_not_waited_for(tmp_path: Path, mute: int) -> None:
    nowhere = free_port()
    for url in (
        f"redis://127.0.0.1:{nowhere}/0",
        f"redis://127.0.0.1:{mute}/0",
        f"rediss://127.0.0.1:{mute}/0",
        "redis://192.0.2.1:6379/0",
        "redis://no.such.host.invalid:6379/0",
        "no URL",
    ):
        started = time.monotonic()
        for words in (("runs", "list", "--project", ""), ("runs", "show", "--project", "a", "")):
            assert_silent(ask("bash", words, tmp_path, SEEKNAL_REDIS_URL=url))
        assert time.monotonic() - started < 30


def test_only_harmless_names_are_offered(tmp_path: Path) -> None:
    box = Sandbox(tmp_path).declare("good")
    for name in ("$(touch pwned)", "a b", "x;y", "`z`", "q'r", "*"):
        (box.root / "flows" / f"{name}.yml").write_text("name: x")
    for shell in SHELLS:
        assert offered(box, "run", "--flow", "", shell=shell) == ["good"]


def test_nothing_heavy_is_imported_for_it(shop: Sandbox) -> None:
    heavy = ("pydantic", "pydantic_core", "rich", "duckdb", "celery", "croniter", "sqlglot",
             "redis", "prometheus_client")  # fmt: skip
    code = (
        "import os, sys\n"
        "def leave(code):\n"
        f"    print([m for m in {heavy} if sys.modules.get(m)], flush=True)\n"
        "    kill(code)\n"
        "kill, os._exit = os._exit, leave\n"
        "from seeknal.cli.main import main\n"
        "main()\n"
    )
    for words in (("run", "--flow", ""), ("runs", "show", ""), ("runs", "")):
        asked = ask("zsh", words, shop.root, command=[sys.executable, "-c", code])
        assert asked.out.splitlines()[-1] == "[]"


# -- every command ----------------------------------------------------------------------------


def test_every_name_on_the_command_line_is_completed() -> None:
    named = {"--flow", "--project", "--partitions", "RUN", "LEVEL"}
    for command in LEAVES:
        for parameter in ALL[command].params:
            if named & {*parameter.opts, parameter.metavar}:
                assert parameter._custom_shell_complete, f"{command}: {parameter.name}"


# -- real shells ------------------------------------------------------------------------------


def shell_program(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"{shell} is not installed")
    return found


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_shown_can_be_read_by_its_shell(
    sandbox: Sandbox, shell: str, tmp_path: Path
) -> None:
    program = shell_program(shell)
    shown = sandbox.seeknal("--show-completion", shell)
    assert shown.err == ""
    file = tmp_path / "script"
    file.write_text(shown.out)
    subprocess.run([program, "-n", str(file)], check=True, timeout=30)


def test_what_is_no_shell_is_refused(sandbox: Sandbox) -> None:
    for option in ("--show-completion", "--install-completion"):
        refused = sandbox.seeknal(option, "ksh", code=2)
        assert "'ksh' is not one of the shells bash, zsh, fish" in refused.err


BASH = """
source <(seeknal --show-completion bash)
ask() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
  _seeknal_completion seeknal
  printf '%s\\n' "${COMPREPLY[@]}"
}
complete -p seeknal | grep -q -- '-F _seeknal_completion'
ask seeknal run --flow ""
ask seeknal intervals pending --flow = e
"""
ZSH = """
compdef() { }
_files() { echo FILES }
_describe() { shift 2; print -rl -- "${(@P)1}" }
eval "$(seeknal --show-completion zsh)"
ask() { words=("$@") CURRENT=$#; _seeknal_completion }
ask seeknal run --flow ""
ask seeknal intervals pending --flow e
"""
FISH = """
seeknal --show-completion fish | source
complete -C "seeknal run --flow "
complete -C "seeknal intervals pending --flow e"
"""


@pytest.mark.parametrize(("shell", "script"), [("bash", BASH), ("zsh", ZSH), ("fish", FISH)])
def test_a_real_shell_completes(shop: Sandbox, shell: str, script: str, tmp_path: Path) -> None:
    done = in_shell(shell, script, shop.root, tmp_path)
    assert done.splitlines() == ["by_amount", "events_flow", "events_flow"]


@pytest.mark.parametrize("shell", SHELLS)
def test_it_is_put_in_place(shop: Sandbox, shell: str, tmp_path: Path) -> None:
    program = shell_program(shell)
    told = in_shell(shell, f"seeknal --install-completion {shell}", shop.root, tmp_path)
    (file,) = [path for path in tmp_path.rglob("*seeknal*") if path.is_file()]
    assert told == f"Completion is in {file}; it works in shells that are opened from now on.\n"
    subprocess.run([program, "-n", str(file)], check=True, timeout=30)
    assert file.read_text().strip() == shop.seeknal("--show-completion", shell).out.strip()


def in_shell(shell: str, script: str, folder: Path, home: Path) -> str:
    """Run a script in a shell, in which there is nothing but it; return what it prints."""
    program = shell_program(shell)
    bare = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    env = environment(BIN, HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"))
    done = subprocess.run(
        [program, *bare, "-c", script],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout
