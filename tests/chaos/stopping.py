"""A worker whose pool process stops itself at a chosen moment of publishing.

``python -m tests.chaos.stopping MOMENT worker ...`` is Celery's command with that one change.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from celery.__main__ import main

from seeknal.outputs import durable
from seeknal.outputs.parquet import ParquetOutput


def _stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def _after(work: Callable[..., Any]) -> Callable[..., Any]:
    def instead(*args: Any, **options: Any) -> Any:
        found = work(*args, **options)
        _stop()
        return found

    return instead


def _before(work: Callable[..., Any]) -> Callable[..., Any]:
    def instead(*args: Any, **options: Any) -> Any:
        _stop()
        return work(*args, **options)

    return instead


def _stop_at(moment: str) -> None:
    if moment == "before the fence":
        setattr(durable, "sync_file", _after(durable.sync_file))  # noqa: B010
    elif moment == "after the fence":
        setattr(ParquetOutput, "_refuse_older", _before(ParquetOutput._refuse_older))  # noqa: B010
    elif moment == "after publishing":
        setattr(ParquetOutput, "sync", _after(ParquetOutput.sync))  # noqa: B010
    else:
        raise ValueError(moment)


if __name__ == "__main__":
    _stop_at(sys.argv.pop(1))
    main()
