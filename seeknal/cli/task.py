"""One flow of ``seeknal run``, made ready."""

from __future__ import annotations

from dataclasses import dataclass

from seeknal.plan import Data, Window
from seeknal.resolve import Prepared


@dataclass(frozen=True, slots=True)
class Task:
    """One flow, with what is asked of it and what its data holds; ``alone`` is the only one."""

    prepared: Prepared
    window: Window
    data: Data
    alone: bool = True

    @property
    def zone(self) -> str:
        """The flow's time zone."""
        return self.prepared.timezone
