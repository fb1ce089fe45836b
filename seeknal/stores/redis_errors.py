"""Errors of the Redis client, as sentences that an operator can act on.

No sentence holds a URL: only the address that :func:`address_of` leaves of it.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from redis import exceptions as redis_errors

from seeknal.errors import StoreError, StoreUnavailableError

_DENIED: Final = (
    "refused the user name or password. Correct them in the Redis URL "
    "(redis://user:password@host:6379/0)."
)
_ASKS: Final = "asks for a password. Put it into the Redis URL (redis://:password@host:6379/0)."
_TOO_OLD: Final = (
    "does not know a command that Seeknal needs ({error}). Use Redis 6.2 or later, or Valkey."
)
_NO_PERMISSION: Final = (
    "does not let this user do what Seeknal needs ({error}). Give the user the keys and commands "
    "that the documentation lists (ACL SETUSER)."
)
_FULL: Final = (
    "is out of memory (maxmemory is reached). Raise maxmemory, or make room; nothing was changed."
)
_REPLICA: Final = "is a read-only replica. Point the Redis URL at the primary."
# By the client's class of error; it takes the server's code word off these.
_CLASSES: Final = {
    redis_errors.NoPermissionError: _NO_PERMISSION,
    redis_errors.OutOfMemoryError: _FULL,
    redis_errors.ReadOnlyError: _REPLICA,
}
# By words of the server's reply; the first that fit are taken.
_REPLIES: Final = {
    "NOAUTH": _ASKS,
    "Authentication required": _ASKS,
    "without any password configured": (
        "has no password, but the Redis URL has one. Take it out of the URL, or set it on the "
        "server."
    ),
    "WRONGPASS": _DENIED,
    "NOPERM": _NO_PERMISSION,
    "ACL failure in script": _NO_PERMISSION,
    "OOM": _FULL,
    "READONLY": _REPLICA,
    "MISCONF": (
        "refuses to write because it cannot save to its disk. See its log, and free space there."
    ),
    "NOREPLICAS": "refuses to write because too few replicas are connected. Bring them back.",
    "MOVED": "is a node of a cluster. Use a single server, or an address that routes.",
    "unknown command": _TOO_OLD,
    "Unknown Redis command": _TOO_OLD,
    "DB index is out of range": (
        "has no database of that number. Correct the end of the Redis URL."
    ),
}
# Refusals that pass: the same call may succeed in a moment.
_FOR_NOW: Final = ("BUSY", "LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN")
_CERTIFICATE: Final = (
    "shows a certificate that is not trusted here ({error}). Put the authority's file into the "
    "Redis URL (rediss://host:6379/0?ssl_ca_certs=/path/ca.pem)."
)
_NOT_TLS: Final = (
    "does not speak TLS as it is asked to ({error}). Use redis:// instead of rediss:// for a "
    "server without TLS, or correct the port."
)


def address_of(url: str) -> str:
    """Return a Redis URL without its user, password and options.

    Raises:
        StoreError: it is not a Redis URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise StoreError(
            "The address of the store is not a Redis URL; write it as redis://host:6379/0, or "
            "rediss:// for TLS, or unix:///path/of/socket."
        )
    if parts.scheme == "unix":
        return f"unix://{parts.path}"
    try:
        port = parts.port or 6379
    except ValueError:
        raise StoreError("The port in the Redis URL is not a number; correct it.") from None
    host = parts.hostname or "localhost"
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}:{port}{parts.path}"


def explain(error: redis_errors.RedisError, address: str) -> StoreError:
    """Return the error to raise for one of the client's."""
    text = str(error).rstrip(".") or type(error).__name__
    if (sentence := _refusal(error, text)) is not None:
        return StoreError(f"The Redis at {address} {sentence.format(error=text)}")
    if is_outage(error):
        tls = ", that it speaks TLS" if address.startswith("rediss:") else ""
        return StoreUnavailableError(
            f"The Redis at {address} cannot be reached: {text}. "
            f"Check that it runs{tls}, and that its address is right."
        )
    kind = StoreUnavailableError if text.startswith(_FOR_NOW) else StoreError
    return kind(f"The Redis at {address} failed: {text}.")


def _refusal(error: redis_errors.RedisError, text: str) -> str | None:
    for kind, sentence in _CLASSES.items():
        if isinstance(error, kind):
            return sentence
    for words, sentence in _REPLIES.items():
        if words in text:
            return sentence
    if isinstance(error, redis_errors.AuthenticationError):
        return _DENIED
    if "CERTIFICATE_VERIFY_FAILED" in text:
        return _CERTIFICATE
    return _NOT_TLS if "SSL" in text and "WRONG_VERSION" in text else None


def is_outage(error: redis_errors.RedisError) -> bool:
    """Say whether an error means that the server was not there, or did not answer."""
    lost = (redis_errors.ConnectionError, redis_errors.TimeoutError)
    denied = (redis_errors.AuthenticationError, redis_errors.AuthorizationError)
    return isinstance(error, lost) and not isinstance(error, denied)
