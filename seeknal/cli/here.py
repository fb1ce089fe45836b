"""This process as the one that executes: its threads, its engine, what Ctrl-C hands back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from seeknal.cli.interrupts import Interrupts
from seeknal.cli.workspace import Workspace
from seeknal.engine.machine import processors
from seeknal.executors.local import LocalExecutor
from seeknal.resolve import load_job
from seeknal.stores.owners import process_owner
from seeknal.workbench import Workbench


@dataclass(frozen=True, slots=True)
class Here:
    """Threads of this process that execute units, and the name of the process as an owner."""

    executor: LocalExecutor
    owner: str


@contextmanager
def executing(space: Workspace, interrupts: Interrupts, workers: int | None) -> Iterator[Here]:
    """Run so many queries at once within the block; by default one per processor."""
    owner = process_owner()
    bench = Workbench(
        space.store,
        space.engine,
        lambda run: load_job(space.project, run),
        worker=owner,
        lease=space.settings.lease,
    )
    interrupts.hand_back = bench.hand_back
    space.touch()
    try:
        with LocalExecutor(space.store, bench, workers or processors()) as executor:
            yield Here(executor, owner)
    finally:
        bench.close()
