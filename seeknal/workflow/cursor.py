"""A run's cursor, ``ENDS#TURN``: how far its feed has come, and how often that has changed.

``ENDS`` is the feed's own. ``TURN`` is a number, 0 where it is not written, that grows whenever
the cursor changes, so that no feeder goes on from a cursor that was, whatever it looks like.
"""

from __future__ import annotations


def ends_of(cursor: str) -> str:
    """Return a cursor's text without its turn."""
    return cursor.partition("#")[0]


def next_turn(cursor: str, ends: str | None = None) -> str:
    """Return the cursor that follows another, with its ends or new ones."""
    before, _, turn = cursor.partition("#")
    return f"{before if ends is None else ends}#{int(turn or 0) + 1}"
