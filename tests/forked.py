"""Commands in processes that need not import anything, because they are forked from one that has.

Most of what a short command takes is imports. A process that is forked is one like any other: with
an id, memory, a folder, an environment and streams of its own, and an exit code. What a module
reads of its environment when it is imported is the first command's, though: to test that, start a
script.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import pkgutil
import sys
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import seeknal
from seeknal.cli.main import main

# What commands import of others on their way.
_OTHERS = ("_strptime", "celery.app.base", "duckdb", "kombu.transport.redis", "sqlglot.optimizer")


def run(
    command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout: float
) -> tuple[int, str, str]:
    """Run a command of Seeknal to its end; return its exit code, its output and its chatter.

    Raises TimeoutError if it lasts longer than ``timeout`` seconds.
    """
    with TemporaryDirectory() as streams:
        out, err = Path(streams, "out"), Path(streams, "err")
        become = (list(command), str(folder), dict(environment), str(out), str(err))
        process = _context().Process(target=_become, args=become)
        process.start()
        try:
            process.join(timeout)
            code = process.exitcode
        finally:
            process.kill()
            process.join()
            process.close()
        if code is None:
            raise TimeoutError(f"{command} took more than {timeout:g} seconds")
        return code, out.read_text(), err.read_text()


@cache
def _context() -> multiprocessing.context.ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    ours = (each.name for each in pkgutil.walk_packages(seeknal.__path__, "seeknal."))
    context.set_forkserver_preload([__name__, *_OTHERS, *ours])
    return context


def _become(
    command: list[str], folder: str, environment: dict[str, str], out: str, err: str
) -> None:
    """Be a command, in this process, which has run nothing yet."""
    for number, file in enumerate((os.devnull, out, err)):
        opened = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    time.tzset()
    warnings.resetwarnings()
    warnings.simplefilter("error")
    sys.argv = command
    try:
        main()
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
