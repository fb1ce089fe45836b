from __future__ import annotations

import os
import subprocess
import sys

import pytest

from seeknal.stores import owners
from seeknal.stores.owners import owner_alive, process_owner

PRINT_OWNER = "from seeknal.stores.owners import process_owner; print(process_owner(), flush=True)"


def changed(owner: str, **traits: str) -> str:
    host, *words = owner.split(" ")
    known = dict(word.split("=", 1) for word in words) | traits
    return " ".join([host, *(f"{k}={v}" for k, v in known.items())])


def test_a_process_is_its_own_and_alive() -> None:
    owner = process_owner()
    assert f"pid={os.getpid()}" in owner
    assert process_owner() == owner
    assert owner_alive(owner)


def test_a_process_that_ended_is_dead() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINT_OWNER], capture_output=True, text=True, check=True
    )
    owner = done.stdout.strip()
    assert not owner_alive(owner)


def test_a_killed_process_is_dead_before_its_parent_looks() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", f"{PRINT_OWNER}; input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        owner = child.stdout.readline().strip()
        assert owner_alive(owner)
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not owner_alive(owner)


def test_a_reused_pid_is_another_process() -> None:
    if "start=" not in process_owner():
        pytest.skip("this system does not say when a process started")
    assert not owner_alive(changed(process_owner(), start="1"))


def test_a_process_of_an_earlier_boot_is_dead() -> None:
    if "boot=" not in process_owner():
        pytest.skip("this system does not name its boots")
    assert not owner_alive(changed(process_owner(), boot="another"))


@pytest.mark.parametrize(
    "owner",
    ["", "worker-1", "a b c", "pid=1", "elsewhere pid=1 start=1 boot=x", "x pid=-5"],
)
def test_what_cannot_be_judged_is_alive(owner: str) -> None:
    assert owner_alive(owner)


def test_other_hosts_and_containers_are_never_presumed_dead() -> None:
    gone = changed(process_owner(), pid="999999999")
    assert not owner_alive(gone)
    host, rest = gone.split(" ", 1)
    assert owner_alive(f"other-{host} {rest}")
    if "space=" in gone:
        assert owner_alive(changed(gone, space="1"))


def test_without_proc_the_pid_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners, "_started", lambda pid: "")
    monkeypatch.setattr(owners, "_is_zombie", lambda pid: False)
    host = process_owner().split(" ", 1)[0]
    space = owners._pid_space()
    traits = f" space={space}" if space else ""
    assert owner_alive(f"{host} pid={os.getpid()}{traits}")
    assert not owner_alive(f"{host} pid=999999999{traits}")
