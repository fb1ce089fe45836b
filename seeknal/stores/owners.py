"""Who owns a lease on this machine: processes, named so that others can see that they died.

An owner reads ``laptop pid=4242 start=881234 boot=3f2ab1c9-... space=4026531836``. A dead
process is known by its pid being gone or reused (another start time), or by the machine having
booted since. Nothing is said of processes that cannot be seen: those of another host, or of
another container on this one.
"""

from __future__ import annotations

import functools
import os
import socket
import subprocess
from pathlib import Path

_PROC = Path("/proc")


def process_owner() -> str:
    """Return this process's name as an owner: no other process, now or later, has the same."""
    return _owner_of(os.getpid())


def owner_alive(owner: str) -> bool:
    """Return False only if the owner is provably dead."""
    host, _, rest = owner.partition(" ")
    traits = dict(word.partition("=")[::2] for word in rest.split())
    pid = traits.get("pid", "")
    if host != _host() or not pid.isdecimal() or int(pid) <= 0:
        return True
    boot = traits.get("boot", "")
    if boot and _boot() and boot != _boot():
        return False
    if traits.get("space", "") != _pid_space():
        return True
    return _same_process(int(pid), traits.get("start", ""))


@functools.lru_cache(maxsize=8)
def _owner_of(pid: int) -> str:
    words = [_host(), f"pid={pid}"]
    traits = {"start": _started(pid), "boot": _boot(), "space": _pid_space()}
    words += [f"{name}={value}" for name, value in traits.items() if value]
    return " ".join(words)


def _same_process(pid: int, start: str) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    if _is_zombie(pid):
        return False
    now = _started(pid)
    return not (start and now and start != now)


@functools.cache
def _host() -> str:
    """Return the host's name and, because names repeat, the start of its machine id."""
    name = "-".join(socket.gethostname().replace("#", "-").split()) or "localhost"
    machine = _read(Path("/etc/machine-id"))[:8]
    return f"{name}/{machine}" if machine else name


@functools.cache
def _boot() -> str:
    if _PROC.is_dir():
        return _read(_PROC / "sys/kernel/random/boot_id")
    return _output("sysctl", "-n", "kern.bootsessionuuid")


@functools.cache
def _pid_space() -> str:
    """Return the id of the pid namespace: containers of one machine do not share pids."""
    try:
        return (_PROC / "self/ns/pid").readlink().name.strip("pid:[]")
    except OSError:
        return ""


def _started(pid: int) -> str:
    """Return when a process started, in the system's own words without spaces, or ''."""
    if _PROC.is_dir():
        fields = _stat(pid)
        return fields[19] if len(fields) > 19 else ""
    return "-".join(_output("ps", "-o", "lstart=", "-p", str(pid)).split())


def _is_zombie(pid: int) -> bool:
    """Say whether a process has died and only its parent has not asked how."""
    if _PROC.is_dir():
        return _stat(pid)[:1] in (["Z"], ["X"])
    return _output("ps", "-o", "state=", "-p", str(pid)).startswith("Z")


def _stat(pid: int) -> list[str]:
    """Return the fields of ``/proc/<pid>/stat`` from the state on: the name may hold anything."""
    return _read(_PROC / str(pid) / "stat").rpartition(")")[2].split()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _output(*command: str) -> str:
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=5,
            check=False,
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"},
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
