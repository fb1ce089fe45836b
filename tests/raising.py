"""What raises, whatever it is called with."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn


def raising(error: BaseException) -> Callable[..., NoReturn]:
    """Return a function that raises an error."""

    def instead(*_: object, **__: object) -> NoReturn:
        raise error

    return instead
