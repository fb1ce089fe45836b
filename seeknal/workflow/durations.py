"""Durations as people write them: ``90s``, ``30m``, ``2h``, ``1d``, ``1w``, ``1d12h``."""

from __future__ import annotations

import re
from datetime import timedelta

from seeknal.errors import TimeError

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"\s*(\d{1,12})\s*([wdhms])", re.ASCII)
_MOST = 100 * 366 * 86_400


def parse_duration(value: object) -> int:
    """Return the seconds of a duration: a number of seconds, a text, or a timedelta.

    Raises:
        TimeError: it is no duration of whole seconds from 0 to 100 years.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    seconds = _parse_text(value) if isinstance(value, str) else value
    if type(seconds) is not int or not 0 <= seconds <= _MOST:
        raise TimeError(
            f"{value!r} is not a duration; write seconds, or a text such as '90s', '30m', '2h', "
            "'1d' or '1d12h'."
        )
    return seconds


def format_duration(seconds: int) -> str:
    """Write seconds as the shortest text that :func:`parse_duration` reads back.

    A duration of one unit has that unit (``2h``), any other several (``1d12h``).
    """
    for letter in ("d", "h", "m"):
        if seconds and seconds % _UNITS[letter] == 0 and seconds < 2 * _UNITS["d"]:
            return f"{seconds // _UNITS[letter]}{letter}"
    parts = []
    for letter in ("d", "h", "m", "s"):
        count, seconds = divmod(seconds, _UNITS[letter])
        if count:
            parts.append(f"{count}{letter}")
    return "".join(parts) or "0s"


def _parse_text(text: str) -> int | None:
    if re.fullmatch(r"\d{1,12}", text.strip(), re.ASCII):
        return int(text)
    total, position, used = 0, 0, set()
    stripped = text.strip()
    while match := _PART.match(stripped, position):
        if match[2] in used:
            return None
        used.add(match[2])
        total += int(match[1]) * _UNITS[match[2]]
        position = match.end()
    return total if used and position == len(stripped) else None
