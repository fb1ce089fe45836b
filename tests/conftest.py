"""What tests of every floor share."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

_NOBODY = 65534


def pytest_configure() -> None:
    """Let signals end processes, whoever started the tests.

    A shell that is no terminal's has what it starts in the background ignore an interrupt, and
    processes pass on what they ignore.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Run three tests for two processors: about half of what they take is waiting."""
    return (os.cpu_count() or 1) * 3 // 2


@pytest.fixture
def plain_folder() -> Iterator[Path]:
    """A folder of a user without privileges, who the test then is: root may write anywhere."""
    folder = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    try:
        if is_root:
            os.chown(folder, _NOBODY, _NOBODY)
            os.seteuid(_NOBODY)
        yield folder
    finally:
        if is_root:
            os.seteuid(0)
        shutil.rmtree(folder)
