"""The key checker: no key of a project without a known kind, and a way to go."""

from __future__ import annotations

from typing import Any

from seeknal.stores.redis_keys import KINDS, prefix

_NEVER = -1
_ENDED = {"done", "failed", "cancelled", "interrupted"}


def check_keys(client: Any, project: str) -> set[str]:
    """Fail if a key is of no kind, or lacks its time to live; return the kinds that are there."""
    start = prefix(project)
    found = set()
    for key in client.scan_iter(match=f"{start}*", count=1000):
        kind, _, name = key.removeprefix(start).partition(":")
        assert kind in KINDS, f"{key} is of no kind in KINDS."
        found.add(kind)
        declared = KINDS[kind]
        assert declared.holds, f"KINDS does not say what {kind} holds."
        assert declared.goes, f"KINDS does not say when {kind} goes."
        # One that has expired since it was found has no time to live, and is no key any more.
        if declared.ttl is None:
            assert client.pttl(key) == _NEVER, f"{key} expires, KINDS does not say so."
        elif declared.always or client.hget(f"{start}run:{name}", "status") in _ENDED:
            assert client.pttl(key) != _NEVER, f"{key} never expires."
    return found
