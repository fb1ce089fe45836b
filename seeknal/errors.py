"""Every error Seeknal raises on purpose.

::

    SeeknalError
    ├── UsageError               what was asked for cannot be done as asked
    │   ├── ScheduleError        a cron expression or a time zone
    │   ├── TimeError            a date, a datetime or a range of them
    │   └── UnknownNameError     a flow, run, unit or connection nobody declared
    ├── ConfigError              a project, flow or state file
    ├── QueryError               SQL that does not parse, bind or run
    │   └── PermanentQueryError  ... and will not, however often it is tried
    ├── DataUnavailableError     an input this machine cannot see
    ├── OutputError              an output that cannot be written or read
    ├── StoreError               the store of completions and leases
    │   ├── StoreUnavailableError
    │   └── ConflictError        another run holds what this one asks for
    ├── LeaseLostError           the unit belongs to somebody else by now
    └── InterruptedRunError      the run was asked to stop

The message is one sentence or two for the operator: what is wrong, where, what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class SeeknalError(Exception):
    """Something is wrong; the message says what, where and what to do."""


class UsageError(SeeknalError):
    """What was asked for cannot be done as asked; change the call."""


class ScheduleError(UsageError):
    """The schedule's cron expression or time zone is not valid; correct the flow."""


class TimeError(UsageError):
    """A date, datetime or range of them is not valid; correct what was given."""


class UnknownNameError(UsageError):
    """Nothing of that name is declared; use one of the names the message lists."""


class ConfigError(SeeknalError):
    """A project, flow or state file is not valid; correct it where the message says."""


class QueryError(SeeknalError):
    """The SQL of a unit failed; the unit can be tried again."""


class PermanentQueryError(QueryError):
    """The SQL can never succeed as it is written; correct the flow's task."""


class DataUnavailableError(SeeknalError):
    """This machine cannot see an input; make the data visible or correct its path."""


class OutputError(SeeknalError):
    """An output cannot be written or read; make room, or correct its path or permissions."""


class StoreError(SeeknalError):
    """The store refused or failed an operation; the message says what to do."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached; check that it runs and that its address is right."""


class ConflictError(StoreError):
    """Another run holds what this one asks for; wait for it or cancel it."""


class LeaseLostError(SeeknalError):
    """The lease on a unit has passed to somebody else; nothing was published."""


class InterruptedRunError(SeeknalError):
    """The run was asked to stop; its unfinished units are kept for the next run."""


class Explained(Generic[T]):
    """A ``with`` block in which others' errors about a thing become ours.

    ``explain`` returns ours for an error and the thing, or None to let the error pass.
    """

    __slots__ = ("_about", "_explain")

    def __init__(
        self, explain: Callable[[BaseException, T], SeeknalError | None], about: T
    ) -> None:
        self._explain, self._about = explain, about

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        ours = None if error is None else self._explain(error, self._about)
        if ours is not None:
            raise ours from error
