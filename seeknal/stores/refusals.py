"""What every store refuses, in the same words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from seeknal.errors import LeaseLostError, StoreError, UsageError
from seeknal.workflow.state import Claim, RunStatus

#: The options of a run that change while it goes on (``Store.steer``).
STEERED: Final = ("max_active", "newest_first", "priority")
_BY_HAND: Final = (
    RunStatus.PAUSED,
    RunStatus.ACTIVE,
    RunStatus.CANCELLED,
    RunStatus.INTERRUPTED,
)


def check_status(run_id: str, status: RunStatus) -> None:
    """Refuse a status that no run is set to by hand.

    Raises:
        UsageError: it is done or failed.
    """
    if status not in _BY_HAND:
        raise UsageError(f"Run {run_id} cannot be set to {status}: that comes with its last unit.")


def check_steered(run_id: str, options: Iterable[str]) -> None:
    """Refuse options that do not change on a run's way.

    Raises:
        UsageError: one of them is not in ``STEERED``.
    """
    unknown = sorted(set(options) - set(STEERED))
    if unknown:
        raise UsageError(
            f"Run {run_id} cannot change {', '.join(unknown)} on its way, only "
            f"{', '.join(STEERED)}."
        )


def run_exists(run_id: str) -> StoreError:
    """Return the error of a run that is registered under an id that another has."""
    return StoreError(f"There is a run {run_id} already; give the new one another id.")


def no_event(run_id: str, after: str) -> UsageError:
    """Return the error of a text that is no event's id."""
    return UsageError(f"{after!r} is not the id of an event of run {run_id}.")


def lost(claim: Claim) -> LeaseLostError:
    """Return the error of a token that is not current."""
    return LeaseLostError(
        f"The unit {claim.unit} of run {claim.run} is no longer leased to {claim.worker}: "
        f"another worker claimed it, or the run has ended. It is left to them."
    )
