"""What ``seeknal run`` was asked for: its options, and what follows from them alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shlex import quote
from typing import Any

from seeknal.cli import text
from seeknal.cli.workspace import window_of
from seeknal.errors import UsageError
from seeknal.flow import Flow
from seeknal.plan import KINDS, Window
from seeknal.workflow.durations import format_duration


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of ``seeknal run``; ``backoff`` and ``timeout`` in seconds."""

    project_path: Path | None
    flows: list[str]
    start_date: str | None
    end_date: str | None
    partitions: str | None
    backfill: bool
    include_empty: bool
    workers: int | None
    dry_run: bool
    every: bool
    as_json: bool
    redis: str | None = None
    detach: bool = False
    only: tuple[str, ...] = ()
    force: bool = False
    reason: str = ""
    lookback: int = 0
    limit: int | None = None
    newest_first: bool = False
    max_active: int | None = None
    max_attempts: int | None = None
    backoff: int | None = None
    timeout: int | None = None
    stop_after: int | None = None
    priority: int | None = None
    explain: str | None = None
    estimate: bool = False

    def check(self) -> None:
        """Refuse options that do not go together.

        Raises:
            UsageError: they do not.
        """
        if self.estimate:
            self._check_estimate()
        if self.force and not self.reason.strip():
            raise UsageError("--force needs a --reason: it is kept in the audit.")
        if self.reason and not self.force:
            raise UsageError("--reason says why what is done shall be done again: give --force.")
        if self.limit is not None and self.limit <= self.lookback and not self.newest_first:
            raise UsageError(
                f"--limit {self.limit} would be used up by --lookback {self.lookback}, which comes "
                "before what is new; give a higher limit, or --newest-first."
            )

    def _check_estimate(self) -> None:
        if not self.backfill:
            raise UsageError("--estimate is for backfills; add --backfill.")
        for option, given in (
            ("--dry-run", self.dry_run),
            ("--detach", self.detach),
            ("--workers", self.workers is not None),
        ):
            if given:
                raise UsageError(f"--estimate runs a small sample now; leave out {option}.")

    def window(self, flow: Flow) -> Window:
        """Return what is asked of a flow.

        Raises:
            UsageError: the options do not fit the flow.
        """
        window = window_of(
            flow,
            self.start_date,
            self.end_date,
            self.partitions,
            backfill=self.backfill,
            include_empty=self.include_empty,
        )
        return replace(
            window,
            only=frozenset().union(*(KINDS[kind] for kind in self.only)),
            force=self.reason if self.force else "",
            lookback=self.lookback,
            limit=self.limit,
            newest_first=self.newest_first,
        )

    def options(self) -> dict[str, Any]:
        """Return what each run remembers of how its units are to be executed."""
        given = {
            "newest_first": self.newest_first or None,
            "max_active": self.max_active,
            "max_attempts": self.max_attempts,
            "backoff": self.backoff,
            "timeout": self.timeout,
            "stop_after": self.stop_after,
            "priority": self.priority or None,
        }
        return {name: value for name, value in given.items() if value is not None}

    def going_on(self, flows: Sequence[str], since: str = "") -> str:
        """Return the command that goes on where this one stopped, with units from ``since`` on.

        What was forced, or looked back at, is restated and unfinished by then, and what failed
        has failed: it is taken up as such, and not asked for once more.
        """
        kinds = list(self.only)
        if kinds:
            kinds += ["failed", "restated"] if self.force or self.lookback else ["failed"]
        backfill = self.backfill or (self.force and not kinds)
        return replace(
            self,
            backfill=backfill,
            start_date=since or self.start_date,
            only=tuple(dict.fromkeys(kinds)),
            force=False,
            lookback=0,
        ).again(flows)

    def again(self, flows: Sequence[str]) -> str:
        """Return the command that asks for the same, of these flows."""
        words = ["seeknal run", *(f"--flow {name}" for name in flows)]
        words += ["--backfill"] if self.backfill else []
        words += self._given("--start-date", self.start_date)
        words += self._given("--end-date", self.end_date)
        words += self._given("--partitions", self.partitions)
        words += ["--include-empty"] if self.include_empty else []
        words += [f"--only {kind}" for kind in self.only]
        words += ["--force", *self._given("--reason", self.reason)] if self.force else []
        words += self._given("--lookback", self.lookback or None)
        words += self._given("--limit", self.limit)
        words += ["--newest-first"] if self.newest_first else []
        words += self._given("--max-active", self.max_active)
        words += self._given("--max-attempts", self.max_attempts)
        words += self._given("--backoff", _duration(self.backoff))
        words += self._given("--timeout", _duration(self.timeout))
        words += self._given("--stop-after", self.stop_after)
        words += self._given("--priority", self.priority)
        if self.redis is not None:
            from seeknal.stores.redis_errors import address_of

            words.append(f"--redis {quote(address_of(self.redis))}")  # without its password
        return text.command(" ".join(words), self.project_path)

    @staticmethod
    def _given(option: str, value: str | int | None) -> list[str]:
        return [] if value in (None, "") else [f"{option} {quote(str(value))}"]


def _duration(seconds: int | None) -> str | None:
    return None if seconds is None else format_duration(seconds)
