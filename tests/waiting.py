"""Waiting for something to happen: with a deadline that says what did not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    what: str, condition: Callable[[], T], timeout: float = 30.0, every: float = 0.01
) -> T:
    """Poll until ``condition`` returns something true, and return that.

    Raises AssertionError, naming ``what``, after ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"Within {timeout:g} seconds it did not happen that {what}.")
        time.sleep(every)
    return found


def passed(seconds: float) -> Callable[[], bool]:
    """Return a condition that holds once so many seconds from now have passed."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() >= deadline
