"""An observer of runs for those who look at nothing but what becomes of them."""

from __future__ import annotations


class Silent:
    """An observer that shows nothing."""

    def planned(self, *_: object) -> None: ...

    def progress(self, *_: object) -> None: ...

    def waiting(self, *_: object) -> None: ...
